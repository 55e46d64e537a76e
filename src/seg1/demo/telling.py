"""The story in text: what the terminal shows."""

from collections.abc import Iterator, Mapping

from seg1._types import Id
from seg1.demo.story import SPLIT_WEEK, Comparison, Household, Models, Shop, Withdrawal
from seg1.recommend import Ranking
from seg1.recommend.metrics import Interval

__all__ = [
    "difference_words",
    "tell_comparison",
    "tell_events",
    "tell_household",
    "tell_matrix",
    "tell_reload",
    "tell_withdrawal",
]

LABELS = {"popularity": "popularity", "buy_again": "buy again", "als": "ALS"}


def tell_events(shop: Shop) -> Iterator[str]:
    """Say what was read, and who permits what."""
    events = shop.events
    yield "1. Events and consent"
    yield (
        f"   {len(events):,} receipt lines of {len(events.customers)} households and "
        f"{len(events.items):,} products (The Complete Journey, 84.51)"
    )
    yield f"   left out while reading: {_counts(events.dropped)}"
    yield "   Everybody starts denied. The data hold no consent, so a SYNTHETIC consent file is"
    yield (
        f"   drawn: {shop.permits['train']} of {shop.n_asked} households permit profiling, "
        f"{shop.permits['candidates']} offers, {shop.permits['measure']} measurement"
    )


def tell_matrix(shop: Shop, models: Models) -> Iterator[str]:
    """Say what the matrix holds, and every row that is not in it."""
    provenance = models.interactions.provenance
    n_customers, n_items = models.interactions.shape
    yield (
        f"   matrix from weeks 1 to {SPLIT_WEEK - 1}: {n_customers} households x {n_items:,} "
        f"products, {models.interactions.weights.nnz:,} weights from {provenance.n_events:,} lines"
    )
    yield f"   kept to be predicted: {shop.n_after:,} lines of weeks {SPLIT_WEEK} to 53"
    for reason, n in provenance.dropped.items():
        yield f"   left out: {n:,} lines ({reason})"


def tell_comparison(comparison: Comparison) -> Iterator[str]:
    """Say how good the three recommenders are, and what to make of it."""
    yield ""
    yield (
        f"2. Who predicts weeks {SPLIT_WEEK} to 53 best? {comparison.n_households} households, "
        "mean with 95 % interval"
    )
    for title, figures in (
        ("all products", comparison.all_products),
        ("products new to the household", comparison.new_products),
    ):
        yield f"   {title:<30} {'NDCG@10':<20} {'recall@10':<20} coverage"
        for name, of in figures.items():
            yield (
                f"     {LABELS[name]:<28} {_interval(of.ndcg):<20} {_interval(of.recall):<20} "
                f"{of.coverage:6.1%}"
            )
    for line in difference_words(comparison):
        yield "   " + line


def difference_words(comparison: Comparison) -> Iterator[str]:
    """Say who wins where, with intervals, and no more than they support."""
    habit, new = comparison.buy_again_minus_als, comparison.als_minus_popularity
    habit_verdict = (
        "habit wins, because groceries are bought again and again"
        if habit.low > 0
        else "habit and ALS are not told apart on this draw"
    )
    yield (
        f"On all products {habit_verdict}: buy again is {habit.mean:+.3f} in NDCG@10 against ALS "
        f"({habit.low:+.3f} to {habit.high:+.3f})."
    )
    new_verdict = (
        "that is where ALS earns its place"
        if new.low > 0
        else "the interval includes 0, so on this draw it is not more than chance"
        if new.high >= 0
        else "popularity is better on this draw"
    )
    yield (
        "Buy again has nothing to say of products a household never had. There ALS is "
        f"{new.mean:+.4f} against popularity ({new.low:+.4f} to {new.high:+.4f}): {new_verdict}."
    )


def tell_household(household: Household, *, names: Mapping[Id, str]) -> Iterator[str]:
    """Show one household: its habits, and five products that are new to it."""
    yield (
        f"   household {household.household} ({household.n_events} lines), often: "
        + "; ".join(names[item] for item in household.history)
    )
    for item, why in zip(household.ranking.items, household.ranking.reasons, strict=True):
        yield f"     -> {names[item]}: {why.words(names)}"


def tell_withdrawal(withdrawal: Withdrawal, *, names: Mapping[Id, str]) -> Iterator[str]:
    """Show what changes the moment a household withdraws."""
    yield f"   household {withdrawal.household} withdraws. The very next call:"
    yield (
        f"     personalised: {withdrawal.after.personalised}, reason: {withdrawal.after.reason}, "
        "what everybody gets:"
    )
    yield f"     {_list(withdrawal.after, names)}"


def tell_reload(*, is_identical: bool) -> Iterator[str]:
    """Say whether the saved model gives the same answers."""
    yield ""
    yield "4. Saved and loaded again"
    yield f"   the model, loaded from its files: same answers to the last bit: {is_identical}"


def _list(ranking: Ranking, names: Mapping[Id, str]) -> str:
    return "; ".join(names[item] for item in ranking.items)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} ({reason})" for reason, n in counts.items()) or "none"


def _interval(interval: Interval) -> str:
    return f"{interval.mean:.3f} ({interval.low:.3f}-{interval.high:.3f})"
