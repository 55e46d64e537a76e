"""The figures of the page: inline SVG that takes the page's colours, each with its words."""

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seg1.consent import STAGES
from seg1.demo.story import Figures, Shop
from seg1.demo.telling import LABELS
from seg1.demo.telling_decisions import POLICIES
from seg1.demo.trial import Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Plot", "plot_consent", "plot_missed", "plot_ndcg"]

# Stands for the page's own text colour in a figure, and is replaced by `currentColor`.
_INK = "#010203"
_BLUE, _GREY, _AMBER, _GREEN = "#3b82c4", "#8a8f98", "#c77d11", "#2f9e62"
_N_POINTS = 120
_STYLES = {
    "uniform": ":",
    "thompson": "-",
    "greedy": "--",
    "best_fixed": "-.",
}  # not by colour alone
_COLOURS = {"uniform": _GREY, "thompson": _BLUE, "greedy": _AMBER, "best_fixed": _GREEN}


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure as inline SVG, with its text alternative."""

    svg: str
    words: str


def plot_ndcg(figures: Mapping[str, Figures], *, of: str) -> Plot:
    """Draw NDCG@10 of the recommenders with intervals."""
    names = list(figures)
    means = [figures[name].ndcg.mean for name in names]
    spans = [
        [figures[name].ndcg.mean - figures[name].ndcg.low for name in names],
        [figures[name].ndcg.high - figures[name].ndcg.mean for name in names],
    ]

    def draw(axes: "Axes") -> None:
        axes.barh(
            [LABELS[name] for name in names],
            means,
            xerr=spans,
            color=[_BLUE if mean == max(means) else _GREY for mean in means],
            error_kw={"ecolor": _INK, "capsize": 4},
        )
        axes.invert_yaxis()
        axes.set_xlabel("NDCG@10, mean over households, 95 % interval")

    told = ", ".join(f"{LABELS[name]} {mean:.3f}" for name, mean in zip(names, means, strict=True))
    return Plot(_svg(draw, height=_of_bars(len(names))), f"NDCG@10 on {of}: {told}.")


def plot_consent(shop: Shop) -> Plot:
    """Draw how many households permit each step."""
    permitted = [shop.permits[stage] for stage in STAGES]

    def draw(axes: "Axes") -> None:
        axes.barh(STAGES, permitted, color=_BLUE)
        axes.barh(
            STAGES, [shop.n_asked - n for n in permitted], left=permitted, color=_GREY, alpha=0.4
        )
        axes.invert_yaxis()
        axes.set_xlabel(f"households that permit the step (blue) of {shop.n_asked}")

    told = ", ".join(f"{stage} {n}" for stage, n in zip(STAGES, permitted, strict=True))
    return Plot(
        _svg(draw, height=_of_bars(len(STAGES))),
        f"Of {shop.n_asked} households, how many permit each step: {told}.",
    )


def plot_missed(trial: Trial) -> Plot:
    """Draw the redemptions that each policy has missed up to each contact."""

    def draw(axes: "Axes") -> None:
        for name, words in POLICIES.items():
            mean, least, most = trial.missed[name]
            contacts = np.arange(1, len(mean) + 1)
            shown = np.unique(np.linspace(0, len(mean) - 1, _N_POINTS).astype(int))
            axes.fill_between(
                contacts[shown], least[shown], most[shown],
                color=_COLOURS[name], alpha=0.18, linewidth=0,
            )  # fmt: skip
            axes.plot(
                contacts[shown],
                mean[shown],
                color=_COLOURS[name],
                label=words,
                linestyle=_STYLES[name],
            )
        axes.set_xlabel("contacts with consent, in order of time")
        axes.set_ylabel("redemptions missed (simulation)")
        axes.legend(frameon=False, loc="upper left", fontsize=10)

    told = ", ".join(f"{words} {trial.missed[name][0, -1]:.0f}" for name, words in POLICIES.items())
    return Plot(
        _svg(draw, height=3.6),
        f"Simulation: redemptions missed in expectation by the last contact, mean of "
        f"{trial.n_seeds} seeds: {told}. Bands reach from the least to the most of any seed.",
    )


def _svg(draw: "Callable[[Axes], None]", *, height: float) -> str:
    from matplotlib import pyplot as plt  # noqa: PLC0415  # an extra; its backend is set by now

    style: dict[Any, Any] = {  # Any: the names of all settings are a type of matplotlib's own
        "svg.fonttype": "none",  # text stays text: it can be read aloud, and takes the page's font
        "svg.hashsalt": "seg1",
        "font.size": 11,
        "text.color": _INK,
        "axes.labelcolor": _INK,
        "axes.edgecolor": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with plt.rc_context(style):
        figure, axes = plt.subplots(figsize=(5.6, height), layout="constrained")
        try:
            draw(axes)
            out = io.StringIO()
            metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
            figure.savefig(out, format="svg", transparent=True, metadata=metadata)
        finally:
            plt.close(figure)
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    # Sizes come from the page; the drawing itself is hidden from readers, who get the words.
    return re.sub(r'<svg ([^>]*?)width="[^"]*" ?', r'<svg aria-hidden="true" \1', svg, count=1)


def _of_bars(n_bars: int) -> float:
    return 0.9 + 0.36 * n_bars
