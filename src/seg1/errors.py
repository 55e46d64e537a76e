"""Every error seg1 raises, one tree; each is also the builtin it refines.

No message holds a customer id, a feature or a consent string: rows, counts and kinds only.

::

    Seg1Error
    +-- InvalidArgumentError (ValueError)      an argument out of its range
    |   +-- EmptyCompositionError              all_of() or any_of() of nothing
    |   +-- NoInteractionsError                nothing is left to learn from
    +-- InvalidTypeError (TypeError)           an argument of the wrong type
    |   +-- WrongIdTypeError                   str asked of int ids, or the reverse
    |   +-- PluginError                        a plug-in answered in the wrong form
    +-- UnknownIdError (LookupError)           an id that the vocabulary does not hold
    +-- MissingColumnError (LookupError)       a table lacks a column that was named
    +-- BadRowError (ValueError)               one row of a table cannot be used
    +-- MalformedSignalError (ValueError)      a consent string is not what its standard says
    +-- UnsupportedSignalError (ValueError)    a part of a consent string is not read here
    +-- NotSupportedError (ValueError)         a log cannot carry the figure asked for
    +-- DamagedError (OSError)                 a file or folder is not what was written
    +-- ConsentStoreError (OSError)            the consent store cannot be read or written
    +-- AuditError (OSError)                   the audit trail is broken or cannot be written
    +-- JournalError (OSError)                 the journal cannot be read or written
    +-- MissingExtraError (ImportError)        an optional dependency is not installed
    +-- ForkedFitError (RuntimeError)          a fit in a forked child would hang
"""

__all__ = [
    "AuditError",
    "BadRowError",
    "ConsentStoreError",
    "DamagedError",
    "EmptyCompositionError",
    "ForkedFitError",
    "InvalidArgumentError",
    "InvalidTypeError",
    "JournalError",
    "MalformedSignalError",
    "MissingColumnError",
    "MissingExtraError",
    "NoInteractionsError",
    "NotSupportedError",
    "PluginError",
    "Seg1Error",
    "UnknownIdError",
    "UnsupportedSignalError",
    "WrongIdTypeError",
]


class Seg1Error(Exception):
    """Root of every error that seg1 raises on purpose.

    Examples
    --------
    >>> import seg1
    >>> try:
    ...     seg1.ALS(factors=0)
    ... except seg1.Seg1Error as error:
    ...     print(error)
    factors must be an int >= 1, got 0
    """


class InvalidArgumentError(Seg1Error, ValueError):
    """An argument has the right type and a value that cannot be used."""


class EmptyCompositionError(InvalidArgumentError):
    """``all_of()`` or ``any_of()`` got no filter.

    An empty ``any_of`` denies, so its negation would allow everybody: it is refused instead.
    """


class NoInteractionsError(InvalidArgumentError):
    """After consent, kinds, values and minimum counts, no interaction is left."""


class InvalidTypeError(Seg1Error, TypeError):
    """An argument has a type that cannot be used."""


class WrongIdTypeError(InvalidTypeError):
    """A vocabulary of one kind of id (str or int) was asked with the other."""


class PluginError(InvalidTypeError):
    """A plug-in (filter, store, recommender) answered in a form its contract forbids."""


class UnknownIdError(Seg1Error, LookupError):
    """An id is not in the vocabulary. The id itself is not in the message."""


class MissingColumnError(Seg1Error, LookupError):
    """A table has no column of the name that was asked for."""


class BadRowError(Seg1Error, ValueError):
    """A row of a table cannot be used.

    Attributes
    ----------
    row : int
        Position of the row in the table, from 0.
    column : str
        Name of the column in the table.
    reason : str
        What is wrong, without the value.
    """

    def __init__(self, row: int, *, column: str, reason: str) -> None:
        self.row = row
        self.column = column
        self.reason = reason
        super().__init__(
            f'row {row}, column {column!r}: {reason}; mend the row, or pass bad_rows="drop" '
            "to leave such rows out and count them"
        )

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuild from the parts, so that the error survives a process boundary."""
        return _bad_row, (self.row, self.column, self.reason)


def _bad_row(row: int, column: str, reason: str) -> BadRowError:
    return BadRowError(row, column=column, reason=reason)


class MalformedSignalError(Seg1Error, ValueError):
    """A privacy signal is not in the form of its standard. The message never quotes it.

    Examples
    --------
    >>> from seg1.consent import decode_tc
    >>> try:
    ...     decode_tc("COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAA")
    ... except MalformedSignalError as error:
    ...     print(error)
    TC string, core: it ends before the content does
    """


class UnsupportedSignalError(Seg1Error, ValueError):
    """A section of a GPP string, or a version of one, is not read here; the message names it."""


class NotSupportedError(Seg1Error, ValueError):
    """The log cannot carry the figure that was asked for; the message has the quantities."""


class DamagedError(Seg1Error, OSError):
    """A file or folder is missing a part, was changed, or is of a format not known here."""


class ConsentStoreError(Seg1Error, OSError):
    """The consent store cannot be opened, read or written."""


class AuditError(Seg1Error, OSError):
    """The audit trail cannot be opened, read or written, or its chain is broken."""


class JournalError(Seg1Error, OSError):
    """The journal cannot be opened, read or written."""


class MissingExtraError(Seg1Error, ImportError):
    """An optional dependency is needed; the message names the extra to install."""


class ForkedFitError(Seg1Error, RuntimeError):
    """A fit was asked for in a forked child of a process that had fitted before.

    implicit's OpenMP pool does not survive a fork: the call would hang for ever.
    """
