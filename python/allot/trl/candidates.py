"""Where the prompts of a step come from.

A method that asks every prompt it is shown gets TRL's own rows, in TRL's order. One that chooses
among more, or asks for further ones within the step, draws from the same data set itself: the
sampler fixes its batches ahead, before any reward of this step is known.
"""

from __future__ import annotations

import allot

from ..draws import Draws, Row
from ..identity import Identity, Index, digest


class Candidates(Draws):
    def __init__(
        self,
        needs: allot.Needs,
        identity: Identity,
        index: Index | None,
        groups: int,
        seed: int,
        embedding: str,
    ) -> None:
        super().__init__(needs, index, groups, seed, embedding, "trl")
        self._identity = identity
        self.own = needs.draw != "stream" or needs.candidate_factor != 1 or needs.refill
        self._digests: dict[int, int] = {}
        if self.own and index is None:
            raise allot.ConfigError(
                "[trl] the method chooses among more prompts than it asks, and the data set can "
                "only be iterated; one that can be indexed is needed. Hint: load it without "
                "streaming, or use a method that asks every prompt (grpo, aero, ar3po, ...)"
            )

    def first(self, rows: list[Row], step: int, epoch: int) -> list[allot.Prompt]:
        """The candidates a step begins with; `rows` are those of TRL's batch, on all ranks."""
        if self.own:
            return self.draw(step, epoch)
        self._shown.clear()
        for row in rows:
            self._take(row)
        return [self._prompt(prompt, epoch) for prompt in self._shown]

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
