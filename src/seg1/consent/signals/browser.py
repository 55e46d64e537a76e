"""Signals that need no decoding: Global Privacy Control, and Google Consent Mode v2.

A veto is a filter with the same contract: VETO is -1 (DENY), FAILED is 0 (UNKNOWN), PASS is 1
(ALLOW). It stands beside the policy, never inside ``any_of`` or ``not_``, and the lowest answer of
policy and vetoes counts: so a veto closes, and never opens anything.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import ClassVar, Final

from seg1.consent.signals.sources import (
    ALLOWED,
    DENIED,
    MALFORMED,
    MISSING,
    NOT_ASKED,
    OPTED_OUT,
    Source,
    answer_each,
    check_purposes,
    check_source,
)
from seg1.consent.verdicts import ALLOW, Ask, Customers, Reason, Verdict, Verdicts
from seg1.errors import InvalidArgumentError, InvalidTypeError

__all__ = ["CONSENT_MODE_SIGNALS", "PASS", "ConsentMode", "GlobalPrivacyControl"]

PASS: Final = Verdict(ALLOW, Reason.BY_FILTER)

CONSENT_MODE_SIGNALS: Final = (
    "ad_storage",
    "analytics_storage",
    "ad_user_data",
    "ad_personalization",
)


class GlobalPrivacyControl:
    """Global Privacy Control as a veto: an opt-out of sale and sharing.

    Hand it to a policy as a veto. For the purposes it is given, ``"1"`` (the header ``Sec-GPC``)
    and True (``navigator.globalPrivacyControl``) are VETO, None and False are PASS, and anything
    else FAILED. Other purposes PASS.

    Parameters
    ----------
    signals
        Mapping of customer to signal, or a function of the customer; None where none was sent.
    purposes
        Purposes of the policy that sell or share data, at least one.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        For something that is no source, or no purposes.

    Examples
    --------
    >>> from seg1.consent import Ask, Customers
    >>> gpc = GlobalPrivacyControl({"ana": "1", "bo": True, "cy": "yes"}, purposes=["offers"])
    >>> ask = Ask(purpose="offers", stage="decide", at_us=0)
    >>> gpc.check(Customers.of("ana", "bo", "cy", "di"), ask).values
    array([-1, -1,  0,  1], dtype=int8)
    """

    name = "gpc"
    depends_on: ClassVar[tuple[str, ...]] = ("purpose",)
    may_veto: ClassVar[bool] = True

    def __init__(self, signals: Source, *, purposes: Iterable[str]) -> None:
        self._source = check_source(signals)
        self._purposes = check_purposes(purposes)

    def __repr__(self) -> str:
        return f"GlobalPrivacyControl({len(self._purposes)} purposes)"

    def check(self, customers: Customers, ask: Ask) -> Verdicts:
        """Answer for each customer: VETO, FAILED or PASS."""
        if ask.purpose not in self._purposes:
            return Verdicts.uniform(PASS.value, PASS.reason, n=len(customers))
        return answer_each(customers, self._source, _judge_gpc)


def _judge_gpc(signal: object) -> Verdict:
    if signal is None or signal is False:
        return PASS
    return OPTED_OUT if signal is True or signal == "1" else MALFORMED


class ConsentMode:
    """Google Consent Mode v2 as a consent filter.

    ALLOW where every state that stands behind the purpose is ``"granted"``; DENY where one is
    ``"denied"``; UNKNOWN where one is another word or missing. Nothing is granted by default.

    Parameters
    ----------
    states
        Mapping of customer to states, or a function of the customer: a mapping such as
        ``{"ad_user_data": "granted"}``, or None.
    signals
        For each purpose of the policy the states that it needs, all of them, of
        `CONSENT_MODE_SIGNALS`. Other purposes are UNKNOWN.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        For something that is no source, or an unknown state.

    Examples
    --------
    >>> from seg1.consent import Ask, Customers
    >>> states = {"ana": {"ad_user_data": "granted", "ad_personalization": "granted"},
    ...           "bo": {"ad_user_data": "granted", "ad_personalization": "denied"}}
    >>> mode = ConsentMode(states, signals={"offers": ("ad_user_data", "ad_personalization")})
    >>> ask = Ask(purpose="offers", stage="decide", at_us=0)
    >>> mode.check(Customers.of("ana", "bo", "cy"), ask).values
    array([ 1, -1,  0], dtype=int8)
    """

    name = "consent mode"
    depends_on: ClassVar[tuple[str, ...]] = ("purpose",)

    def __init__(self, states: Source, *, signals: Mapping[str, Iterable[str]]) -> None:
        self._source = check_source(states)
        self._signals = _checked_signals(signals)

    def __repr__(self) -> str:
        return f"ConsentMode({len(self._signals)} purposes)"

    def check(self, customers: Customers, ask: Ask) -> Verdicts:
        """Answer for each customer: the contract of a `ConsentFilter`."""
        needed = self._signals.get(ask.purpose)
        if needed is None:
            return Verdicts.uniform(NOT_ASKED.value, NOT_ASKED.reason, n=len(customers))
        return answer_each(customers, self._source, lambda states: _judge_mode(states, needed))


def _judge_mode(states: object, needed: frozenset[str]) -> Verdict:
    if states is None:
        return MISSING
    if not isinstance(states, Mapping):
        return MALFORMED
    found = [states.get(name) for name in needed]
    if any(state == "denied" for state in found):
        return DENIED
    if any(state is not None and state != "granted" for state in found):
        return MALFORMED
    return MISSING if None in found else ALLOWED


def _checked_signals(signals: object) -> Mapping[str, frozenset[str]]:
    if not isinstance(signals, Mapping) or not signals:
        raise InvalidTypeError('signals must be a mapping, for example {"offers": ("ad_storage",)}')
    check_purposes(signals)
    checked = {purpose: check_purposes(names) for purpose, names in signals.items()}
    if unknown := frozenset().union(*checked.values()) - frozenset(CONSENT_MODE_SIGNALS):
        raise InvalidArgumentError(
            f"states must be of {', '.join(CONSENT_MODE_SIGNALS)}; got {sorted(unknown)}"
        )
    return MappingProxyType(checked)
