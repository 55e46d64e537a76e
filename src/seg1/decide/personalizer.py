"""`Personalizer`: the engine. Consent, eligibility, scores, draw, journal, release."""

import secrets
import warnings
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Self

from seg1._checks import check_at_least, to_us
from seg1._types import At, Id
from seg1.bandit import FrozenPolicy, OfferSelector, PartialPooling
from seg1.consent import ConsentDoor
from seg1.consent.policy import check_consent
from seg1.decide.affinity import Affinity
from seg1.decide.answers import keep_answer, keep_exposure
from seg1.decide.choosing import Limits
from seg1.decide.core import open_core
from seg1.decide.counters import Budget, FrequencyCap
from seg1.decide.deciding import Deciding
from seg1.decide.decision import Decision, Erasure
from seg1.decide.declared import declare_catalogue, version_of
from seg1.decide.door import (
    check_part,
    check_parts,
    check_special,
    check_word,
    checked_answer,
    checked_context,
)  # fmt: skip
from seg1.decide.early import EarlyAnswers, policy_version
from seg1.decide.eligibility import OfferFilter, Request, check_filter
from seg1.decide.history import history_of
from seg1.decide.holdout import Holdout
from seg1.decide.rights import erase_customer, export_customer
from seg1.decide.state import State
from seg1.errors import InvalidArgumentError
from seg1.events.vocabulary import as_id
from seg1.journal import Journal, Observed, Swapped
from seg1.offers import Catalogue, Placement
from seg1.recommend import ALSModel

__all__ = ["Personalizer"]


