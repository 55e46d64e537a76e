"""What is wrong with a row, by number; and what a column may be before it is read."""

from typing import Any, TypeAlias

__all__ = ["Column", "Problems", "Value", "is_arrow"]

# Any: a column of whatever library the caller uses, and one value of it; none can be trusted.
Column: TypeAlias = Any
Value: TypeAlias = Any


class Problems:
    """Numbers the reasons for which rows cannot be used; 0 means there is none."""

    def __init__(self) -> None:
        self.reasons = ["ok"]

    def number(self, reason: str) -> int:
        """Give a reason its number."""
        if reason not in self.reasons:
            self.reasons.append(reason)
        return self.reasons.index(reason)


def is_arrow(column: Column) -> bool:
    """Whether a column is a pyarrow array; asked without importing pyarrow."""
    return type(column).__module__.split(".")[0] == "pyarrow"
