"""TC strings of others' test suites: what they say is read, and what is broken is refused."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from seg1.consent import TCString, decode_tc
from seg1.errors import MalformedSignalError

FOLDER = os.environ.get("SEG1_DATA")
FILE = Path(FOLDER or "") / "tcf" / "tc_strings.json"
NAMES = {
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
SETS = {
    "specialFeatureOptins": "special_feature_opt_ins",
    "purposeConsents": "purpose_consents",
    "purposeLegitimateInterests": "purpose_legitimate_interests",
    "vendorConsents": "vendor_consents",
    "vendorLegitimateInterests": "vendor_legitimate_interests",
    "vendorsDisclosed": "disclosed_vendors",
    "vendorsAllowed": "allowed_vendors",
}
PUBLISHER_SETS = {
    "publisherConsents": "purpose_consents",
    "publisherLegitimateInterests": "purpose_legitimate_interests",
    "publisherCustomConsents": "custom_consents",
    "publisherCustomLegitimateInterests": "custom_legitimate_interests",
}

pytestmark = pytest.mark.skipif(
    not FOLDER or not FILE.exists(), reason="set SEG1_DATA to a folder that has tcf/tc_strings.json"
)


def vectors(kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(FILE.read_text())[kind] if FILE.exists() else []
    return found


def said(tc: TCString) -> dict[str, Any]:
    """Put a decoded string into the words of the vectors."""
    words: dict[str, Any] = {theirs: getattr(tc, ours) for theirs, ours in NAMES.items()}
    words |= {"created": tc.created_us // 100_000, "lastUpdated": tc.updated_us // 100_000}
    for theirs, ours in SETS.items():
        if getattr(tc, ours) is not None:
            words[theirs] = list(getattr(tc, ours))
    words["publisherRestrictions"] = [
        {
            "purposeId": r.purpose,
            "restrictionType": int(r.kind),
            "vendors": [v for start, end in r.vendors for v in range(start, end + 1)],
        }
        for r in tc.publisher_restrictions
    ]
    if tc.publisher is not None:
        words["numCustomPurposes"] = tc.publisher.n_custom
        words |= {
            theirs: list(getattr(tc.publisher, ours)) for theirs, ours in PUBLISHER_SETS.items()
        }
    return words


@pytest.mark.parametrize("vector", vectors("positive"), ids=lambda v: v["tc_string"][:16])
def test_what_others_wrote_is_read(vector: dict[str, Any]) -> None:
    words = said(decode_tc(vector["tc_string"]))

    of_coding = {"maxVendorConsents", "vendorConsentsIsRange", "maxVendorLI", "vendorLIIsRange"}
    decoded = {name: told for name, told in vector["decoded"].items() if name not in of_coding}
    assert {name: words.get(name) for name in decoded} == decoded
    assert set(words) - set(decoded) == set()


@pytest.mark.parametrize("vector", vectors("negative"), ids=lambda v: v["tc_string"][-16:])
def test_what_others_refuse_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(MalformedSignalError):
        decode_tc(vector["tc_string"])
