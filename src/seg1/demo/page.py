"""The story as one HTML page: nothing from outside, readable on a phone and in the dark."""

import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from seg1.consent import STAGES
from seg1.demo.story import SPLIT_WEEK, Comparison, Figures, Household, Models, Shop, Withdrawal
from seg1.demo.telling import LABELS, difference_words
from seg1.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["render"]

# Stands for the page's own text colour in a figure, and is replaced by `currentColor`.
_INK = "#010203"
_BLUE, _GREY = "#3b82c4", "#8a8f98"


@dataclass(frozen=True, slots=True)
class _Plot:
    """A figure as inline SVG, with its text alternative."""

    svg: str
    words: str


def render(
    shop: Shop,
    models: Models,
    *,
    comparison: Comparison,
    households: Sequence[Household],
    withdrawal: Withdrawal,
    is_identical: bool,
) -> str:
    """Write the page.

    Parameters
    ----------
    shop, models, comparison, households, withdrawal, is_identical
        What the steps of the story gave.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    MissingExtraError
        Where jinja2 or matplotlib is not installed.
    """
    try:
        import jinja2  # noqa: PLC0415  # an extra
        import matplotlib as mpl  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise MissingExtraError(
            'the report needs jinja2 and matplotlib: pip install "seg1[report]"'
        ) from error
    mpl.use("svg")
    source = (resources.files("seg1.demo") / "report.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["zip"] = _zipped
    return environment.from_string(source).render(
        shop=shop,
        provenance=models.interactions.provenance,
        shape=models.interactions.shape,
        comparison=comparison,
        words=list(difference_words(comparison)),
        labels=LABELS,
        households=households,
        withdrawal=withdrawal,
        is_identical=is_identical,
        names=shop.extract.product_names,
        split_week=SPLIT_WEEK,
        plots={
            "consent": _plot_consent(shop),
            "all": _plot_ndcg(comparison.all_products, of="all products"),
            "new": _plot_ndcg(comparison.new_products, of="products new to the household"),
        },
    )


def _zipped(left: Iterable[object], right: Iterable[object]) -> list[tuple[object, object]]:
    return list(zip(left, right, strict=True))


def _plot_ndcg(figures: Mapping[str, Figures], *, of: str) -> _Plot:
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
    return _Plot(_svg(draw, n_bars=len(names)), f"NDCG@10 on {of}: {told}.")


def _plot_consent(shop: Shop) -> _Plot:
    permitted = [shop.permits[stage] for stage in STAGES]

    def draw(axes: "Axes") -> None:
        axes.barh(STAGES, permitted, color=_BLUE)
        axes.barh(
            STAGES, [shop.n_asked - n for n in permitted], left=permitted, color=_GREY, alpha=0.4
        )
        axes.invert_yaxis()
        axes.set_xlabel(f"households that permit the step (blue) of {shop.n_asked}")

    told = ", ".join(f"{stage} {n}" for stage, n in zip(STAGES, permitted, strict=True))
    return _Plot(
        _svg(draw, n_bars=len(STAGES)),
        f"Of {shop.n_asked} households, how many permit each step: {told}.",
    )


def _svg(draw: "Callable[[Axes], None]", *, n_bars: int) -> str:
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
        figure, axes = plt.subplots(figsize=(5.6, 0.9 + 0.36 * n_bars), layout="constrained")
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
