"""What came of a decision: kept where its customer permits it now, and never after a withdrawal."""

from seg1.decide.core import Core, may_answer
from seg1.errors import InvalidTypeError
from seg1.journal import Exposed, Outcome

__all__ = ["keep_answer", "keep_exposure"]


def keep_exposure(core: Core, decision_id: str, *, at_us: int) -> bool:
    """Write down that a decision was seen; say whether that was permitted."""
    _check_id(decision_id)
    core.heed(at_us)
    with core.lock:
        customer = core.known(decision_id).owner
    # Under the stripe, so that nothing is kept after a withdrawal was acknowledged.
    with core.stripe(customer):
        permits = core.ask(customer, at_us)
        with core.lock:
            decided = core.known(decision_id)  # again: it may have been erased meanwhile
            if not may_answer(permits, decided):
                core.withhold(decision_id)
                return False
            outcomes = core.state.outcomes
            # What is forgotten may have been withheld, and is too old for an exposure to count.
            if outcomes.is_withheld(decision_id) or outcomes.status(decision_id) == "unknown":
                return False
            core.append(Exposed(decision_id=decision_id, at_us=at_us))
    return True


def keep_answer(
    core: Core, decision_id: str, *, what: str, value: float, at_us: int, correct: bool
) -> str:
    """Write down an answer, and say what became of it; see `Personalizer.outcome`."""
    _check_id(decision_id)
    core.heed(at_us)
    with core.lock:
        customer = core.known(decision_id).owner
    with core.stripe(customer):
        permits = core.ask(customer, at_us)
        with core.lock:
            decided = core.known(decision_id)
            outcomes = core.state.outcomes
            is_in_window = decided.at_us <= at_us <= decided.at_us + decided.outcome_us
            if not is_in_window or outcomes.status(decision_id) == "unknown":
                return "expired"
            known = outcomes.answer_of(decision_id, what)
            if known is not None and (known == value or not correct):
                return "repeated"
            if not may_answer(permits, decided):
                core.withhold(decision_id)
            if outcomes.is_withheld(decision_id):
                return "withheld"
            core.append(Outcome(decision_id=decision_id, at_us=at_us, what=what, value=value))
    return "recorded"


def _check_id(decision_id: object) -> None:
    if not isinstance(decision_id, str):
        raise InvalidTypeError(
            f"decision_id must be a str, the `id` of the Decision, got {type(decision_id).__name__}"
        )
