"""Rows of a training batch, and the form in which a Tinker server takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tinker
from numpy.typing import NDArray


@dataclass
class Row:
    """One response to train on. `counted`: how many of its first tokens have weight 1; the
    advantage stands at the first `pushed` of them. Both are all tokens but in the probe."""

    prompt: Sequence[int]  # at least one token
    tokens: Sequence[int]
    logps: Sequence[float] | NDArray[Any]  # of the denominator of the ratio
    advantage: float  # of every token, normaliser included
    counted: int = -1
    pushed: int = -1

    def __post_init__(self) -> None:
        self.counted = len(self.tokens) if self.counted < 0 else self.counted
        self.pushed = len(self.tokens) if self.pushed < 0 else self.pushed

    @property
    def positions(self) -> int:
        """Of the whole row, as the server sees them: every token but the first is a target."""
        return len(self.prompt) - 1 + len(self.tokens)


def datum(row: Row, with_weights: bool) -> Any:
    """Targets are the tokens moved by one; prompt positions have advantage and weight 0."""
    tokens = [*row.prompt, *row.tokens]
    before, count = len(row.prompt) - 1, len(row.tokens)
    advantages = np.zeros(before + count, np.float32)
    advantages[before : before + row.pushed] = row.advantage
    inputs = {
        "target_tokens": np.array(tokens[1:], np.int64),
        "logprobs": np.concatenate([np.zeros(before), row.logps]).astype(np.float32),
        "advantages": advantages,
    }
    if with_weights:
        weights = np.zeros(before + count, np.float32)
        weights[before : before + row.counted] = 1
        inputs["weights"] = weights
    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            name: tinker.TensorData.from_numpy(array) for name, array in inputs.items()
        },
    )


def calls_of(rows: list[Row], most_rows: int, most_positions: int) -> list[list[Row]]:
    """Cuts a batch into calls, so that the client does not cut it where we cannot see it."""
    calls: list[list[Row]] = []
    positions = 0
    for row in rows:
        if not calls or len(calls[-1]) == most_rows or positions + row.positions > most_positions:
            calls.append([])
            positions = 0
        calls[-1].append(row)
        positions += row.positions
    return calls