class Personalizer:
    """Decides for one customer, now; keeps a journal; learns from the answers.

    Its state is the fold of the journal: reopened on the same file it goes on where it stopped, to
    the last bit. Any number of threads may call one engine.

    Parameters
    ----------
    selector
        The selector whose configuration decides. What it learned on its own is not carried over.
    consent
        Who permits what.
    recommender
        A fitted `ALSModel`; the affinity of a customer to an offer's items is one more feature.
    filters
        `FrequencyCap`, `Budget`, and rules of your own (`OfferFilter`).
    holdout
        Who gets no offer, so that the effect can be measured.
    journal
        Path of an SQLite file (made where missing), or a `Journal`.
    placements
        Placements whose windows differ from the defaults.
    history
        How to keep what each customer has answered to each offer beyond what was expected: what is
        predicted moves by it. None: customers are what context and taste say.
    segment
        The category of the context that says what a customer is alike others in. None: all are.
    delay_model
        How to learn before windows close (`EarlyAnswers`); None waits for the close.

    Raises
    ------
    JournalError
        Where the journal cannot be opened.

    Examples
    --------
    >>> import seg1
    >>> from seg1.journal import MemoryJournal
    >>> ledger = seg1.ConsentLedger()
    >>> ledger.grant("ana", ["offers"], at=0, until=99)
    >>> consent = seg1.Consent.for_purposes(ledger, train="a", decide="offers", measure="b")
    >>> selector = seg1.OfferSelector([seg1.Offer("tea")], goal=seg1.Goal.response())
    >>> with seg1.Personalizer(selector, consent=consent, journal=MemoryJournal()) as engine:
    ...     engine.decide("ana", placement="till", at=5).mode
    ...     engine.decide("bo", placement="till", at=5).mode
    'personalised'
    'fallback'
    """

    def __init__(
        self,
        selector: OfferSelector,
        *,
        consent: ConsentDoor,
        recommender: ALSModel | None = None,
        filters: Sequence[OfferFilter | FrequencyCap | Budget] = (),
        holdout: Holdout | None = None,
        journal: str | PathLike[str] | Journal,
        placements: Sequence[Placement] = (),
        history: PartialPooling | None = None,
        segment: str | None = None,
        delay_model: EarlyAnswers | None = None,
    ) -> None:
        check_parts(
            selector=selector, recommender=recommender, holdout=holdout, delay_model=delay_model
        )
        check_consent(consent)
        check_special(selector, consent)
        own_history = history_of(history, segment=segment, selector=selector, consent=consent)
        rules = tuple(filters)
        caps = [rule for rule in rules if isinstance(rule, FrequencyCap)]
        budgets = [rule for rule in rules if isinstance(rule, Budget)]
        own = [check_filter(f) for f in rules if not isinstance(f, FrequencyCap | Budget)]
        catalogue = Catalogue(selector.arms.offers, placements=placements)
        version = version_of(catalogue, selector, has_recommender=recommender is not None)
        n_features = selector.schema.n_features + (recommender is not None)
        self._selector = selector
        self.journal, self._core = open_core(
            journal,
            consent=consent,
            fresh=lambda: State(
                selector, catalogue=version, n_features=n_features, caps=caps,
                history=own_history(), delay_model=delay_model,
            ),
        )  # fmt: skip
        self._deciding = Deciding(
            self._core,
            selector,
            catalogue=catalogue,
            version=version,
            policy=policy_version(selector, delay_model),
            limits=Limits(caps, budgets),
            filters=own,
            holdout=holdout,
        )
        if recommender is not None:
            self._deciding.affinity = Affinity(recommender, selector.arms.offers)
            self._deciding.model = recommender.version
        declare_catalogue(self._core, selector, version=version)
        if selector.n_learned:
            warnings.warn(
                f"the selector has learned {selector.n_learned} answers on its own; the engine "
                "learns from its journal alone and does not take them over",
                stacklevel=2,
            )

    def __repr__(self) -> str:
        return f"Personalizer({len(self._selector.arms)} arms, {self._core.state.n_rows} rows)"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the journal. Nothing that was acknowledged is lost without it."""
        self.journal.close()

    def decide(
        self,
        customer: Id,
        *,
        placement: str,
        context: Mapping[str, object] | None = None,
        at: At,
        id: str | None = None,  # noqa: A002  # the word of the log and of the caller
    ) -> Decision:
        """Decide what to show one customer, now.

        Parameters
        ----------
        customer
            The customer.
        placement
            Where it will be shown.
        context
            Features by name, as the selector's `ContextSchema` declares them.
        at
            Now.
        id
            An idempotency key: the same id gives the same stored decision. Without one the decision
            gets an id that no other has.

        Returns
        -------
        Decision

        Raises
        ------
        InvalidArgumentError
            For an id that stands for another customer's decision.
        """
        request = Request(
            customer=as_id(customer),
            placement=check_word(placement, name="placement"),
            at_us=to_us(at),
            context=checked_context(context),
        )
        self._core.heed(request.at_us)
        if id is None:
            decision_id = f"{self.journal.journal_id}-{secrets.token_hex(8)}"
            return self._deciding.decide(request, decision_id=decision_id)
        decision_id = check_word(id, name="id")
        again = self._deciding.again(request, decision_id=decision_id)
        return again or self._deciding.decide(request, decision_id=decision_id)

    def exposed(self, decision_id: str, *, at: At) -> bool:
        """Report that the customer saw a decision.

        Returns
        -------
        bool
            Whether it was kept: the customer must permit it now, as for `outcome`, and the time for
            corrections must not be over. What is kept too late for its placement teaches nothing.

        Raises
        ------
        UnknownIdError
            For an id that no logged decision has.
        """
        return keep_exposure(self._core, decision_id, at_us=to_us(at))

    def outcome(
        self,
        decision_id: str,
        *,
        accepted: bool | None = None,
        reward: float | None = None,
        at: At,
        correct: bool = False,
    ) -> str:
        """Report a customer's answer: late, repeated and out of order are safe.

        Parameters
        ----------
        decision_id
            Which decision.
        accepted, reward
            Exactly one of the two.
        at
            When it was given.
        correct
            Whether an answer that was reported before is to be replaced.

        Returns
        -------
        str
            "recorded"; "repeated": the same or another answer stands already and stays;
            "expired": it was given outside the decision's window, or reported when the decision's
            time for late answers and corrections, as long again as the window, was over;
            "withheld": the customer does not permit it any more (to decide, to log, and to measure
            where the decision was to be measured). Then nothing more is kept or learned of this
            decision, also after a later grant.

        Raises
        ------
        UnknownIdError
            For an id that no logged decision has.
        """
        what, value = checked_answer(accepted=accepted, reward=reward)
        return keep_answer(
            self._core, decision_id, what=what, value=value, at_us=to_us(at), correct=correct
        )

    def observe(
        self, customer: Id, *, item: Id, kind: str = "event", value: float = 1.0, at: At
    ) -> bool:
        """Take in an event outside any decision: the very next decision knows it.

        Returns
        -------
        bool
            Whether it was kept: the customer must permit the stages ingest and log.
        """
        event = Observed(
            customer=as_id(customer),
            item=as_id(item),
            at_us=to_us(at),
            what=check_word(kind, name="kind"),
            value=check_at_least(value, name="value", low=0),
        )
        self._core.heed(event.at_us)
        # Under the stripe, so that nothing is kept after a withdrawal was acknowledged.
        with self._core.stripe(event.customer):
            permits = self._core.ask(event.customer, event.at_us)
            if not (permits.allows("ingest") and permits.allows("log")):
                return False
            with self._core.lock:
                self._core.append(event)
        return True

    def withdraw(self, customer: Id, *, at: At) -> int:
        """Record that a customer withdraws everything, after all that was released before.

        From then on no answer to an earlier decision is kept, and nothing more is learned from it.

        Returns
        -------
        int
            Place in the order of releases and withdrawals of this process: no personalised decision
            for the customer has a greater `released_seq`, unless the ledger holds a grant that was
            said later than `at`.

        Raises
        ------
        InvalidTypeError
            Where the policy has no ledger to record it in.
        """
        who, at_us = as_id(customer), to_us(at)
        with self._core.stripe(who):
            self._core.consent.withdraw(who, at=at_us)
            self._core.saw(at_us)
            return self._core.next_release()

    def erase(self, customer: Id, *, at: At) -> Erasure:
        """Remove all rows of a customer from the journal, and fold the rest anew.

        The state is then the one of a journal that never held them. The consent ledger keeps the
        record of what was permitted: it is the evidence. Their acceptances no longer count against
        stock and budgets.

        Raises
        ------
        WrongIdTypeError
            For a str where the ledger holds ints, or the reverse: "5" is not 5.
        JournalError
            Where the rows could not be removed; then all of them are still there.
        """
        affinity = self._deciding.affinity
        return erase_customer(self._core, as_id(customer), at_us=to_us(at), affinity=affinity)

    def export(self, customer: Id, *, at: At) -> dict[str, object]:
        """Give a customer all that is held of them, as values that JSON can hold.

        The whole journal is read, beside other calls; nothing is written.

        Returns
        -------
        dict
            "said": what the ledgers recorded; "permits": what is permitted at that moment, and why;
            "decisions" and "observed": rows of the journal; "contacts_us": the latest, as many as
            frequency caps keep; "history": sums of the answers to each offer, None where they are
            not kept; "recommender": history, factors and affinities, None without one;
            "left_by_erase": what an erasure would leave, and until when.

        Raises
        ------
        InvalidArgumentError
            Where the policy does not permit the stage *export*.
        WrongIdTypeError
            As for `erase`.
        """
        affinity = self._deciding.affinity
        return export_customer(self._core, as_id(customer), at_us=to_us(at), affinity=affinity)

    def swap(self, recommender: ALSModel, *, at: At) -> None:
        """Put another fitted recommender in force, from the next decision on."""
        if self._deciding.affinity is None:
            raise InvalidArgumentError(
                "the engine was opened without a recommender, and has no feature for one: open it "
                "again with recommender="
            )
        check_part("recommender", recommender)
        affinity = Affinity(recommender, self._selector.arms.offers)
        row = Swapped(what="model", at_us=to_us(at), version=recommender.version, body="{}")
        self._core.heed(row.at_us)
        with self._core.lock:
            self._core.append(row)
            self._deciding.affinity, self._deciding.model = affinity, row.version

    def frozen(self) -> FrozenPolicy:
        """Give what the engine knows now as a policy, to be valued on decisions that came after."""
        with self._core.lock:
            return self._selector.frozen(self._core.state.posterior.copy())

    def fingerprint(self) -> str:
        """Name all that the engine knows: equal where two states are equal to the last bit.

        So a restart, or a second copy fed from the journal, can be held against the first: 64
        hexadecimal digits over what was learned, reserved, answered and observed.
        """
        with self._core.lock:
            return self._core.state.fingerprint()

    @property
    def n_refused(self) -> int:
        """How many reports named a decision that is not known."""
        return self._core.n_refused

    @property
    def n_learned(self) -> int:
        """How many decisions have been learned from."""
        return self._core.state.n_learned
