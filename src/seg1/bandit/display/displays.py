"""Displays: what a policy missed, what was shown, and whether predictions hold, drawn.

Each display is computed by `of`, holds plain arrays, and draws itself by `plot`, which returns the
axes. Where the caller gives none it makes a figure that pyplot does not know, so none stays open:
keep it with ``display.plot().figure.savefig("regret.png")``. In a notebook a display that ends a
cell is shown as a picture. Drawing needs the extra `plot`; computing does not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from seg1._checks import check_int, check_number, read_only
from seg1._types import Float64s, Id, Int64s
from seg1.bandit.choosing.choice import Choice
from seg1.bandit.display.drawing import add_legend, axes_or_new, numbers_of, picture_of
from seg1.errors import InvalidArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ArmSharesDisplay", "CalibrationDisplay", "RegretDisplay"]

_ROUNDING: Final = 1e-9  # so far above the best a mean may lie, as a share of the largest
# Told apart without colour too: by stroke and mark, or by hatching.
_STROKES: Final = ("-", "--", "-.", ":")
_MARKS: Final = ("o", "s", "^", "D", "v", "x", "P")
_N_MARKS: Final = 8  # on each line
_HATCHES: Final = ("", "//", "..", "xx", "\\\\", "oo", "--", "++", "**", "||")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegretDisplay:
    """What policies have missed up to each round, against the best arm of every round.

    Attributes
    ----------
    names
        Of the policies.
    regret
        Cumulative regret, float64, shape (n_policies, n_rounds).
    unit
        What a mean counts.

    Examples
    --------
    >>> best = [0.5, 0.5, 0.4]
    >>> chosen = {"thompson": [0.1, 0.5, 0.4], "always tea": [0.1, 0.1, 0.1]}
    >>> display = RegretDisplay.of(chosen, best=best, unit="acceptances")
    >>> display.names, display.regret.round(2).tolist()
    (('thompson', 'always tea'), [[0.4, 0.4, 0.4], [0.4, 0.8, 1.1]])
    """

    names: tuple[str, ...]
    regret: Float64s = field(repr=False)
    unit: str = "reward"

    @classmethod
    def of(
        cls, chosen: Mapping[str, ArrayLike], *, best: ArrayLike, unit: str = "reward"
    ) -> "RegretDisplay":
        """Add up what was missed; it takes a simulation, where the truth is known.

        Parameters
        ----------
        chosen
            For each policy the true mean of what it chose in each round, shape (n_rounds,). In a
            world of `seg1.testing.worlds` that is ``world.means[rounds, arms]``, with ``rounds =
            np.arange(world.n_rounds)``; for a lottery it is the mean over the available arms.
        best
            The highest true mean of each round, ``world.means[rounds, world.best]``, shape
            (n_rounds,).
        unit
            What a mean counts, for the axis, as "acceptances" or "euros".

        Raises
        ------
        InvalidArgumentError
            For no policy or round, arrays of several lengths, numbers that are not finite, or a
            mean above the best.
        """
        if not chosen:
            raise InvalidArgumentError("chosen must have at least one policy")
        highest = numbers_of(best, name="best")
        means = [
            numbers_of(mean, name="each of chosen", n=len(highest)) for mean in chosen.values()
        ]
        missed = highest - np.array(means)  # (n_policies, n_rounds)
        if missed.min() < -_ROUNDING * max(1.0, float(np.abs(highest).max())):
            raise InvalidArgumentError("chosen has a mean above the best of its round")
        regret = missed.cumsum(axis=1)
        return cls(names=tuple(chosen), regret=read_only(regret), unit=unit)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw a line for each policy, and return the axes.

        Parameters
        ----------
        ax
            Where to draw; None for a figure of its own.

        Raises
        ------
        MissingExtraError
            Without matplotlib.
        """
        ax = axes_or_new(ax)
        rounds = np.arange(1, self.regret.shape[1] + 1)
        every = max(len(rounds) // _N_MARKS, 1)
        lines = []
        for regret, stroke, mark in zip(self.regret, cycle(_STROKES), cycle(_MARKS), strict=False):
            lines += ax.plot(rounds, regret, linestyle=stroke, marker=mark, markevery=every)
        ax.set_xlabel("rounds")
        ax.set_ylabel(f"cumulative regret, expected {self.unit}")
        ax.set_ylim(bottom=0.0)
        add_legend(ax, lines, self.names)
        return ax

    def _repr_png_(self) -> bytes:
        return picture_of(self.plot())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArmSharesDisplay:
    """How often each offer was shown, over blocks of choices.

    Attributes
    ----------
    names
        The offers, those shown most often first; then "other offers", then "no offer".
    shares
        Share of each block, float64, shape (n_names, n_blocks); columns sum to 1.
    edges
        Where blocks begin and end, int64, shape (n_blocks + 1,): the first choice is 0.

    Examples
    --------
    >>> from seg1.bandit import OfferSelector
    >>> from seg1.offers import Goal, Offer
    >>> selector = OfferSelector([Offer("tea")], goal=Goal.response(), no_offer=False)
    >>> choices = [selector.choose({}, id=visit, at=0) for visit in range(10)]
    >>> display = ArmSharesDisplay.of(choices, n_blocks=2)
    >>> display.names, display.shares.tolist(), display.edges.tolist()
    (('tea',), [[1.0, 1.0]], [0, 5, 10])
    """

    names: tuple[str, ...]
    shares: Float64s = field(repr=False)
    edges: Int64s = field(repr=False)

    @classmethod
    def of(
        cls, choices: Sequence[Choice], *, n_blocks: int = 20, n_named: int = 8
    ) -> "ArmSharesDisplay":
        """Count what was shown, prices and slots of an offer together.

        Parameters
        ----------
        choices
            In their order, at least one.
        n_blocks
            How many blocks of about equally many choices, >= 1; fewer where choices are fewer.
        n_named
            How many offers have a name of their own, >= 1; the others share one.

        Raises
        ------
        InvalidArgumentError
            For no choices, or a number below 1.
        """
        if not choices:
            raise InvalidArgumentError("there must be at least one choice")
        n_blocks = min(check_int(n_blocks, name="n_blocks", low=1), len(choices))
        place_of, names = _places(choices, n_named=check_int(n_named, name="n_named", low=1))
        edges = np.linspace(0, len(choices), n_blocks + 1).astype(np.int64)
        block = np.repeat(np.arange(n_blocks), np.diff(edges))
        counts = np.zeros((len(names), n_blocks))
        place = np.array([place_of[choice.offer] for choice in choices])
        np.add.at(counts, (place, block), 1.0)
        return cls(names=names, shares=read_only(counts / np.diff(edges)), edges=read_only(edges))

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw each block as a stacked bar, and return the axes.

        Parameters
        ----------
        ax
            Where to draw; None for a figure of its own.

        Raises
        ------
        MissingExtraError
            Without matplotlib.
        """
        ax = axes_or_new(ax)
        below = self.shares.cumsum(axis=0) - self.shares
        stacks = [
            ax.bar(
                self.edges[:-1], share, width=np.diff(self.edges), bottom=bottom, align="edge",
                hatch=hatch, edgecolor="white", linewidth=0.5,
            )
            for share, bottom, hatch in zip(self.shares, below, cycle(_HATCHES), strict=False)
        ]  # fmt: skip
        ax.set_xlabel("choices, in their order")
        ax.set_ylabel("share of the choices of a block")
        ax.set_xlim(0, self.edges[-1])
        ax.set_ylim(0.0, 1.0)
        # The first lies at the bottom, in the picture and in the legend.
        add_legend(ax, stacks[::-1], self.names[::-1], is_beside=True)
        return ax

    def _repr_png_(self) -> bytes:
        return picture_of(self.plot())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CalibrationDisplay:
    """Whether offers are accepted as often as predicted, in bins of equally many predictions.

    Attributes
    ----------
    predicted
        Mean prediction of each bin, rising; float64, shape (n_bins,).
    observed
        Share that was accepted, float64, shape (n_bins,).
    low, high
        Ends of its interval (Wilson 1927, "Probable inference, the law of succession, and
        statistical inference"), float64, shape (n_bins,). It takes rows for independent: where the
        same customers come again and again it is too narrow.
    n_rows
        Predictions in each bin, int64, shape (n_bins,).
    level
        Of the interval.

    Examples
    --------
    >>> predicted, accepted = [0.1] * 10 + [0.6] * 10, [0] * 9 + [1] + [1, 0] * 5
    >>> display = CalibrationDisplay.of(predicted, accepted, n_bins=2)
    >>> display.predicted.round(2).tolist(), display.observed.tolist(), display.n_rows.tolist()
    ([0.1, 0.6], [0.1, 0.5], [10, 10])
    >>> display.low.round(3).tolist(), display.high.round(3).tolist()
    ([0.018, 0.237], [0.404, 0.763])
    """

    predicted: Float64s = field(repr=False)
    observed: Float64s = field(repr=False)
    low: Float64s = field(repr=False)
    high: Float64s = field(repr=False)
    n_rows: Int64s = field(repr=False)
    level: float = 0.95

    @classmethod
    def of(
        cls, response_prob: ArrayLike, accepted: ArrayLike, *, n_bins: int = 10, level: float = 0.95
    ) -> "CalibrationDisplay":
        """Sort predictions into bins, and count what was accepted in each.

        Parameters
        ----------
        response_prob
            As predicted before each answer, in [0, 1], shape (n_rows,), at least one.
        accepted
            The answers, bool or 0 and 1, shape (n_rows,).
        n_bins
            How many bins, >= 1. Equal predictions lie in one bin, so that there may be fewer, and
            they may differ in size.
        level
            Of the intervals, in (0, 1).

        Raises
        ------
        InvalidArgumentError
            For arrays of other shapes or numbers, n_bins below 1, or another level.
        """
        p = numbers_of(response_prob, name="response_prob")
        answers = numbers_of(accepted, name="accepted", n=len(p))
        if p.min() < 0.0 or p.max() > 1.0 or not np.isin(answers, (0.0, 1.0)).all():
            raise InvalidArgumentError("response_prob must lie in [0, 1], and accepted be 0 or 1")
        z = _deviations(level)
        n_below = np.sort(p).searchsorted(p)  # alike for equal predictions
        _, bins = np.unique(
            n_below * check_int(n_bins, name="n_bins", low=1) // len(p), return_inverse=True
        )
        n = np.bincount(bins)
        observed = np.bincount(bins, weights=answers) / n
        low, high = _wilson(observed, n, z=z)
        return cls(
            predicted=read_only(np.bincount(bins, weights=p) / n),
            observed=read_only(observed),
            low=read_only(low),
            high=read_only(high),
            n_rows=read_only(n),
            level=float(level),
        )

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw what was accepted, with intervals, beside what was predicted; return the axes.

        Parameters
        ----------
        ax
            Where to draw; None for a figure of its own.

        Raises
        ------
        MissingExtraError
            Without matplotlib.
        """
        ax = axes_or_new(ax)
        end = min(1.05 * float(max(self.high.max(), self.predicted.max())), 1.0)
        (as_predicted,) = ax.plot([0.0, end], [0.0, end], linestyle="--", color="gray")
        spans = [self.observed - self.low, self.high - self.observed]
        bins = ax.errorbar(
            self.predicted, self.observed, yerr=spans, fmt="o", capsize=3, clip_on=False
        )
        ax.set_xlabel("predicted probability of acceptance, mean of a bin")
        ax.set_ylabel(f"share accepted, {100 * self.level:g} % interval")
        ax.set_xlim(0.0, end)
        ax.set_ylim(0.0, end)
        add_legend(ax, [as_predicted, bins], ["as predicted", _sized(self.n_rows)])
        return ax

    def _repr_png_(self) -> bytes:
        return picture_of(self.plot())


def _places(
    choices: Sequence[Choice], *, n_named: int
) -> tuple[dict[Id | None, int], tuple[str, ...]]:
    """Give each offer its place, and the names in the order of places."""
    counts: dict[Id | None, int] = {}
    for choice in choices:
        counts[choice.offer] = counts.get(choice.offer, 0) + 1
    has_none = counts.pop(None, 0) > 0
    offers = sorted(counts, key=lambda offer: -counts[offer])  # stable: equals as they came
    names = [str(offer) for offer in offers[:n_named]] + ["other offers"] * (len(offers) > n_named)
    place_of = {offer: min(place, n_named) for place, offer in enumerate(offers)}
    if has_none:
        place_of[None] = len(names)
        names.append("no offer")
    return place_of, tuple(names)


def _deviations(level: float) -> float:
    if check_number(level, name="level", above=0) >= 1.0:
        raise InvalidArgumentError(f"level must lie in (0, 1), got {level!r}")
    return float(ndtri(0.5 + 0.5 * level))


def _wilson(share: Float64s, n: Int64s, *, z: float) -> tuple[Float64s, Float64s]:
    """Give the shares that lie within z standard errors, *theirs*, of the one seen."""
    whole = n + z * z
    middle = (n * share + 0.5 * z * z) / whole
    half = z * np.sqrt(n * share * (1.0 - share) + 0.25 * z * z) / whole
    # Where none accepted, or all, one end is the share itself, but for rounding.
    low, high = (middle - half).clip(0.0), (middle + half).clip(max=1.0)
    return np.minimum(low, share), np.maximum(high, share)


def _sized(n_rows: Int64s) -> str:
    low, high = int(n_rows.min()), int(n_rows.max())
    return f"bins of {low}" if low == high else f"bins of {low} to {high}"
