"""Rollouts kept beyond their step, the same on every rank."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import allot
import numpy as np

from ..held import Held
from .rollouts import Rollout


class Store(Held[Rollout]):
    def __init__(self, limit_mib: float) -> None:
        super().__init__(limit_mib, size_of)

    def wanted(self, batch: allot.Batch, rollouts: dict[int, Rollout]) -> list[Rollout]:
        """Rollouts to be held that have no log-probabilities yet."""
        found = (rollouts[i] for i in batch.hold.tolist())
        return [rollout for rollout in found if rollout.logps is None]

    def state(self, rows: bool) -> dict[str, Any]:
        """`rows`: the rows of the data set, too, because they cannot be found again by prompt."""
        held = [described(one, rows) for one in self._held.values()]
        return {"lost": self._lost, "held": held}

    def restore(self, state: dict[str, Any], row_of: Callable[[int], dict[str, Any]]) -> None:
        """What `state` was."""
        held = {}
        for one in state["held"]:
            row = one.pop("row", None) or row_of(one["prompt"])
            logps = np.array(one.pop("logps"), np.float32)
            held[one["id"]] = Rollout(row=row, logps=logps, **one)
        self.load(held, state["lost"])


def size_of(rollout: Rollout) -> int:
    """Bytes, roughly: Python's lists of numbers and the text."""
    tokens = len(rollout.prompt_ids) + len(rollout.completion_ids)
    return 40 * tokens + 4 * len(str(rollout.completion)) + 1024


def described(rollout: Rollout, row: bool) -> dict[str, Any]:
    """Without the columns of log_extra: the step they were logged in is over."""
    out = {field.name: getattr(rollout, field.name) for field in fields(rollout)}
    out["logps"] = rollout.logps.tolist() if rollout.logps is not None else []
    del out["extra"]
    if not row:
        del out["row"]
    return out
