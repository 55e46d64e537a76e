"""`Remote`: a filter that is asked over a wire, under a time limit and behind a breaker."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from seg1._checks import check_int, check_number
from seg1._types import Id
from seg1.consent.codes import as_code, verdict_of
from seg1.consent.filters import Composed, ConsentFilter, check_filters
from seg1.consent.scalar import EVERY_WORD, checked_words
from seg1.consent.verdicts import UNKNOWN, Ask, Customers, Reason, Verdict, Verdicts, as_verdicts
from seg1.errors import InvalidTypeError, PluginError

__all__ = ["Remote"]

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")
_LATE = Verdict(UNKNOWN, Reason.NO_ANSWER_IN_TIME)
_FAILED = Verdict(UNKNOWN, Reason.FILTER_FAILED)


class Remote:
    """A filter that another system answers: what is no answer in time is UNKNOWN.

    Calls run in a few threads. When all are taken, or after several failures in a row, nothing is
    asked and nobody waits: the answer is UNKNOWN at once. After a pause one call is let through as
    a probe; if it succeeds, all are asked again. An answer that comes late is thrown away.

    Parameters
    ----------
    source
        The filter. It is called from other threads, several at a time.
    timeout_ms
        How long a call may take.
    n_threads
        How many calls may run at a time, those included that nobody waits for any more.
    n_failures
        After how many failures in a row nothing is asked: late, raising, or in a wrong form.
    pause_s
        For how long.
    clock
        Seconds that only grow. A time limit is the one thing here that no ``at=`` can give.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        For numbers that mean nothing, or something that is no filter.

    Examples
    --------
    >>> from seg1 import ConsentLedger
    >>> ledger = ConsentLedger()
    >>> ledger.grant("ana", ["offers"], at=0, until=9)
    >>> remote = Remote(ledger, timeout_ms=10_000)
    >>> remote.check(Customers.of("ana", "bo"), Ask("offers", "decide", 5)).values
    array([1, 0], dtype=int8)
    >>> remote.close()
    """

    def __init__(
        self,
        source: ConsentFilter,
        *,
        timeout_ms: float,
        n_threads: int = 4,
        n_failures: int = 5,
        pause_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        check_filters("Remote", (source,))
        if isinstance(source, Composed):
            # From outside it, a veto within a composition could not be seen.
            raise InvalidTypeError(
                "Remote goes around one filter: write all_of(Remote(a, ...), Remote(b, ...))"
            )
        self._source = source
        self._timeout_s = check_number(timeout_ms, name="timeout_ms", above=0) / 1_000
        self._threads = _Threads(check_int(n_threads, name="n_threads", low=1))
        self._breaker = _Breaker(
            n_failures=check_int(n_failures, name="n_failures", low=1),
            pause_s=check_number(pause_s, name="pause_s", above=0),
            clock=clock,
        )
        self._ask_one = getattr(source, "ask_one", None)
        self.depends_on = checked_words(getattr(source, "depends_on", EVERY_WORD))
        self.may_veto = getattr(source, "may_veto", False) is True

    @property
    def name(self) -> str:
        """Name of the filter, for reports."""
        return f"remote({self._source.name})"

    def __repr__(self) -> str:
        return f"Remote({self._source.name}, {self._timeout_s * 1_000:g} ms)"

    def check(self, customers: Customers, ask: Ask) -> Verdicts:
        """Answer for many customers: all in time, or all unknown."""
        n = len(customers)
        answer = self._call(lambda: as_verdicts(self._source.check(customers, ask), n=n))
        if isinstance(answer, Verdict):
            return Verdicts.uniform(answer.value, answer.reason, n=n)
        return answer

    def ask_one(self, customer: Id, ask: Ask) -> Verdict:
        """Answer for one customer."""
        if self._ask_one is None:
            return self.check(Customers.of(customer), ask).one(0)
        one = self._ask_one
        return self._call(lambda: verdict_of(as_code(one(customer, ask))))

    def close(self) -> None:
        """Let the threads end when their calls do; then every answer is unknown."""
        self._threads.close()

    def _call(self, work: Callable[[], _Answer]) -> _Answer | Verdict:
        if not self._breaker.lets_through():
            return _LATE
        future = self._threads.run(work)
        if future is None:
            self._breaker.was_not_asked()
            return _LATE
        try:
            answer = future.result(self._timeout_s)
        except BaseException as error:
            self._breaker.failed()
            if not isinstance(error, Exception):
                raise
            # Only the limit of this call, not a TimeoutError of the source: that one is done.
            is_late = isinstance(error, TimeoutError) and not future.done()
            log.warning(
                "consent filter %s %s",
                self.name, "gave no answer in time" if is_late else f"failed ({_told(error)})",
            )  # fmt: skip
            return _LATE if is_late else _FAILED
        self._breaker.succeeded()
        return answer


class _Breaker:
    """Counts failures in a row; decides whether a call may be made."""

    def __init__(self, *, n_failures: int, pause_s: float, clock: Callable[[], float]) -> None:
        self._n_failures = n_failures
        self._pause_s = pause_s
        self._clock = clock
        self._lock = threading.Lock()
        self._n_failed = 0
        self._until = 0.0
        self._is_probing = False

    def lets_through(self) -> bool:
        with self._lock:
            if self._n_failed < self._n_failures:
                return True
            if self._is_probing or self._clock() < self._until:
                return False
            self._is_probing = True
            return True

    def was_not_asked(self) -> None:
        with self._lock:
            self._is_probing = False

    def succeeded(self) -> None:
        with self._lock:
            self._n_failed, self._is_probing = 0, False

    def failed(self) -> None:
        with self._lock:
            self._n_failed, self._is_probing = self._n_failed + 1, False
            self._until = self._clock() + self._pause_s


class _Threads:
    """A few threads, and never more calls than threads: nothing waits in a queue."""

    def __init__(self, n_threads: int) -> None:
        self._n_threads = n_threads
        self._free = threading.Semaphore(n_threads)
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._n_started = 0
        self._is_closed = False

    def run(self, work: Callable[[], _Answer]) -> "Future[_Answer] | None":
        """Start a call, or give None where every thread is taken."""
        if not self._free.acquire(blocking=False):
            return None
        future: Future[_Answer] = Future()

        def call() -> None:
            # The thread is given free first: who has the answer may ask again at once.
            try:
                answer = work()
            except BaseException as error:  # noqa: BLE001  # handed to the caller
                self._free.release()
                future.set_exception(error)
            else:
                self._free.release()
                future.set_result(answer)

        with self._lock:
            if self._is_closed:
                return None
            if self._n_started < self._n_threads:
                self._n_started += 1
                # Daemons: a call that hangs must not keep the process from ending.
                threading.Thread(target=self._serve, name="seg1 consent", daemon=True).start()
            self._calls.put(call)
        return future

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            for _ in range(self._n_started):
                self._calls.put(None)

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            call()


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, PluginError) else type(error).__name__
