"""Where the prompts of a step come from.

A method that asks every prompt it is shown gets TRL's own rows, in TRL's order. One that chooses
among more, or asks for further ones within the step, draws from the same data set itself: the
sampler fixes its batches ahead, before any reward of this step is known.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import allot
import numpy as np
from numpy.typing import NDArray

from .identity import Identity, Index, digest

Row = dict[str, Any]


class Candidates:
    def __init__(
        self,
        needs: allot.Needs,
        identity: Identity,
        index: Index | None,
        groups: int,
        seed: int,
        embedding: str,
    ) -> None:
        self._needs = needs
        self._identity = identity
        self._index = index
        self._seed = seed
        self._embedding = embedding if needs.embedding else None
        self._wanted = round(groups * needs.candidate_factor)
        self.own = needs.draw != "stream" or needs.candidate_factor != 1 or needs.refill
        self._shown: dict[int, Row | None] = {}  # of this step; None: still in the index
        self._digests: dict[int, int] = {}
        self._pass = self._cursor = 0  # of the stream
        self._order: NDArray[np.int64] = np.zeros(0, np.int64)
        if self.own and index is None:
            raise allot.ConfigError(
                "[trl] the method chooses among more prompts than it asks, and the data set can "
                "only be iterated; one that can be indexed is needed. Hint: load it without "
                "streaming, or use a method that asks every prompt (grpo, aero, ar3po, ...)"
            )

    def first(self, rows: list[Row], step: int, epoch: int) -> list[allot.Prompt]:
        """The candidates a step begins with; `rows` are those of TRL's batch, on all ranks."""
        self._shown.clear()
        if not self.own:
            for row in rows:
                self._take(row)
            return [self._prompt(prompt, epoch) for prompt in self._shown]
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
        """A row of its own to be handed to TRL, which adds columns to it."""
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

    def _take(self, row: Row) -> None:
        prompt = self._identity(row)
        if self._index is None:  # an index has been checked as a whole
            content = digest(row)
            if self._digests.setdefault(prompt, content) != content:
                raise allot.DataError(
                    f"[trl] two rows have the key {prompt} and differ; keys must be distinct. "
                    f"The second: {str(row)[:200]}"
                )
        self._shown.setdefault(prompt, row)

    def _prompt(self, prompt: int, epoch: int) -> allot.Prompt:
        if self._embedding is None:
            return allot.Prompt(prompt, epoch=max(epoch, 0))
        row = self.row(prompt)
        if row.get(self._embedding) is None:
            raise allot.DataError(
                f"[trl] the method needs an embedding of every prompt and a row has none in the "
                f"column '{self._embedding}'. The row: {str(row)[:200]}"
            )
        return allot.Prompt(prompt, epoch=max(epoch, 0), embedding=row[self._embedding])
