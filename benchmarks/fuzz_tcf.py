"""Fuzz the decoders of TC and GPP strings: a typed refusal or a decoded string, nothing else.

Usage: ``python benchmarks/fuzz_tcf.py [libFuzzer options]``, with atheris installed, for example
``-max_total_time=600 -max_len=400``. It stops at the first input that breaks a claim.
"""

import sys

import atheris  # type: ignore[import-untyped]  # a tool of this script alone

with atheris.instrument_imports(
    include=["seg1.consent.signals.bits", "seg1.consent.signals.gpp", "seg1.consent.signals.tcf"]
):
    from seg1.consent import decode_gpp, decode_tc
    from seg1.errors import MalformedSignalError, UnsupportedSignalError

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def try_one(raw: bytes) -> None:
    """Decode what the bytes stand for; the first byte chooses how they are read."""
    if not raw:
        return
    text = _text(raw[0], raw[1:])
    try:
        tc = decode_tc(text)
    except MalformedSignalError as error:
        _must(len(text) < 20 or text not in str(error), "a message quotes the string")
    else:
        _check_prefixes(text)
        _must(tc.created_us <= tc.updated_us, "updated before it was created")
    _try_gpp(text)


def _text(how: int, raw: bytes) -> str:
    if how % 3 == 0:
        return raw.decode("latin-1")
    text = "".join("." if byte == 0xFF else _ALPHABET[byte % 64] for byte in raw)
    return ("C" if how % 3 == 1 else "DBA") + text


def _check_prefixes(text: str) -> None:
    whole = decode_tc(text)
    for n in range(max(0, len(text) - 40), len(text)):
        try:
            shorter = decode_tc(text[:n])
        except MalformedSignalError:
            continue
        _must(shorter.purpose_consents == whole.purpose_consents, "a prefix changes purposes")
        _must(shorter.vendor_consents == whole.vendor_consents, "a prefix changes vendors")
        _must(
            shorter.publisher_restrictions == whole.publisher_restrictions,
            "a prefix drops a restriction",
        )
        disclosed = set(shorter.disclosed_vendors or ()) - set(whole.disclosed_vendors or ())
        _must(not disclosed, "a prefix discloses more vendors")


def _try_gpp(text: str) -> None:
    try:
        gpp = decode_gpp(text)
        for section_id in gpp.section_ids:
            gpp.decode(section_id)
    except (MalformedSignalError, UnsupportedSignalError):
        return


def _must(holds: bool, claim: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not holds:
        raise AssertionError(claim)


if __name__ == "__main__":
    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()
