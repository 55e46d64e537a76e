"""`EventRow`: one event as a message brings it, checked field by field."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from seg1._checks import to_us
from seg1._types import Id
from seg1.errors import Seg1Error
from seg1.events.ids import as_id

__all__ = ["EventRow"]


def _told(error: Seg1Error) -> ValueError:
    return ValueError(str(error))  # the type that pydantic gathers; our words name no value


def _checked_id(value: Any) -> Id:  # noqa: ANN401  # whatever the message held
    try:
        return as_id(value)
    except Seg1Error as error:
        raise _told(error) from None


def _checked_time(value: Any) -> int:  # noqa: ANN401  # the same
    try:
        return to_us(value, name="time")
    except Seg1Error as error:
        raise _told(error) from None


class EventRow(BaseModel):
    """One event, for messages that pydantic parses; frozen and strict.

    `Events.from_rows` takes them as it takes mappings. In JSON a time is int microseconds.

    Attributes
    ----------
    customer, item
        Ids: str of 1 to 256 bytes of UTF-8, or int64.
    time
        int microseconds UTC; an aware datetime becomes that.
    value
        A finite number.
    kind
        What kind of event it is.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from seg1 import Events
    >>> row = EventRow(customer="ana", item=7, time=datetime(2026, 1, 1, tzinfo=UTC), kind="view")
    >>> Events.from_rows([row], value="value", kind="kind")
    Events(1 events, 1 customers, 1 items, dropped 0)
    """

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )

    customer: Annotated[Id, BeforeValidator(_checked_id)] = Field(repr=False)
    item: Annotated[Id, BeforeValidator(_checked_id)] = Field(repr=False)
    time: Annotated[int | datetime, BeforeValidator(_checked_time)]
    value: float = Field(default=1.0, repr=False)
    kind: str = Field(default="event", min_length=1)
