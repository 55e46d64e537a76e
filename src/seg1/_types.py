"""The few types that every room shares."""

from datetime import datetime
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["At", "Bools", "Float32s", "Float64s", "Id", "Int8s", "Int32s", "Int64s"]

Id: TypeAlias = str | int
"""The caller's name of a customer or an item."""

At: TypeAlias = datetime | int
"""A moment at the door: an aware datetime, or int64 microseconds UTC."""

Bools: TypeAlias = NDArray[np.bool_]
Int8s: TypeAlias = NDArray[np.int8]
Int32s: TypeAlias = NDArray[np.int32]
Int64s: TypeAlias = NDArray[np.int64]
Float32s: TypeAlias = NDArray[np.float32]
Float64s: TypeAlias = NDArray[np.float64]
