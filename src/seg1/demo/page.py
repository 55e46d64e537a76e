"""The story as one HTML page: nothing from outside, readable on a phone and in the dark."""

from collections.abc import Iterable, Sequence
from importlib import resources

from seg1.demo.campaigns import MIN_MAILED
from seg1.demo.deciding import BUDGET, CAP, FLOOR, HOLDOUT
from seg1.demo.evaluating import LESS_FLOOR
from seg1.demo.plots import plot_consent, plot_missed, plot_ndcg
from seg1.demo.second_half import Decisions
from seg1.demo.story import SPLIT_WEEK, Comparison, Household, Models, Shop, Withdrawal
from seg1.demo.telling import LABELS, difference_words
from seg1.demo.telling_decisions import MODES, POLICIES, cost_of_floor, difference_of_policies
from seg1.errors import MissingExtraError

__all__ = ["render"]


def render(
    shop: Shop,
    models: Models,
    *,
    comparison: Comparison,
    households: Sequence[Household],
    withdrawal: Withdrawal,
    is_identical: bool,
    decisions: Decisions,
) -> str:
    """Write the page.

    Parameters
    ----------
    shop, models, comparison, households, withdrawal, is_identical, decisions
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
        rules={"cap": CAP, "budget": BUDGET, "holdout": HOLDOUT, "floor": FLOOR},
        less_floor=LESS_FLOOR,
        min_mailed=MIN_MAILED,
        d=decisions,
        policies=POLICIES,
        modes=MODES,
        floor_cost=cost_of_floor(decisions.evaluation, decisions.lifted),
        difference=difference_of_policies(decisions.thompson_minus_greedy),
        plots={
            "consent": plot_consent(shop),
            "all": plot_ndcg(comparison.all_products, of="all products"),
            "new": plot_ndcg(comparison.new_products, of="products new to the household"),
            "missed": plot_missed(decisions.trial),
        },
    )


def _zipped(left: Iterable[object], right: Iterable[object]) -> list[tuple[object, object]]:
    return list(zip(left, right, strict=True))
