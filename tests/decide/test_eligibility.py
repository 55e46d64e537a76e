"""Which offers may be shown, and under whose name the others are refused."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_engine import DAY, T0, decide, decided_rows, engine_of, rows_of, selector_of, state_of

from seg1 import Offer
from seg1._types import Bools, Id
from seg1.decide import Budget, Decision, FrequencyCap, OfferFilter, Personalizer, Request
from seg1.decide.eligibility import (
    PlacementFilter,
    StaticRules,
    ValidityFilter,
    check_filter,
    eligible_offers,
)
from seg1.errors import InvalidTypeError, PluginError


@dataclass
class Answering:
    """A filter that answers with what it is given, or raises it."""

    answer: object
    name: str = "answering"

    def allow(self, request: Request, offers: Sequence[Offer]) -> Bools:  # noqa: ARG002
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[return-value]  # that is what is tested


def request_of(*, at: int = T0, placement: str = "app") -> Request:
    return Request(customer=1, placement=placement, at_us=at)


def always(answer: object) -> object:
    def audience(customer: Id, context: Mapping[str, object]) -> object:  # noqa: ARG001
        return answer

    return audience


def test_an_offer_is_valid_from_its_first_moment_up_to_its_last() -> None:
    offers = [Offer("tea", valid_from=10, valid_until=20)]

    allowed = [
        eligible_offers(request_of(at=at), offers, [ValidityFilter()]).allowed.tolist()
        for at in (9, 10, 19, 20)
    ]

    assert allowed == [[False], [True], [True], [False]]


def test_an_offer_stands_in_its_placements_only() -> None:
    offers = [Offer("tea", placements=["app", "till"]), Offer("cake")]

    eligibility = eligible_offers(request_of(placement="web"), offers, [PlacementFilter()])

    assert eligibility.allowed.tolist() == [False, True]
    assert eligibility.refused == {"placement": ("tea",)}


@given(st.integers(0, 40), st.sampled_from(["app", "till", "web", ""]))
def test_rules_worked_out_before_say_what_asking_them_says(at: int, placement: str) -> None:
    request = request_of(at=at, placement=placement)

    known = RULES.of(request)

    asked = eligible_offers(request, DATED, [ValidityFilter(), PlacementFilter()])
    assert known.allowed.tolist() == asked.allowed.tolist()
    assert known.refused == asked.refused


DATED = (
    Offer("a", valid_from=10, valid_until=20, placements=["app"]),
    Offer("b", valid_from=20), Offer("c", valid_until=20, placements=["till", "app"]), Offer("d"),
)  # fmt: skip
RULES = StaticRules(DATED)


def test_rules_are_kept_once_for_all_placements_that_no_offer_names() -> None:
    rules = StaticRules(DATED)

    for n in range(100):
        rules.of(request_of(at=5, placement=f"page-{n}"))

    assert len(rules._known) == 1


def test_each_refusal_is_told_under_the_rule_that_came_first() -> None:
    offers = [
        Offer("early", valid_from=T0 + 1), Offer("elsewhere", placements=["till"]),
        Offer("personal", audience=lambda *_: False), Offer("own"), Offer("gone", stock=0),
        Offer("dear", cost=9.0), Offer("early too", valid_from=T0 + 1, stock=0), Offer("tea"),
    ]  # fmt: skip
    own = Answering(np.array([offer.id != "own" for offer in offers]), "own rule")
    engine = engine_of(offers, filters=[own, Budget(5.0)])

    decision = decide(engine)

    assert decision.refused == {
        "validity": ("early", "early too"), "placement": ("elsewhere",),
        "audience": ("personal",), "own rule": ("own",), "stock": ("gone",), "budget": ("dear",),
    }  # fmt: skip


@pytest.mark.parametrize(
    "offer",
    [
        Offer("no", valid_from=T0 + 1),
        Offer("no", valid_until=T0),
        Offer("no", placements=["till"]),
        Offer("no", stock=0),
        Offer("no", cost=9.0),
        Offer("no", audience=lambda *_: False),
        Offer("no", group="blocked"),
    ],
)
def test_an_ineligible_offer_has_probability_0_and_is_never_shown(offer: Offer) -> None:
    blocked = Answering(np.array([offer.group != "blocked", True]))
    engine = engine_of([offer, Offer("tea")], filters=[blocked, Budget(5.0)])

    decisions = [decide(engine, n, key=f"visit-{n}") for n in range(150)]

    assert {d.offer for d in decisions} <= {"tea", None}
    assert all("no" in [i for ids in d.refused.values() for i in ids] for d in decisions)
    eligible = np.array([np.unpackbits(np.frombuffer(r.eligible, np.uint8), count=3)
                         for r in decided_rows(engine)])  # fmt: skip
    assert not eligible[:, 0].any()
    # What is left shares the whole probability: nothing of it went to the blocked arm.
    first, *_ = decisions
    other = next(d for d in decisions if d.offer != first.offer)
    assert first.action_prob + other.action_prob == pytest.approx(1.0, abs=1e-12)


def test_a_capped_customer_gets_no_offer_and_others_do() -> None:
    engine = engine_of([Offer("tea")], selector=selector_of([Offer("tea")], no_offer=False),
                       filters=[FrequencyCap(2, days=7)])  # fmt: skip

    shown = [decide(engine, 1, at=T0 + n) for n in range(3)]

    assert [d.offer for d in shown] == ["tea", "tea", None]
    assert (shown[2].mode, shown[2].action_prob) == ("none", 1.0)
    assert shown[2].refused == {"at most 2 in 7 days": ("tea",)}
    assert decide(engine, 2, at=T0 + 3).offer == "tea"
    assert decide(engine, 1, at=T0 + 7 * DAY + 1).offer == "tea"


def test_of_two_caps_and_two_budgets_each_one_counts() -> None:
    offers = [Offer("dear", cost=9.0), Offer("tea", cost=1.0)]
    budgets = [Budget(5.0), Budget(100.0)]
    caps = [FrequencyCap(1, days=1.0000001), FrequencyCap(1, days=1.0)]
    engine = engine_of(offers, selector=selector_of(offers, no_offer=False),
                       filters=[*budgets, *caps])  # fmt: skip

    first, second = decide(engine), decide(engine, at=T0 + 1)

    assert first.refused == {"budget": ("dear",)}
    assert second.refused["at most 1 in 1 days"] == ("tea",)


@pytest.mark.parametrize("answer", [True, 1, "yes", None, np.True_])
def test_only_a_true_audience_admits(answer: object) -> None:
    engine = engine_of([Offer("tea", audience=always(answer)), Offer("cake")])  # type: ignore[arg-type]  # a rule may answer anything

    decision = decide(engine)

    is_true = answer is True or answer is np.True_
    assert ("audience" not in decision.refused) == is_true


def test_an_audience_that_fails_refuses_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    engine = engine_of([Offer("tea", audience=lambda _, context: bool(context["moon"])),
                        Offer("cake")])  # fmt: skip

    with caplog.at_level(logging.WARNING):
        assert decide(engine).refused == {"audience": ("tea",)}
    assert "the audience of offer 'tea' failed (KeyError): it is not shown" in caplog.text
    assert "moon" not in caplog.text


WRONG = [
    np.ones(2, np.bool_), np.ones((3, 1), np.bool_), np.ones(3), np.ones(3, np.int8), None, True,
    [True, True, True], np.array([True, True, None]),
]  # fmt: skip


@pytest.mark.parametrize("answer", WRONG)
def test_an_answer_of_the_wrong_form_names_the_filter_and_nothing_is_written(
    answer: object,
) -> None:
    engine = engine_of(filters=[Answering(answer, "too short")])
    before = rows_of(engine)

    with pytest.raises(PluginError, match=r"offer filter 'too short' .* of shape \(3,\)"):
        decide(engine)

    assert rows_of(engine) == before
    assert state_of(engine).counters.held == (0, 0, 0)
    assert not engine._core.lock.locked()


def test_a_filter_that_raises_refuses_everything_under_its_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = Answering(KeyError("canary-customer"), "broken rule")
    engine = engine_of(filters=[broken])

    with caplog.at_level(logging.WARNING):
        decision = decide(engine)

    assert (decision.mode, decision.offer) == ("none", None)
    assert decision.refused == {"broken rule": ("tea", "cake", "wine")}
    assert "'broken rule' failed (KeyError)" in caplog.text
    assert "canary" not in caplog.text


def test_a_filter_cannot_change_what_the_model_and_other_filters_see() -> None:
    class Writing:
        name = "writing"

        def allow(self, request: Request, offers: Sequence[Offer]) -> Bools:
            request.context["hour"] = 23.0  # type: ignore[index]  # that is what is tested
            return np.ones(len(offers), np.bool_)

    engine = engine_of(filters=[Writing()])

    decision = decide(engine)

    assert decision.refused == {"writing": ("tea", "cake", "wine")}


def test_what_a_filter_answered_stays_its_own() -> None:
    answer = np.array([True, False, True])
    engine = engine_of(filters=[Answering(answer), FrequencyCap(1, days=1)])

    for n in range(3):
        decide(engine, 1, at=T0 + n)

    assert answer.tolist() == [True, False, True]


class Nameless:
    def allow(self, request: Request, offers: Sequence[Offer]) -> Bools:  # noqa: ARG002
        return np.ones(len(offers), np.bool_)


@pytest.mark.parametrize(
    "no_filter", [None, "validity", Nameless(), Answering, lambda *_: None, 3, Answering(0, "")]
)
def test_what_is_no_filter_is_refused_when_the_engine_opens(no_filter: OfferFilter) -> None:
    with pytest.raises(InvalidTypeError, match="filter"):
        engine_of(filters=[no_filter])


def test_a_filter_needs_nothing_of_ours() -> None:
    answering = Answering(np.ones(3, np.bool_))

    assert check_filter(answering) is answering
    assert isinstance(decide(engine_of(filters=[answering])), Decision)
    assert isinstance(engine_of(filters=(f for f in [answering])), Personalizer)  # type: ignore[arg-type]  # once through is enough


@pytest.mark.parametrize(
    ("placement", "near"),
    [("app-hmoe", "app-home"), ("newsleter", "newsletter"), ("till", None), ("app-home", None)],
)
def test_a_placement_that_is_nearly_a_known_one_is_logged_once(
    placement: str, near: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    rules = StaticRules(
        [Offer("tea", placements=["app-home"]), Offer("cake")], declared=["newsletter"]
    )

    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            rules.of(request_of(placement=placement))

    told = [record.getMessage() for record in caplog.records]
    assert len(told) == (near is not None)
    assert all(f"{placement!r} is not declared, and {near!r} is" in line for line in told)


def test_no_more_than_a_thousand_placements_are_looked_at(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rules = StaticRules([Offer("tea", placements=["app-home"])])
    for number in range(1_000):
        rules.of(request_of(placement=str(number)))

    with caplog.at_level(logging.WARNING):
        rules.of(request_of(placement="app-hmoe"))

    assert not caplog.records
