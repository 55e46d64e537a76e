"""TC strings: are others' vectors read and refused rightly, does a cut widen, how long it takes.

Usage: ``python benchmarks/tcf_strings.py --data FOLDER [--json]``; the folder has
``tcf/tc_strings.json``.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from seg1.consent import TCString, decode_tc
from seg1.errors import MalformedSignalError

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_N_TIMES = 200
_N_ROUNDS = 30
_LONGEST = 6_144
_SCALARS = {
    "version": "version",
    "cmpId": "cmp_id",
    "cmpVersion": "cmp_version",
    "consentScreen": "screen",
    "consentLanguage": "language",
    "vendorListVersion": "vendor_list_version",
    "tcfPolicyVersion": "policy_version",
    "isServiceSpecific": "is_service_specific",
    "useNonStandardTexts": "use_non_standard_texts",
    "purposeOneTreatment": "purpose_one_treatment",
    "publisherCountryCode": "publisher_country",
}
_SETS = {
    "specialFeatureOptins": "special_feature_opt_ins",
    "purposeConsents": "purpose_consents",
    "purposeLegitimateInterests": "purpose_legitimate_interests",
    "vendorConsents": "vendor_consents",
    "vendorLegitimateInterests": "vendor_legitimate_interests",
    "vendorsDisclosed": "disclosed_vendors",
    "vendorsAllowed": "allowed_vendors",
}
_PUBLISHER_SETS = {
    "publisherConsents": "purpose_consents",
    "publisherLegitimateInterests": "purpose_legitimate_interests",
    "publisherCustomConsents": "custom_consents",
    "publisherCustomLegitimateInterests": "custom_legitimate_interests",
}


def measure(data: Path) -> dict[str, float]:
    """Read every vector, every proper prefix of them, and strings made to take long.

    Parameters
    ----------
    data
        Folder that has ``tcf/tc_strings.json``.

    Returns
    -------
    dict
        ``tcf_right`` of ``tcf_total`` read as they should be, ``tcf_refused`` of
        ``tcf_negative``, ``tcf_prefix_widening`` prefixes that permit more than the whole,
        ``tcf_us`` for a vector (median), ``tcf_max_us`` for the slowest hostile string (the
        quickest of its rounds, so that another process does not count).
    """
    vectors = json.loads((data / "tcf" / "tc_strings.json").read_text(encoding="utf-8"))
    positive = [vector["tc_string"] for vector in vectors["positive"]]
    negative = [vector["tc_string"] for vector in vectors["negative"]]
    return {
        "tcf_right": sum(_is_right(vector) for vector in vectors["positive"]),
        "tcf_total": len(positive),
        "tcf_refused": sum(_decoded(text) is None for text in negative),
        "tcf_negative": len(negative),
        "tcf_prefix_widening": sum(_n_widening(text) for text in positive),
        "tcf_us": round(statistics.median(_decode_us(text, _N_TIMES)[1] for text in positive), 2),
        "tcf_max_us": round(max(_decode_us(text, _N_ROUNDS)[0] for text in hostile_strings()), 1),
    }


def _decoded(text: str) -> TCString | None:
    try:
        return decode_tc(text)
    except MalformedSignalError:
        return None


def _is_right(vector: Mapping[str, object]) -> bool:
    tc = _decoded(str(vector["tc_string"]))
    if tc is None:
        return False
    expected = vector["decoded"]
    if not isinstance(expected, dict):
        raise TypeError("decoded must be an object")
    said = _said(tc)
    is_known = all(said.get(name) == value for name, value in expected.items() if name in said)
    return is_known and (set(_SCALARS) | {"created", "lastUpdated"}) <= set(expected)


def _said(tc: TCString) -> dict[str, object]:
    said: dict[str, object] = {theirs: getattr(tc, ours) for theirs, ours in _SCALARS.items()}
    said |= {"created": tc.created_us // 100_000, "lastUpdated": tc.updated_us // 100_000}
    for theirs, ours in _SETS.items():
        numbers = getattr(tc, ours)
        said[theirs] = None if numbers is None else list(numbers)
    said["publisherRestrictions"] = [
        {
            "purposeId": r.purpose,
            "restrictionType": int(r.kind),
            "vendors": [v for start, end in r.vendors for v in range(start, end + 1)],
        }
        for r in tc.publisher_restrictions
    ]
    for theirs, ours in _PUBLISHER_SETS.items():
        said[theirs] = None if tc.publisher is None else list(getattr(tc.publisher, ours))
    return said


def _n_widening(text: str) -> int:
    whole = decode_tc(text)
    prefixes = (_decoded(text[:n]) for n in range(len(text)))
    return sum(_widens(shorter, whole) for shorter in prefixes if shorter is not None)


def _widens(shorter: TCString, whole: TCString) -> bool:
    pairs = ((getattr(shorter, name), getattr(whole, name)) for name in _SETS.values())
    is_wider = any(set(few or ()) - set(many or ()) for few, many in pairs)
    is_less_restricted = shorter.publisher_restrictions != whole.publisher_restrictions
    is_judged_otherwise = (
        shorter.policy_version != whole.policy_version
        or shorter.is_service_specific != whole.is_service_specific
        or shorter.purpose_one_treatment != whole.purpose_one_treatment
        or (shorter.created_us, shorter.updated_us) != (whole.created_us, whole.updated_us)
    )
    return is_wider or is_less_restricted or is_judged_otherwise


def _decode_us(text: str, n_times: int) -> tuple[float, float]:
    """Time a text: the quickest and the median."""
    times = []
    for _ in range(n_times):
        start = time.perf_counter_ns()
        _decoded(text)
        times.append(time.perf_counter_ns() - start)
    return min(times) / 1_000, statistics.median(times) / 1_000


def hostile_strings() -> Iterable[str]:
    """Make strings of up to the longest length whose reading takes as long as it can."""
    head = _number(2, 6) + "0" * 108 + "0" * 99  # version, then zeros up to the vendor section
    none = "0" * 17
    n_bits = _LONGEST * 6
    singles = (n_bits - len(head) - 29 - 29 - 29 - 200) // 17
    for gap in (1, 2, 20):
        n_entries = min(4_095, singles, 65_535 // gap)
        run = "".join("0" + _number(gap * place, 16) for place in range(1, n_entries + 1))
        section = _number(65_535, 16) + "1" + _number(n_entries, 12) + run
        yield _text(head + section + none + _number(0, 12))
        yield _text(head + section + none + _number(0, 12) + "1")  # refused at its very end
    n_runs = (n_bits - len(head) - 200) // 33
    runs = "".join("1" + _number(9 * n, 16) + _number(9 * n + 5, 16) for n in range(1, n_runs + 1))
    yield _text(
        head + _number(65_535, 16) + "1" + _number(n_runs, 12) + runs + none + _number(0, 12)
    )
    for n in (1, 20, 72, 4_095):
        a_restriction = _number(7, 6) + "00" + _restricted((n_bits - len(head) - 50) // n - 20)
        yield _text(head + none + none + _number(n, 12) + a_restriction * n)
    field = "10" * 8_000
    section = _number(16_000, 16) + "0" + field
    yield _text(head + section * 2 + _number(0, 12)) + "." + _text("001" + section)
    wide = _number(65_535, 16) + "1" + _number(1, 12) + "1" + _number(1, 16) + _number(65_535, 16)
    yield f"{_text(head + wide * 2 + _number(0, 12))}.{_text('001' + wide)}.{_text('010' + wide)}"
    yield "C" + "_" * (_LONGEST - 1)
    yield "C" * 10_000_000
    yield "C." * (_LONGEST // 2)


def _restricted(n_bits: int) -> str:
    n_entries = max(0, n_bits // 17)
    entries = "".join("0" + _number(2 * place, 16) for place in range(1, n_entries + 1))
    return _number(n_entries, 12) + entries


def _number(value: int, n: int) -> str:
    return f"{value:0{n}b}"


def _text(bits: str) -> str:
    bits += "0" * (-len(bits) % 6)
    return "".join(_ALPHABET[int(bits[at : at + 6], 2)] for at in range(0, len(bits), 6))


def main() -> None:
    """Measure, and show the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object as the last line"
    )
    arguments = parser.parse_args()
    figures = measure(arguments.data)
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, figure in figures.items():
            print(f"{name:24} {figure:>10,}")


if __name__ == "__main__":
    main()
