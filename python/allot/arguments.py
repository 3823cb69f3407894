"""Types of what callers hand in. Imported by type checkers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ._core import Outcome, Outcomes, Prompt

PromptsLike: TypeAlias = "Sequence[int | str | bytes | Prompt] | NDArray[np.integer[Any]]"
# A column is an array (numpy, torch on the CPU) or a list; see docs/python.md for its values.
Column: TypeAlias = Any
OutcomesLike: TypeAlias = (
    "Outcomes | Mapping[str, Column] | Sequence[Outcome] | Sequence[Mapping[str, object]]"
)
