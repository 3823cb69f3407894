"""Which prompts a step shows to the method, where an adapter draws them from its data itself."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import allot
import numpy as np
from numpy.typing import NDArray

from .identity import Index, prior_pass_rate

Row = dict[str, Any]


class Draws:
    """Prompts of an index as a method wants them: passes in random order, a draw per step, or all.

    Args:
        needs: of the method: draw, candidate_factor, embedding.
        index: None where the caller has rows of its own and draws none from it.
        groups: wanted per step.
        embedding: the column with a prompt's embedding, for methods that need one.
        host: the adapter that messages name.
    """

    def __init__(
        self,
        needs: allot.Needs,
        index: Index | None,
        groups: int,
        seed: int,
        embedding: str,
        host: str,
    ) -> None:
        self._needs = needs
        self._index = index
        self._seed = seed
        self._embedding = embedding if needs.embedding else None
        self._host = host
        self._wanted = round(groups * needs.candidate_factor)
        self._shown: dict[int, Row | None] = {}  # of this step; None: still in the index
        self._pass = self._cursor = 0  # of the stream
        self._order: NDArray[np.int64] = np.zeros(0, np.int64)

    def draw(self, step: int, epoch: int = 0) -> list[allot.Prompt]:
        """The candidates a step begins with; `epoch` stands with those that are no stream."""
        self._shown.clear()
        assert self._index is not None
        if self._needs.draw == "pool":
            ids = self._index.ids.tolist()
        elif self._needs.draw == "uniform":
            draw = random.Random(f"{self._seed}/{step}")
            count = min(self._wanted, len(self._index))
            ids = [int(self._index.ids[i]) for i in draw.sample(range(len(self._index)), count)]
        else:
            return self.more(self._wanted)
        self._shown = dict.fromkeys(ids)
        return [self._prompt(prompt, epoch) for prompt in ids]

    def more(self, wanted: int) -> list[allot.Prompt]:
        """Further prompts, none shown before in the step; fewer where the data set ends."""
        found: list[allot.Prompt] = []
        assert self._index is not None
        while len(found) < wanted and len(self._shown) < len(self._index):
            if self._cursor == len(self._order):
                self._shuffle(self._pass + 1)
            prompt = int(self._index.ids[self._order[self._cursor]])
            self._cursor += 1
            if prompt not in self._shown:
                self._shown[prompt] = None
                found.append(self._prompt(prompt, self._pass - 1))
        return found

    def row(self, prompt: int) -> Row:
        """A row of the caller's own, who may add columns to it."""
        row = self._shown.get(prompt)
        if row is not None:
            return dict(row)
        assert self._index is not None
        return self._index.row(prompt)

    def state(self) -> dict[str, int]:
        return {"pass": self._pass, "cursor": self._cursor}

    def load(self, state: Mapping[str, int]) -> None:
        if state["pass"] > 0:
            self._shuffle(state["pass"])
        self._cursor = state["cursor"]

    def _shuffle(self, number: int) -> None:
        assert self._index is not None
        self._pass, self._cursor = number, 0
        generator = np.random.Generator(np.random.PCG64([self._seed, number]))
        self._order = generator.permutation(len(self._index))

    def _prompt(self, prompt: int, epoch: int) -> allot.Prompt:
        rate = self._prior(prompt)
        if self._embedding is None:
            return allot.Prompt(prompt, epoch=max(epoch, 0), prior_pass_rate=rate)
        row = self.row(prompt)
        if row.get(self._embedding) is None:
            raise allot.DataError(
                f"[{self._host}] the method needs an embedding of every prompt and a row has none "
                f"in the column '{self._embedding}'. The row: {str(row)[:200]}"
            )
        return allot.Prompt(
            prompt,
            epoch=max(epoch, 0),
            embedding=row[self._embedding],
            prior_pass_rate=rate,
        )

    def _prior(self, prompt: int) -> float | None:
        row = self._shown.get(prompt)
        if row is not None:
            return prior_pass_rate(row, self._host)
        return None if self._index is None else self._index.prior_pass_rate(prompt)
