"""When the households can be reached: some of their real visits after the split, in time order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from seg1._checks import DAY_US
from seg1._types import Id, Int64s
from seg1.bandit import ContextSchema
from seg1.demo.campaigns import SEGMENTS
from seg1.demo.extract import Extract

__all__ = ["MOST_PER_HOUSEHOLD", "SCHEMA", "Contact", "list_contacts"]

MOST_PER_HOUSEHOLD: Final = 5
"""At most so many contacts of one household, so that few households do not make up the log."""

SCHEMA: Final = ContextSchema(categorical={"segment": SEGMENTS})
"""What is told about a contact: the household's segment. Affinities the recommender adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A visit at which a coupon can be offered.

    Attributes
    ----------
    id
        Id of its decision.
    household, at_us
        Whose, and when, microseconds UTC.
    segment
        Position in `SEGMENTS`.
    context
        What `SCHEMA` declares.
    """

    id: str
    household: Id
    at_us: int
    segment: int
    context: Mapping[str, object]


def list_contacts(
    extract: Extract, *, segment_of: Mapping[Id, int], from_us: int, most: int
) -> tuple[Contact, ...]:
    """List up to `most` contacts of the households in time order.

    A visit is the first receipt of a household on a day. Of those from `from_us` on each household
    has at most `MOST_PER_HOUSEHOLD`, evenly spaced among its visits. No two are at one moment: of
    those that would be, each but the first is a microsecond later than the one before.

    Parameters
    ----------
    extract
        The data.
    segment_of
        Household to segment; told from the weeks before.
    from_us
        The first moment.
    most
        How many contacts at most; those that come first.
    """
    found: list[tuple[int, Id]] = []
    for household, visits_us in _visits(extract).items():
        after = [at_us for at_us in visits_us if at_us >= from_us]
        places = np.linspace(0, len(after) - 1, min(len(after), MOST_PER_HOUSEHOLD)).round()
        found += [(after[place], household) for place in places.astype(int).tolist()]
    return tuple(
        Contact(
            id=f"contact-{number:04}",
            household=household,
            at_us=at_us,
            segment=segment_of[household],
            context={"segment": SEGMENTS[segment_of[household]]},
        )
        for number, (at_us, household) in enumerate(_in_order(found)[:most])
    )


def _in_order(found: list[tuple[int, Id]]) -> list[tuple[int, Id]]:
    """Sort by time, and part what stands at one moment."""
    ordered: list[tuple[int, Id]] = []
    latest_us = -1
    for at_us, household in sorted(found, key=lambda visit: visit[0]):
        latest_us = max(at_us, latest_us + 1)
        ordered.append((latest_us, household))
    return ordered


def _visits(extract: Extract) -> dict[Id, list[int]]:
    """Give each household's visits, rising: the first receipt of each day."""
    times: Int64s = extract.receipts["time"]
    households: Int64s = extract.receipts["household_id"]
    order = np.lexsort((times, households))
    days = times[order] // DAY_US
    is_first = np.ones(len(order), dtype=np.bool_)
    is_first[1:] = (days[1:] != days[:-1]) | (households[order][1:] != households[order][:-1])
    visits: dict[Id, list[int]] = {}
    for household, at_us in zip(
        households[order][is_first].tolist(), times[order][is_first].tolist(), strict=True
    ):
        visits.setdefault(household, []).append(at_us)
    return visits
