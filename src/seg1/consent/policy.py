"""`Consent`: which filter answers for which purpose at which step of the path."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple, NoReturn, TypeAlias

from seg1._checks import MAX_US, MIN_US, check_choice, to_us
from seg1._types import At, Id
from seg1.consent.audit import AuditTrail, check_audit
from seg1.consent.filters import ConsentFilter, check_filters
from seg1.consent.kinds import FEATURE, checked_features, checked_retention, feature_of
from seg1.consent.ledger.ledger import ConsentLedger
from seg1.consent.plan import OwnRight, Plan
from seg1.consent.spelling import look_at_spelling
from seg1.consent.verdicts import ALLOW, Customers, Reason, Verdicts
from seg1.errors import InvalidArgumentError, InvalidTypeError
from seg1.events.vocabulary import as_id

__all__ = ["STAGES", "Consent", "ConsentDoor", "ConsentNotNeeded", "Permits", "check_consent"]

STAGES: Final = (
    "ingest", "train", "candidates", "features", "decide", "log", "measure", "export",
)  # fmt: skip
_LOW, _HIGH = -(2**63), 2**63 - 1  # int64
_DECIDE_STAGES = ("candidates", "features", "decide", "log")


class Permits(NamedTuple):  # a tuple, because one is made for every decision, twice
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

    def __bool__(self) -> NoReturn:
        raise InvalidTypeError(
            'permits have no truth value; use permits.allows(stage), for example "decide"'
        )

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

    Vetoes are applied after that: they never open anything, and no tree of filters overrides them.
    Objections, restrictions and opt-outs of a ledger are vetoes wherever it stands in the policy;
    so is every refusal of a filter whose reason is one of OBJECTED, RESTRICTED, UNDER_AGE,
    OPTED_OUT and AUTOMATED_OPT_OUT. The customer's own right (export) is vetoed by nothing.

    Parameters
    ----------
    policy
        ``{(purpose, stage): filter}``; stages are those of `seg1.consent.STAGES`, and
        "features:NAME" for a feature of the context that needs a purpose beside that of "features":
        where it is denied, the feature counts as missing.
    vetoes
        Filters that must let every stage pass: 1 passes, -1 is a veto, and 0, as a failure, leaves
        the stage unknown and so denied. Their form is that of any filter.
    retention_days
        Days after which data may no longer be used for a purpose. Events that are older are not
        learned from, nor read for a decision, nor measured.
    audit
        Where each question about many customers is written down, in counts. One that cannot be
        written down is not answered.

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

    def __init__(
        self,
        policy: Mapping[tuple[str, str], ConsentFilter],
        *,
        vetoes: Iterable[ConsentFilter] = (),
        retention_days: Mapping[str, float] = MappingProxyType({}),
        audit: AuditTrail | None = None,
    ) -> None:
        if not isinstance(policy, Mapping):
            raise InvalidTypeError(
                "a policy is a mapping of (purpose, stage) to a filter; for a ledger write "
                "Consent.for_purposes(ledger, train=..., decide=..., measure=...)"
            )
        for key in policy:
            _check_key(key)
        vetoes = tuple(vetoes) if isinstance(vetoes, Iterable) else (vetoes,)
        check_filters("a policy", policy.values())
        check_filters("vetoes=", vetoes)
        self._policy = MappingProxyType(dict(policy))
        self._vetoes = vetoes
        self._audit = check_audit(audit)
        self._retention = checked_retention(retention_days, purposes=(p for p, _ in policy))
        own = dict.fromkeys(stage for _, stage in policy if feature_of(stage))
        self._features = tuple(stage.removeprefix(FEATURE) for stage in own)
        self._of_stage = {
            stage: tuple((p, f) for (p, s), f in policy.items() if s == stage)
            for stage in (*STAGES, *own)
        }
        self._plan = Plan(self._of_stage, vetoes)
        look_at_spelling((purpose for purpose, _ in policy), self.ledgers)

    @classmethod
    def for_purposes(
        cls,
        source: ConsentFilter,
        *,
        train: str,
        decide: str,
        measure: str,
        features: Mapping[str, str] = MappingProxyType({}),
        vetoes: Iterable[ConsentFilter] = (),
        retention_days: Mapping[str, float] = MappingProxyType({}),
        audit: AuditTrail | None = None,
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
        features
            Features of the context that need a purpose of their own beside `decide`: name to
            purpose, as in ``{"mood": "wellbeing"}``.
        vetoes, retention_days, audit
            As for `Consent`.

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
            ("own right", "export"): OwnRight(),
        }
        policy.update({(decide, stage): source for stage in _DECIDE_STAGES})
        for name, purpose in checked_features(features).items():
            policy[purpose, FEATURE + name] = source
        return cls(policy, vetoes=vetoes, retention_days=retention_days, audit=audit)

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
        verdicts = self._plan.check(customers, stage=stage, at_us=at_us)
        if self._audit is not None:
            purposes = self.purposes(stage)
            self._audit.record_check(verdicts, stage=stage, purposes=purposes, at=at_us)
        return verdicts

    def ask(self, customer: Id, at: At) -> Permits:
        """Answer for one customer and every stage.

        Parameters
        ----------
        customer
            The customer.
        at
            The moment.
        """
        # Both looked at here first: this is called twice for every decision.
        at_us = at if type(at) is int and MIN_US <= at <= MAX_US else to_us(at)
        who = customer if type(customer) is int and _LOW <= customer <= _HIGH else as_id(customer)
        return Permits(*self._plan.ask(who, at_us))

    @property
    def ledgers(self) -> tuple[ConsentLedger, ...]:
        """Every ledger that stands somewhere in the policy, once."""
        sources = {id(q.source): q.source for q in self._plan.questions}
        return tuple(source for source in sources.values() if isinstance(source, ConsentLedger))

    def withdraw(self, customer: Id, *, at: At) -> None:
        """Record in every ledger of the policy that a customer withdraws everything.

        What else permits beside a ledger (in an ``any_of``), or turns its no around (in a
        ``not_``), goes on doing so: an objection is a veto there too.

        Raises
        ------
        InvalidTypeError
            Where the policy has no ledger: then its own source must record the withdrawal.
        """
        if not self.ledgers:
            raise InvalidTypeError(
                "the policy has no ConsentLedger to record a withdrawal in: record it in its source"
            )
        for ledger in self.ledgers:
            ledger.withdraw(customer, at=at)

    def check_kind(self, customer: Id) -> None:
        """Refuse an id of another kind than the ledgers hold.

        Raises
        ------
        WrongIdTypeError
            For a str where they hold ints, or the reverse.
        """
        for ledger in self.ledgers:
            ledger.check_kind(customer)

    def purposes(self, stage: str) -> tuple[str, ...]:
        """Name the purposes that must permit a stage."""
        check_choice(stage, name="stage", choices=STAGES)
        return tuple(purpose for purpose, _ in self._of_stage[stage])

    def governs(self, feature: str) -> bool:
        """Whether the policy has a rule of its own for a feature of the context."""
        return feature in self._features

    def denied_features(self, permits: Permits) -> tuple[str, ...]:
        """Name the features whose own rule denies them, in what `ask` gave."""
        own = permits.bits >> len(STAGES)
        return tuple(name for i, name in enumerate(self._features) if not own >> i & 1)

    def retention_us(self, *stages: str) -> int | None:
        """Give how old data may be at some stages, in microseconds; None where no limit is set."""
        purposes = {purpose for stage in stages for purpose in self.purposes(stage)}
        return min((us for p, us in self._retention.items() if p in purposes), default=None)

    @property
    def version(self) -> str:
        """Name the policy: its rules, vetoes and retention, by the names of the filters.

        16 hexadecimal digits. What a filter of that name answers is not in it.
        """
        rules = [[*key, source.name] for key, source in self._policy.items()]
        told = [
            sorted(rules),
            [veto.name for veto in self._vetoes],
            sorted(self._retention.items()),
        ]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


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
        to_us(at), as_id(customer)  # what is wrong elsewhere is wrong here
        return _NOT_NEEDED

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

    def check_kind(self, customer: Id) -> None:
        """Accept ids of any kind."""

    def governs(self, feature: str) -> bool:  # noqa: ARG002  # as for all features
        """Say yes: where no consent is needed, none is for any feature."""
        return True

    def denied_features(self, permits: Permits) -> tuple[str, ...]:  # noqa: ARG002  # as above
        """Name none."""
        return ()

    def retention_us(self, *stages: str) -> int | None:  # noqa: ARG002  # as above
        """Give no limit."""
        return None

    @property
    def version(self) -> str:
        """Name it by its reason."""
        return f"not needed: {self.because}"


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


def _check_key(key: object) -> None:
    if not isinstance(key, tuple) or len(key) != 2:  # noqa: PLR2004  # a pair
        raise InvalidTypeError(f"keys of a policy are (purpose, stage), got a {type(key).__name__}")
    purpose, stage = key
    if feature_of(stage) is None:
        check_choice(stage, name="stage", choices=STAGES)
    if not isinstance(purpose, str) or not purpose:
        raise InvalidArgumentError(f"the purpose of stage {stage!r} must be a non-empty str")


_NOT_NEEDED: Final = Permits((1 << len(STAGES)) - 1, (Reason.NOT_NEEDED,) * len(STAGES), 0)
