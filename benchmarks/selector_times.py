"""How long the selector takes to encode, choose and learn. Run by `selector.py`.

A context has 13 fields, which come to 32 features; an offer has 8 features. What is timed is the
public call: a dict goes in, a `Choice` comes out. Every selector has learned `N_TRAINED` answers,
spread over 30 days, before. Calls are interleaved in blocks of `BLOCK`, so that a call finds the
caches as a busy process would; "cold" calls come each after 50 MB of other memory were written.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import seg1
from seg1.bandit import Choice, Explorer, HybridLinear, InverseGap, PerOfferLinear, Posterior
from seg1.bandit import ThompsonSampling as Thompson

__all__ = [
    "NOW_US", "N_TRAINED", "Calls", "contexts", "encode_us", "offers", "quiet", "schema",
    "selector_us", "timed", "trained",
]  # fmt: skip

DAY_US = 86_400 * 1_000_000
NOW_US = 1_770_000_000 * 1_000_000
N_TRAINED = 3_000
BLOCK = 25
CHANNELS = ["app", "till", "web", "mail", "call"]
PARTS: dict[str, tuple[Explorer, Callable[[], Posterior]]] = {
    "per_offer": (Thompson(), PerOfferLinear),
    "hybrid": (Thompson(), HybridLinear),
    "inverse_gap": (InverseGap(), PerOfferLinear),
}

Calls: TypeAlias = Mapping[str, Callable[[int], object]]
"""What to time, by name: called with the number of the repetition."""


def schema() -> seg1.ContextSchema:
    """Declare 12 numbers and a category: 32 features, the intercept among them."""
    numeric = {f"number_{i}": (-2.0, 2.0) for i in range(12)}
    return seg1.ContextSchema(numeric=numeric, categorical={"channel": CHANNELS})


def contexts(n: int, *, seed: int = 0) -> list[dict[str, object]]:
    """Make up what is known of n moments."""
    rng = np.random.default_rng(seed)
    numbers = rng.standard_normal((n, 12)).clip(-2, 2).tolist()
    channels = rng.integers(len(CHANNELS), size=n).tolist()
    return [
        {**{f"number_{i}": number for i, number in enumerate(row)}, "channel": CHANNELS[channel]}
        for row, channel in zip(numbers, channels, strict=True)
    ]


def offers(n: int) -> list[seg1.Offer]:
    """Make up offers of 8 features."""
    told = np.random.default_rng(1).standard_normal((n, 8)).tolist()
    return [
        seg1.Offer(f"offer {k}", features={f"f{i}": value for i, value in enumerate(row)})
        for k, row in enumerate(told)
    ]


def trained(
    shown: list[seg1.Offer],
    **parts: Any,  # noqa: ANN401  # of OfferSelector
) -> tuple[seg1.OfferSelector, list[Choice]]:
    """Let a selector choose and learn for 30 days; about one answer in five is yes."""
    selector = seg1.OfferSelector(
        shown,
        context=schema(),
        goal=seg1.Goal.response(),
        no_offer=False,
        seed=3,
        **parts,
    )
    rng = np.random.default_rng(2)
    theta = rng.standard_normal((selector.schema.n_features, len(shown)))
    choices = []
    for k, context in enumerate(contexts(N_TRAINED, seed=4)):
        at_us = NOW_US + 30 * DAY_US * k // N_TRAINED
        choice = selector.choose(context, id=k, at=at_us)
        p = 1.0 / (1.0 + np.exp(1.5 - choice.x @ theta[:, choice.arm]))
        selector.learn(choice, accepted=bool(rng.random() < p), at=at_us)
        choices.append(choice)
    return selector, choices


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the garbage collector out of the figures."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def timed(calls: Calls, *, n: int, before: Callable[[], object] | None = None) -> dict[str, Any]:
    """Call each n times, a block of one after a block of another; tell microseconds.

    Parameters
    ----------
    calls
        What to call.
    n
        How often.
    before
        What to do, untimed, before every single call.
    """
    took: dict[str, list[float]] = {name: [] for name in calls}
    with quiet():
        for begin in range(0, n, BLOCK):
            for name, call in calls.items():
                for k in range(begin, min(begin + BLOCK, n)):
                    if before is not None:
                        before()
                    started = time.perf_counter()
                    call(k)
                    took[name].append((time.perf_counter() - started) * 1e6)
    return {name: _told(us) for name, us in took.items()}


def _told(us: list[float]) -> dict[str, float]:
    """Give the median, and the tenth that is fastest: what others on the machine add least to."""
    tenth = statistics.quantiles(us, n=10)[0]
    return {"median": round(statistics.median(us), 1), "p10": round(tenth, 1)}


def selector_us(n_arms: int, *, n: int, n_cold: int) -> dict[str, dict[str, Any]]:
    """Time `choose` and `learn` among some arms; and `learn` where it begins a day."""
    chosen_by = {
        name: trained(offers(n_arms), explorer=explorer, posterior=posterior())
        for name, (explorer, posterior) in PARTS.items()
    }
    asked = contexts(512, seed=5)
    at_us = NOW_US + 30 * DAY_US - 1
    calls: dict[str, Callable[[int], object]] = {}
    days: dict[str, Callable[[int], object]] = {}
    for name, (selector, choices) in chosen_by.items():
        calls[f"choose {name}"] = _choosing(selector, asked, at_us)
        if name != "inverse_gap":  # it learns as per_offer does
            calls[f"learn {name}"] = _learning(selector, choices[-1000:], at_us)
            days[f"learn {name}"] = _beginning_a_day(selector, asked, at_us)
    waste = np.zeros(50_000_000 // 8)
    timed(calls, n=2 * BLOCK)
    told = {
        "warm": timed(calls, n=n),
        "cold": timed(calls, n=n_cold, before=lambda: np.add(waste, 1.0, out=waste)),
        "first of a day": timed(days, n=20),
    }
    return {state: _by_part(figures) for state, figures in told.items()}


def _by_part(figures: Mapping[str, Any]) -> dict[str, Any]:
    parted: dict[str, Any] = {}
    for name, figure in figures.items():
        call, part = name.split()
        parted.setdefault(call, {})[part] = figure
    return parted


def _choosing(
    selector: seg1.OfferSelector, asked: list[dict[str, object]], at_us: int
) -> Callable[[int], object]:
    return lambda k: selector.choose(asked[k % len(asked)], id=k, at=at_us)


def _learning(
    selector: seg1.OfferSelector, choices: list[Choice], at_us: int
) -> Callable[[int], object]:
    def call(k: int) -> None:
        selector.learn(choices[k % len(choices)], accepted=k % 5 == 0, at=at_us)

    return call


def _beginning_a_day(
    selector: seg1.OfferSelector, asked: list[dict[str, object]], at_us: int
) -> Callable[[int], object]:
    tomorrows = iter(
        [selector.choose(asked[k], id=k, at=at_us + (k + 1) * DAY_US) for k in range(20)]
    )

    def call(_: int) -> None:
        choice = next(tomorrows)
        selector.learn(choice, accepted=True, at=choice.at_us)

    return call


def encode_us(*, n: int) -> dict[str, Any]:
    """Time `ContextSchema.encode`: of 20 features (7 fields), and of 20 fields (46 features)."""
    few = _encoding(seg1.ContextSchema(
        numeric={f"number_{i}": (-2.0, 2.0) for i in range(6)}, categorical={"channel": CHANNELS},
    ))  # fmt: skip
    many = _encoding(seg1.ContextSchema(
        numeric={f"number_{i}": (-2.0, 2.0) for i in range(18)},
        categorical={"channel": CHANNELS, "day": ["week"]},
    ))  # fmt: skip
    return timed({"features_20": few, "fields_20": many}, n=n)


def _encoding(schema: seg1.ContextSchema) -> Callable[[int], NDArray[np.float64]]:
    asked: dict[str, object] = dict.fromkeys(schema.numeric, 0.7)
    asked |= {name: values[0] for name, values in schema.categorical.items()}
    return lambda _: schema.encode(asked)
