"""Plain words for every reason, and the starting points per law."""

from collections.abc import Callable
from typing import Any

import pytest

from seg1.consent import (
    STAGES,
    Consent,
    ConsentLedger,
    ConsentNotNeeded,
    Reason,
    Verdict,
    explain,
    profiles,
    vectorise,
)
from seg1.errors import InvalidTypeError


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_explained_and_every_refusal_says_what_to_do(reason: Reason) -> None:
    told = explain(Verdict(0, reason))

    assert told.startswith("not allowed: ")
    is_never_a_refusal = reason in (Reason.GRANTED, Reason.NOT_NEEDED, Reason.OWN_RIGHT)
    assert ("(" in told) is not is_never_a_refusal
    assert explain(Verdict(1, reason)) == told.removeprefix("not ").split(" (")[0]


def test_permits_are_explained_stage_by_stage() -> None:
    ledger = ConsentLedger()
    ledger.grant("ana", ["offers"], at=0, until=9)
    permits = Consent.for_purposes(ledger, train="a", decide="offers", measure="m").ask("ana", 5)

    lines = explain(permits).splitlines()

    assert [line.split(":")[0] for line in lines] == list(STAGES)
    assert lines[4] == "decide: allowed: the customer has granted it"
    assert lines[1].startswith("train: not allowed: the customer has said nothing about it (")
    assert "not needed" in explain(ConsentNotNeeded("synthetic").ask("ana", 5))


@pytest.mark.parametrize("answer", [None, True, Reason.GRANTED, (1, (), 0)])
def test_what_is_no_answer_is_not_explained(answer: Any) -> None:  # noqa: ANN401  # the point
    with pytest.raises(InvalidTypeError, match="explain takes a Verdict or the Permits"):
        explain(answer)


PURPOSES: dict[str, Any] = {"train": "profiling", "decide": "offers", "measure": "measurement"}
PROFILES: list[tuple[Callable[..., Consent], float]] = [
    (profiles.gdpr, 16), (profiles.ccpa, 16), (profiles.pipl, 14),
]  # fmt: skip


@pytest.mark.parametrize(("profile", "years"), PROFILES)
def test_a_profile_permits_what_was_granted_by_who_is_old_enough(
    profile: Callable[..., Consent], years: float
) -> None:
    ledger = ConsentLedger()
    for who in ("grown", "child", "unknown", "signals"):
        ledger.grant(who, ["profiling", "offers", "measurement"], at=0, until=9)
    consent = profile(
        ledger, **PURPOSES,
        ages={"grown": years, "child": years - 1, "signals": 40, "silent": 40},
        signals=[vectorise(lambda who, _: -1 if who == "signals" else 1, name="signal")],
    )  # fmt: skip

    allowed = {
        who: consent.ask(who, at=5).allows("decide")
        for who in ("grown", "child", "unknown", "signals", "silent")
    }

    assert [who for who, is_allowed in allowed.items() if is_allowed] == ["grown"]
    assert consent.ask("child", at=5).allows("export")


@pytest.mark.parametrize(("profile", "years"), PROFILES)
def test_a_profile_without_ages_asks_for_none(
    profile: Callable[..., Consent],
    years: float,  # noqa: ARG001  # of the same table
) -> None:
    ledger = ConsentLedger()
    ledger.grant("ana", ["offers"], at=0, until=9)

    permits = profile(ledger, **PURPOSES, ages=None, signals=()).ask("ana", at=5)

    assert permits.allows("decide")
    assert not permits.allows("train")


def test_the_least_age_can_be_set() -> None:
    ledger = ConsentLedger()
    ledger.grant("ana", ["offers"], at=0, until=9)

    consent = profiles.gdpr(ledger, **PURPOSES, ages={"ana": 13}, minimum_age=13)

    assert consent.ask("ana", at=5).allows("decide")
