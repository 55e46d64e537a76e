"""The tree of errors: one root, each also the builtin it refines, each fit to travel."""

import pickle
import re

import pytest

from seg1 import errors
from seg1.errors import BadRowError, InvalidArgumentError, InvalidTypeError, Seg1Error

ALL: list[type[Seg1Error]] = [getattr(errors, name) for name in errors.__all__]
BUILTINS = {
    "InvalidArgumentError": ValueError, "EmptyCompositionError": ValueError,
    "NoInteractionsError": ValueError, "BadRowError": ValueError, "InvalidTypeError": TypeError,
    "WrongIdTypeError": TypeError, "PluginError": TypeError, "UnknownIdError": LookupError,
    "MissingColumnError": LookupError, "DamagedError": OSError, "ConsentStoreError": OSError,
    "JournalError": OSError, "AuditError": OSError, "NotSupportedError": ValueError,
    "MalformedSignalError": ValueError, "UnsupportedSignalError": ValueError,
    "MissingExtraError": ImportError, "ForkedFitError": RuntimeError,
}  # fmt: skip


@pytest.mark.parametrize("error", ALL)
def test_every_error_is_ours_and_the_builtin_it_refines(error: type[Seg1Error]) -> None:
    assert issubclass(error, Seg1Error)
    assert issubclass(error, BUILTINS.get(error.__name__, Exception))


def test_every_error_is_listed_and_drawn_in_the_tree() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Seg1Error)
    }

    drawn = set(re.findall(r"\b\w+Error\b", errors.__doc__ or "")) - {
        builtin.__name__ for builtin in BUILTINS.values()
    }

    assert defined == set(errors.__all__) == drawn
    assert defined == {*BUILTINS, "Seg1Error"}


@pytest.mark.parametrize("error", [error for error in ALL if error is not BadRowError])
def test_an_error_keeps_its_message_over_a_process_boundary(error: type[Seg1Error]) -> None:
    copied = pickle.loads(pickle.dumps(error("what, which, what to do")))  # noqa: S301  # our own bytes

    assert type(copied) is error
    assert str(copied) == "what, which, what to do"


def test_a_bad_row_error_says_what_where_and_what_to_do() -> None:
    error = BadRowError(3, column="when", reason="missing")

    assert str(error) == (
        "row 3, column 'when': missing; mend the row, or pass bad_rows=\"drop\" to leave such "
        "rows out and count them"
    )


def test_an_argument_error_is_no_type_error() -> None:
    assert not issubclass(InvalidArgumentError, TypeError)
    assert not issubclass(InvalidTypeError, ValueError)
