"""The few types that every room shares."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["At", "Bools", "Float32s", "Float64s", "History", "Id", "Int8s", "Int32s", "Int64s"]

Id: TypeAlias = str | int
"""The caller's name of a customer or an item."""

At: TypeAlias = datetime | int
"""A moment at the door: an aware datetime, or int64 microseconds UTC."""

History: TypeAlias = Mapping[str, float] | Mapping[int, float] | Mapping[Id, float]
"""Item to weight: three kinds, because a type checker takes keys to the letter."""

Bools: TypeAlias = NDArray[np.bool_]
Int8s: TypeAlias = NDArray[np.int8]
Int32s: TypeAlias = NDArray[np.int32]
Int64s: TypeAlias = NDArray[np.int64]
Float32s: TypeAlias = NDArray[np.float32]
Float64s: TypeAlias = NDArray[np.float64]
