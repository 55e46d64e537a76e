"""Starting points per law: a `Consent` with the vetoes that each asks for. Not legal advice.

All are opt-in, also where a law would do with an opt-out: what is not known is a no. Purposes,
texts, records and retention are yours to settle with somebody who may advise you.
"""

from collections.abc import Iterable
from typing import Final

from seg1.consent.filters import ConsentFilter
from seg1.consent.policy import Consent
from seg1.consent.vetoes import Ages, MinimumAge

__all__ = ["ccpa", "gdpr", "pipl"]

_GDPR_YEARS: Final = 16
_CCPA_YEARS: Final = 16
_PIPL_YEARS: Final = 14


def gdpr(
    source: ConsentFilter,
    *,
    train: str,
    decide: str,
    measure: str,
    ages: Ages | None,
    minimum_age: float = _GDPR_YEARS,
    signals: Iterable[ConsentFilter] = (),
) -> Consent:
    """Start from the General Data Protection Regulation of the European Union.

    Consent per purpose (article 6), as easily withdrawn as given (7), objection (21), restriction
    (18) and no automated decisions (22) as vetoes of a `ConsentLedger`, and a least age (8), which
    member states may lower to 13.

    Parameters
    ----------
    source
        Who permits which purpose: a `ConsentLedger`, or a composition with one.
    train, decide, measure
        The purposes, as for `Consent.for_purposes`.
    ages
        Ages of the customers for `MinimumAge`; None where all are known to be old enough.
    minimum_age
        Least age in years.
    signals
        Further vetoes, for example privacy signals.

    Examples
    --------
    >>> from seg1 import ConsentLedger
    >>> ledger = ConsentLedger()
    >>> ledger.grant("ana", ["offers"], at=0, until=9)
    >>> consent = gdpr(ledger, train="profiling", decide="offers", measure="measurement",
    ...                ages={"ana": 34})
    >>> consent.ask("ana", at=5).allows("decide"), consent.ask("bo", at=5).allows("decide")
    (True, False)
    """
    vetoes = _vetoes(ages, minimum_age, signals)
    return Consent.for_purposes(source, train=train, decide=decide, measure=measure, vetoes=vetoes)


def ccpa(
    source: ConsentFilter,
    *,
    train: str,
    decide: str,
    measure: str,
    ages: Ages | None,
    signals: Iterable[ConsentFilter],
    minimum_age: float = _CCPA_YEARS,
) -> Consent:
    """Start from the California Consumer Privacy Act.

    The law lets customers opt out of sale and sharing and asks to heed signals such as Global
    Privacy Control, so `signals` has to be given. It asks for opt-in below 16; here everybody is
    asked, and below 16 nobody is personalised for.

    Parameters are those of `gdpr`.

    Examples
    --------
    >>> from seg1 import ConsentLedger
    >>> from seg1.consent import vectorise
    >>> ledger = ConsentLedger()
    >>> ledger.grant("ana", ["offers"], at=0, until=9)
    >>> sent = vectorise(lambda customer, ask: -1 if customer == "ana" else 1, name="gpc")
    >>> consent = ccpa(ledger, train="profiling", decide="offers", measure="measurement",
    ...                ages=None, signals=[sent])
    >>> consent.ask("ana", at=5).allows("decide")
    False
    """
    vetoes = _vetoes(ages, minimum_age, signals)
    return Consent.for_purposes(source, train=train, decide=decide, measure=measure, vetoes=vetoes)


def pipl(
    source: ConsentFilter,
    *,
    train: str,
    decide: str,
    measure: str,
    ages: Ages | None,
    minimum_age: float = _PIPL_YEARS,
    signals: Iterable[ConsentFilter] = (),
) -> Consent:
    """Start from the Personal Information Protection Law of China.

    Consent per purpose (articles 13 and 14), a way out of automated marketing decisions (24: the
    ledger's `opt_out`, after which the engine falls back to what is not about the person), and
    guardians' consent below 14 (31): here nobody below is personalised for.

    Parameters are those of `gdpr`.

    Examples
    --------
    >>> from seg1 import ConsentLedger
    >>> ledger = ConsentLedger()
    >>> ledger.grant("ana", ["offers"], at=0, until=9)
    >>> ledger.opt_out("ana", at=1)
    >>> consent = pipl(ledger, train="profiling", decide="offers", measure="measurement", ages=None)
    >>> consent.ask("ana", at=5).reason("decide").words
    'automated opt out'
    """
    vetoes = _vetoes(ages, minimum_age, signals)
    return Consent.for_purposes(source, train=train, decide=decide, measure=measure, vetoes=vetoes)


def _vetoes(
    ages: Ages | None, minimum_age: float, signals: Iterable[ConsentFilter]
) -> list[ConsentFilter]:
    of_age = [] if ages is None else [MinimumAge(minimum_age, ages)]
    return [*of_age, *signals]
