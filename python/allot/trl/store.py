"""Rollouts kept beyond their step, the same on every rank, and the file that a checkpoint gets."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import allot
import numpy as np

from .rollouts import Rollout

FILE = "allot.npz"
VERSION = 1


class Store:
    """Holds what the method asked for, up to `limit_mib`; the oldest go first."""

    def __init__(self, limit_mib: float) -> None:
        self._limit = limit_mib * 2**20
        self._held: dict[int, Rollout] = {}
        self._lost: list[int] = []

    @property
    def held(self) -> dict[int, Rollout]:
        return self._held

    def wanted(self, batch: allot.Batch, rollouts: dict[int, Rollout]) -> list[Rollout]:
        """Rollouts to be held that have no log-probabilities yet."""
        found = (rollouts[i] for i in batch.hold.tolist())
        return [rollout for rollout in found if rollout.logps is None]

    def update(self, batch: allot.Batch, rollouts: dict[int, Rollout]) -> None:
        for released in batch.release.tolist():
            self._held.pop(released, None)
        for held in batch.hold.tolist():
            self._held[held] = rollouts[held]
        size = sum(map(size_of, self._held.values()))
        for oldest in list(self._held):
            if size <= self._limit:
                break
            size -= size_of(self._held.pop(oldest))
            self._lost.append(oldest)

    def take_lost(self) -> list[int]:
        """What had to go since the last call."""
        lost, self._lost = self._lost, []
        return lost

    def state(self, rows: bool) -> dict[str, Any]:
        """`rows`: the rows of the data set, too, because they cannot be found again by prompt."""
        held = [described(one, rows) for one in self._held.values()]
        return {"lost": self._lost, "held": held}

    def load(self, state: dict[str, Any], row_of: Callable[[int], dict[str, Any]]) -> None:
        self._lost = list(state["lost"])
        self._held = {}
        for one in state["held"]:
            row = one.pop("row", None) or row_of(one["prompt"])
            logps = np.array(one.pop("logps"), np.float32)
            self._held[one["id"]] = Rollout(row=row, logps=logps, **one)


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


def save(folder: str | os.PathLike[str], header: dict[str, Any], controller: bytes) -> None:
    """Writes FILE into the folder, whole or not at all."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    path, aside = Path(folder) / FILE, Path(folder) / f".{FILE}.part"
    # A checkpoint is never lost to a column that JSON does not know; such a value becomes text.
    text = json.dumps({"version": VERSION, **header}, default=str)
    with open(aside, "wb") as file:
        np.savez(
            file,
            header=np.frombuffer(text.encode(), np.uint8),
            controller=np.frombuffer(controller, np.uint8),
        )
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)


def load(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], bytes]:
    path = Path(folder) / FILE
    if not path.exists():
        raise allot.ModelError(
            f"[trl] {folder} has no {FILE}; a checkpoint that was written with an allocation is "
            f"needed. Hint: allocation='uniform' goes on from a checkpoint of TRL alone"
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(file["header"].tobytes())
            controller = file["controller"].tobytes()
    except (ValueError, OSError, KeyError, EOFError, BadZipFile) as error:
        raise allot.ModelError(f"[trl] {path} cannot be read: {error}; it is damaged") from error
    if header.get("version") != VERSION:
        raise allot.ModelError(
            f"[trl] {path} has version {header.get('version')}; {VERSION} is known"
        )
    return header, controller
