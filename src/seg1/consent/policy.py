"""`Consent`: which filter answers for which purpose at which step of the path."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from seg1._checks import check_choice, to_us
from seg1._types import At, Id
from seg1.consent.filters import ConsentFilter, all_of, guarded_check
from seg1.consent.ledger import ConsentLedger
from seg1.consent.verdicts import (
    ALLOW,
    UNKNOWN,
    Ask,
    Customers,
    Reason,
    Verdict,
    Verdicts,
    meet,
)
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.events.vocabulary import as_id

__all__ = ["STAGES", "Consent", "ConsentDoor", "ConsentNotNeeded", "Permits", "check_consent"]

log = logging.getLogger(__name__)

STAGES: Final = (
    "ingest", "train", "candidates", "features", "decide", "log", "measure", "export",
)  # fmt: skip
_DECIDE_STAGES = ("candidates", "features", "decide", "log")


@dataclass(frozen=True, slots=True)
class Permits:
    """What one customer permits at one moment, all steps at once.

    Attributes
    ----------
    bits
        Bit i is set where step ``STAGES[i]`` is permitted.
    reasons
        One per step, in the order of `STAGES`.
    epoch
        Version of the consent state that was read.
    """

    bits: int
    reasons: tuple[Reason, ...]
    epoch: int

    def allows(self, stage: str) -> bool:
        """Whether a step is permitted."""
        check_choice(stage, name="stage", choices=STAGES)
        return bool(self.bits >> STAGES.index(stage) & 1)

    def reason(self, stage: str) -> Reason:
        """Why a step is permitted, or is not."""
        check_choice(stage, name="stage", choices=STAGES)
        return self.reasons[STAGES.index(stage)]


class Consent:
    """A policy: for each (purpose, stage) the filter that answers.

    A stage that the policy does not name is denied. Where it names several purposes for one stage,
    all of them must permit it.

    Parameters
    ----------
    policy
        ``{(purpose, stage): filter}``; stages are those of `seg1.consent.STAGES`.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        For an unknown stage, an empty purpose, or something that is no filter.

    Examples
    --------
    >>> from seg1 import Consent, ConsentLedger
    >>> ledger = ConsentLedger()
    >>> ledger.grant("ana", ["profiling"], at=0, until=10)
    >>> consent = Consent.for_purposes(
    ...     ledger, train="profiling", decide="offers", measure="measurement")
    >>> permits = consent.ask("ana", at=5)
    >>> permits.allows("train"), permits.allows("decide")
    (True, False)
    >>> permits.reason("decide").words
    'no record'
    """

    def __init__(self, policy: Mapping[tuple[str, str], ConsentFilter]) -> None:
        if not isinstance(policy, Mapping):
            raise InvalidTypeError(
                "a policy is a mapping of (purpose, stage) to a filter; for a ledger write "
                "Consent.for_purposes(ledger, train=..., decide=..., measure=...)"
            )
        for key, consent_filter in policy.items():
            if not isinstance(key, tuple) or len(key) != 2:  # noqa: PLR2004  # a pair
                raise InvalidTypeError(
                    f"keys of a policy are (purpose, stage), got a {type(key).__name__}"
                )
            purpose, stage = key
            check_choice(stage, name="stage", choices=STAGES)
            if not isinstance(purpose, str) or not purpose:
                raise InvalidArgumentError(
                    f"the purpose of stage {stage!r} must be a non-empty str"
                )
            all_of(consent_filter)  # refuses what is no filter
        self._policy = MappingProxyType(dict(policy))
        self._of_stage = {
            stage: tuple((p, f) for (p, s), f in policy.items() if s == stage) for stage in STAGES
        }
        # A ledger answers alike at all stages: asked once a purpose, it is quick for one customer.
        self._is_of_ledgers = all(isinstance(f, ConsentLedger | _OwnRight) for f in policy.values())

    @classmethod
    def for_purposes(
        cls, source: ConsentFilter, *, train: str, decide: str, measure: str
    ) -> "Consent":
        """Spread three purposes over the path.

        Parameters
        ----------
        source
            The filter that knows who permits which purpose, usually a `ConsentLedger`.
        train
            Purpose under which data may be taken in and learned from: stages ingest, train.
        decide
            Purpose under which a customer may be decided for: candidates, features, decide, log.
        measure
            Purpose under which the effect on a customer may be measured: measure.

        Returns
        -------
        Consent
            Also permits export to everybody: it is the customer's own right.
        """
        if not all(isinstance(purpose, str) for purpose in (train, decide, measure)):
            raise InvalidTypeError("train, decide and measure each name one purpose, a str")
        policy: dict[tuple[str, str], ConsentFilter] = {
            (train, "ingest"): source,
            (train, "train"): source,
            (measure, "measure"): source,
            ("own right", "export"): _OwnRight(),
        }
        policy.update({(decide, stage): source for stage in _DECIDE_STAGES})
        return cls(policy)

    def __repr__(self) -> str:
        return f"Consent({len(self._policy)} rules)"

    def check(self, customers: Customers, *, stage: str, at_us: int) -> Verdicts:
        """Answer for many customers and one stage.

        Parameters
        ----------
        customers
            Whom it is about, n of them.
        stage
            One of `seg1.consent.STAGES`.
        at_us
            The moment, microseconds UTC.

        Returns
        -------
        Verdicts
            n answers, in order.
        """
        check_choice(stage, name="stage", choices=STAGES)
        rules = self._of_stage[stage]
        if not rules:
            return Verdicts.uniform(UNKNOWN, Reason.NO_POLICY, n=len(customers))
        return meet(
            [
                guarded_check(f, customers, Ask(purpose=purpose, stage=stage, at_us=at_us))
                for purpose, f in rules
            ]
        )

    def ask(self, customer: Id, at: At) -> Permits:
        """Answer for one customer and every stage.

        Parameters
        ----------
        customer
            The customer.
        at
            The moment.
        """
        return (
            self._ask_ledgers(customer, at) if self._is_of_ledgers else _ask_all(self, customer, at)
        )

    def _ask_ledgers(self, customer: Id, at: At) -> Permits:
        at_us, customer = to_us(at), as_id(customer)
        known: dict[tuple[int, str], tuple[Verdict, int]] = {}
        bits, epoch, reasons = 0, 0, []
        for bit, stage in enumerate(STAGES):
            lowest = _NO_POLICY
            for place, (purpose, source) in enumerate(self._of_stage[stage]):
                key = (id(source), purpose)
                if key not in known:
                    known[key] = _ask_one(source, customer, purpose, at_us=at_us)
                verdict, of = known[key]
                epoch += of
                if not place or verdict.value < lowest.value:
                    lowest = verdict
            bits |= lowest.allowed << bit
            reasons.append(lowest.reason)
        return Permits(bits, tuple(reasons), epoch)

    def withdraw(self, customer: Id, *, at: At) -> None:
        """Record in every ledger of the policy that a customer withdraws everything.

        Raises
        ------
        InvalidTypeError
            Where the policy has no ledger: then its own source must record the withdrawal.
        """
        ledgers = {id(f): f for f in self._policy.values() if isinstance(f, ConsentLedger)}
        if not ledgers:
            raise InvalidTypeError(
                "the policy has no ConsentLedger to record a withdrawal in: record it in its source"
            )
        for ledger in ledgers.values():
            ledger.withdraw(customer, at=at)

    def purposes(self, stage: str) -> tuple[str, ...]:
        """Name the purposes that must permit a stage."""
        check_choice(stage, name="stage", choices=STAGES)
        return tuple(purpose for purpose, _ in self._of_stage[stage])


@dataclass(frozen=True, slots=True)
class ConsentNotNeeded:
    """Permit every stage, for data that need no consent (public or synthetic), and say why.

    Parameters
    ----------
    because
        Why no consent is needed. It stays in the matrix, the model and the log.

    Raises
    ------
    InvalidArgumentError
        Without a reason.

    Examples
    --------
    >>> from seg1 import ConsentNotNeeded
    >>> ConsentNotNeeded("synthetic data").ask("ana", at=0).allows("train")
    True
    """

    because: str

    def __post_init__(self) -> None:
        if not isinstance(self.because, str) or not self.because.strip():
            raise InvalidArgumentError('say why: ConsentNotNeeded("synthetic data")')

    def check(self, customers: Customers, *, stage: str, at_us: int) -> Verdicts:  # noqa: ARG002  # the answer is the same at all times
        """Permit everybody."""
        check_choice(stage, name="stage", choices=STAGES)
        return Verdicts.uniform(ALLOW, Reason.NOT_NEEDED, n=len(customers))

    def ask(self, customer: Id, at: At) -> Permits:
        """Permit every stage."""
        return _ask_all(self, customer, at)

    def withdraw(self, customer: Id, *, at: At) -> None:  # noqa: ARG002  # the contract's
        """Refuse: where consent is not needed there is nothing to withdraw from."""
        raise InvalidTypeError(
            "consent is declared as not needed, so that a withdrawal would have no effect: open "
            "the engine with a Consent over a ledger"
        )

    def purposes(self, stage: str) -> tuple[str, ...]:
        """Give the reason in the place of a purpose."""
        check_choice(stage, name="stage", choices=STAGES)
        return (f"not needed: {self.because}",)


ConsentDoor: TypeAlias = Consent | ConsentNotNeeded
"""What a door asks for as ``consent=``."""


def check_consent(consent: object) -> ConsentDoor:
    """Accept what a door can ask; say how to make one where it is something else."""
    if isinstance(consent, Consent | ConsentNotNeeded):
        return consent
    raise InvalidTypeError(
        "consent must be a Consent, made for example with Consent.for_purposes(ledger, ...), "
        f"or ConsentNotNeeded(reason); got {type(consent).__name__}"
    )


def _ask_all(consent: ConsentDoor, customer: Id, at: At) -> Permits:
    at_us = to_us(at)
    who = Customers.of(customer)
    answers = [consent.check(who, stage=stage, at_us=at_us) for stage in STAGES]
    verdicts = [answer.one(0) for answer in answers]
    bits = sum(1 << i for i, verdict in enumerate(verdicts) if verdict.allowed)
    # The sum, not the largest: it moves with every filter's state, also with the younger one's.
    epoch = sum(answer.epoch for answer in answers)
    return Permits(bits, tuple(verdict.reason for verdict in verdicts), epoch)


_NO_POLICY = Verdict(UNKNOWN, Reason.NO_POLICY)
_FAILED = (Verdict(UNKNOWN, Reason.FILTER_FAILED), 0)


def _ask_one(
    source: ConsentFilter, customer: Id, purpose: str, *, at_us: int
) -> tuple[Verdict, int]:
    if not isinstance(source, ConsentLedger):
        return Verdict(ALLOW, Reason.OWN_RIGHT), 0
    try:
        return source.ask(customer, purpose, at=at_us), source.epoch
    except Exception as error:  # noqa: BLE001  # fail closed, as in a check of many
        log.warning("consent ledger failed (%s): read as unknown", type(error).__name__)
        return _FAILED


class _OwnRight:
    name = "own right"

    def check(self, customers: Customers, ask: Ask) -> Verdicts:  # noqa: ARG002  # the contract's
        return Verdicts.uniform(ALLOW, Reason.OWN_RIGHT, n=len(customers))
