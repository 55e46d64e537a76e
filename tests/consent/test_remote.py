"""A filter asked over a wire: in time or unknown, few calls at a time, a breaker with a probe."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from seg1._types import Int8s
from seg1.consent import (
    Ask,
    Consent,
    ConsentFilter,
    ConsentLedger,
    Customers,
    Reason,
    Remote,
    Verdict,
    all_of,
    any_of,
    vectorise,
)
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.testing import check_consent_filter

ASK = Ask(purpose="offers", stage="decide", at_us=5)
ANA = Customers.of("ana")
MINUTE_MS = 60_000
LATE = Verdict(0, Reason.NO_ANSWER_IN_TIME)
FAILED = Verdict(0, Reason.FILTER_FAILED)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Source:
    """Does what the test says next; permits where that returns."""

    name = "source"

    def __init__(self) -> None:
        self.does: Callable[[], object] = lambda: None
        self.n_asked = 0

    def check(self, customers: Customers, ask: Ask) -> Int8s:  # noqa: ARG002  # the contract's
        self.n_asked += 1
        answer = self.does()
        return answer if answer is not None else np.ones(len(customers), np.int8)  # type: ignore[return-value]  # wrong on purpose at times


def fail() -> None:
    raise KeyError("canary")


def remote_of(source: ConsentFilter, clock: Clock | None = None, **options: Any) -> Remote:  # noqa: ANN401  # as Remote takes them
    options = {"timeout_ms": MINUTE_MS, "n_failures": 2, "pause_s": 10} | options
    return Remote(source, clock=clock or Clock(), **options)


def one(remote: Remote) -> Verdict:
    return remote.check(ANA, ASK).one(0)


def test_an_answer_in_time_is_the_answer() -> None:
    ledger = ConsentLedger()
    ledger.grant("ana", ["offers"], at=0, until=9)
    ledger.object("bo", at=0)
    remote = remote_of(ledger)

    check_consent_filter(remote, Customers.of("ana", "bo", "cy"), ASK)

    assert remote.check(Customers.of("bo"), ASK).one(0).reason == Reason.OBJECTED
    assert remote.ask_one("ana", ASK).allowed
    assert (remote.name, repr(remote)) == ("remote(ledger)", "Remote(ledger, 60000 ms)")
    remote.close()


def test_a_filter_that_answers_for_one_is_asked_for_one() -> None:
    remote = remote_of(vectorise(lambda who, _: 1 if who == "ana" else -1, name="one"))

    assert remote.ask_one("ana", ASK) == Verdict(1, Reason.BY_FILTER)
    assert remote.ask_one("bo", ASK) == Verdict(-1, Reason.BY_FILTER)
    remote.close()


def test_what_is_late_is_unknown_and_its_answer_is_thrown_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source, may_answer, has_answered = Source(), threading.Event(), threading.Event()

    def hold() -> None:
        may_answer.wait()
        has_answered.set()

    source.does = hold
    remote = remote_of(source, timeout_ms=1, n_threads=1, n_failures=9)

    first = one(remote)
    second = one(remote)
    may_answer.set()
    has_answered.wait()

    assert (first, second) == (LATE, LATE)
    assert source.n_asked == 1  # nothing waits for a thread
    assert "gave no answer in time" in caplog.text
    remote.close()


@pytest.mark.parametrize("does", [fail, lambda: np.ones(5, np.int8), lambda: True, lambda: 1 / 0])
def test_what_fails_or_has_a_wrong_form_is_unknown(
    does: Callable[[], object], caplog: pytest.LogCaptureFixture
) -> None:
    source = Source()
    source.does = does
    with caplog.at_level(logging.DEBUG):
        remote = remote_of(source)

        assert one(remote) == FAILED

    assert "canary" not in caplog.text
    assert "consent filter remote(source) failed" in caplog.text
    remote.close()


def test_a_timeout_of_the_source_itself_is_a_failure() -> None:
    def give_up() -> None:
        raise TimeoutError

    source = Source()
    source.does = give_up
    remote = remote_of(source)

    assert one(remote) == FAILED
    remote.close()


def test_threads_are_started_up_to_a_number_and_end_with_the_remote() -> None:
    before = set(threading.enumerate())
    remote = remote_of(Source(), n_threads=2, timeout_ms=MINUTE_MS, pause_s=0.5)

    for _ in range(5):
        one(remote)
    started = set(threading.enumerate()) - before
    remote.close()
    for thread in started:
        thread.join(60)

    assert [thread.name for thread in started] == ["seg1 consent"] * 2
    assert all(thread.daemon for thread in started)
    assert not any(thread.is_alive() for thread in started)


def test_what_answers_for_one_is_not_asked_for_many() -> None:
    class One(Source):
        def ask_one(self, customer: str, ask: Ask) -> int:  # noqa: ARG002  # the contract's
            return 1

    source = One()
    remote = remote_of(source)

    assert (remote.ask_one("ana", ASK).allowed, source.n_asked) == (True, 0)
    remote.close()


def test_the_words_that_an_answer_depends_on_are_those_of_the_source() -> None:
    class Alike(Source):
        depends_on = ("purpose",)

    remotes = [remote_of(source) for source in (Alike(), Source())]

    assert [remote.depends_on for remote in remotes] == [{"purpose"}, {"purpose", "stage"}]
    assert not any(remote.may_veto for remote in remotes)


def test_the_log_says_what_is_wrong_about_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    source = Source()
    source.does = lambda: np.zeros(2, np.int8)
    remote = remote_of(source)

    one(remote)

    assert "values must be a plain int8 array of shape (1,)" in caplog.text
    remote.close()


def test_after_failures_nothing_is_asked_until_a_probe_succeeds() -> None:
    source, clock = Source(), Clock()
    remote = remote_of(source, clock)
    source.does = fail

    told = [one(remote) for _ in range(4)]
    clock.now_s += 9.9
    told.append(one(remote))
    assert (told, source.n_asked) == ([FAILED, FAILED, LATE, LATE, LATE], 2)

    clock.now_s += 0.1
    told = [one(remote), one(remote)]  # the probe fails: the pause begins anew
    assert (told, source.n_asked) == ([FAILED, LATE], 3)

    clock.now_s += 10
    source.does = lambda: None
    assert one(remote).allowed
    source.does = fail
    assert [one(remote) for _ in range(3)] == [FAILED, FAILED, LATE]
    remote.close()


def test_a_success_between_failures_starts_the_count_anew() -> None:
    source = Source()
    remote = remote_of(source)

    for does in (fail, lambda: None, fail, lambda: None):
        source.does = does
        one(remote)

    assert one(remote).allowed
    remote.close()


def test_one_call_alone_probes() -> None:
    source, clock = Source(), Clock()
    remote = remote_of(source, clock, n_failures=1)
    source.does = fail
    one(remote)
    clock.now_s += 10
    is_inside, may_answer = threading.Event(), threading.Event()

    def hold() -> None:
        is_inside.set()
        may_answer.wait()

    source.does = hold
    told: list[Verdict] = []
    probe = threading.Thread(target=lambda: told.append(one(remote)))
    probe.start()
    is_inside.wait()
    meanwhile = one(remote)
    may_answer.set()
    probe.join()

    assert meanwhile == LATE
    assert told[0].allowed
    remote.close()


def test_a_probe_that_finds_no_thread_leaves_the_way_to_the_next() -> None:
    source, clock, may_answer = Source(), Clock(), threading.Event()
    source.does = may_answer.wait
    remote = remote_of(source, clock, timeout_ms=1, n_threads=1, n_failures=1)
    one(remote)
    clock.now_s += 10

    assert [one(remote), remote._breaker.lets_through()] == [LATE, True]
    may_answer.set()
    remote.close()


def test_a_source_that_stops_the_process_is_not_held_up() -> None:
    def leave() -> None:
        raise SystemExit

    source = Source()
    source.does = leave
    remote = remote_of(source, n_failures=1)

    with pytest.raises(SystemExit):
        one(remote)
    assert one(remote) == LATE
    remote.close()


def test_a_closed_remote_answers_unknown() -> None:
    remote = remote_of(Source())
    assert one(remote).allowed

    remote.close()

    assert one(remote) == LATE


def test_a_remote_ledger_that_does_not_answer_closes_what_stands_beside_it() -> None:
    ledger, clock = ConsentLedger(), Clock()
    remote = remote_of(ledger, clock)
    beside = vectorise(lambda _, __: 1, name="beside")
    consent = Consent({("offers", "decide"): any_of(beside, remote)})
    before = consent.ask("ana", at=5)

    remote.close()

    after = consent.ask("ana", at=5)
    assert (before.allows("decide"), after.allows("decide")) == (True, False)
    assert after.reason("decide") == Reason.NO_ANSWER_IN_TIME
    assert consent.check(ANA, stage="decide", at_us=5).one(0) == LATE


def test_an_objection_in_a_remote_ledger_is_a_veto() -> None:
    ledger = ConsentLedger()
    ledger.object("ana", at=0)
    remote = remote_of(ledger)
    beside = vectorise(lambda _, __: 1, name="beside")
    consent = Consent({("offers", "decide"): any_of(beside, remote)})

    assert consent.ask("ana", at=5).reason("decide") == Reason.OBJECTED
    remote.close()


@pytest.mark.parametrize(
    ("source", "options", "error", "words"),
    [
        (None, {}, InvalidTypeError, "Remote takes filters"),
        (all_of(Source()), {}, InvalidTypeError, "Remote goes around one filter"),
        (Source(), {"timeout_ms": 0}, InvalidArgumentError, "timeout_ms must be"),
        (Source(), {"n_threads": 0}, InvalidArgumentError, "n_threads must be an int >= 1"),
        (Source(), {"n_failures": 0}, InvalidArgumentError, "n_failures must be an int >= 1"),
        (Source(), {"pause_s": 0}, InvalidArgumentError, "pause_s must be"),
    ],
)
def test_a_remote_that_means_nothing_is_refused(
    source: Any,  # noqa: ANN401  # the point
    options: dict[str, Any],
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        remote_of(source, **options)


def test_many_threads_may_ask_at_once() -> None:
    ledger = ConsentLedger()
    for who in range(8):
        ledger.grant(who, ["offers"], at=0, until=9)
    remote = remote_of(ledger, n_threads=8)
    wrong: list[list[int]] = []

    def live(who: int) -> None:
        answers = [remote.check(Customers.of(who, 99), ASK).values.tolist() for _ in range(20)]
        wrong.extend(answer for answer in answers if answer != [1, 0])

    threads = [threading.Thread(target=live, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong
    remote.close()
