"""Rollouts kept beyond their step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import allot

R = TypeVar("R")


class Held(Generic[R]):
    """Holds what the method asked for, up to `limit_mib`; the oldest go first.

    Args:
        size_of: bytes of a rollout, roughly.
    """

    def __init__(self, limit_mib: float, size_of: Callable[[R], int]) -> None:
        self._limit = limit_mib * 2**20
        self._size_of = size_of
        self._held: dict[int, R] = {}
        self._lost: list[int] = []

    @property
    def held(self) -> dict[int, R]:
        return self._held

    @property
    def lost(self) -> list[int]:
        """What had to go since the last take_lost()."""
        return self._lost

    def load(self, held: dict[int, R], lost: list[int]) -> None:
        """What `held` and `lost` were."""
        self._held, self._lost = held, list(lost)

    def update(self, batch: allot.Batch, rollouts: dict[int, R]) -> None:
        for released in batch.release.tolist():
            self._held.pop(released, None)
        for held in batch.hold.tolist():
            self._held[held] = rollouts[held]
        size = sum(map(self._size_of, self._held.values()))
        for oldest in list(self._held):
            if size <= self._limit:
                break
            size -= self._size_of(self._held.pop(oldest))
            self._lost.append(oldest)

    def take_lost(self) -> list[int]:
        """What had to go since the last call."""
        lost, self._lost = self._lost, []
        return lost
