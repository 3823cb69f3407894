"""Where the prompts of a step come from, and how a row of verl's data is known again.

A method that asks every prompt it is shown gets those of verl's own dataloader, in its order. One
that chooses among more, or asks for further ones within the step, draws from the data set itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import allot
import numpy as np

from ..draws import Draws
from ..identity import Identity, Index

# Id, epoch, embedding, prior pass rate.
Shown = tuple[int, int, "Sequence[float] | None", "float | None"]

# What a prompt is: its messages and what its answer is judged by. Other columns (an index above
# all) may differ between two rows of one prompt.
CONTENT = ("reward_model", "data_source")
HASHED = "without allot.key, messages, reward_model and data_source are hashed"


def view(row: Mapping[str, Any], prompt_key: str, columns: Sequence[str]) -> dict[str, Any]:
    """A row as it is known by: of the data set's table, or of a batch of verl's dataloader."""
    messages = row["raw_prompt"] if "raw_prompt" in row else row[prompt_key]
    out = {"prompt": plain(messages)}
    out.update((name, plain(row.get(name))) for name in CONTENT)
    for name in columns:
        value: Any = row
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        out[name] = plain(value)
    if "prior_pass_rate" in row:
        out["prior_pass_rate"] = plain(row["prior_pass_rate"])
    return out


def plain(value: Any) -> Any:
    """Lists and dicts, whatever a parquet file or a tensor dict has made of them."""
    value = getattr(value, "data", value) if type(value).__name__ == "NonTensorData" else value
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


class Table:
    """The data set as the index reads it."""

    def __init__(self, dataset: Any, prompt_key: str, columns: Sequence[str]) -> None:
        self._table = getattr(dataset, "dataframe", dataset)
        self._prompt_key, self._columns = prompt_key, columns

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, i: int) -> dict[str, Any]:
        return view(self._table[i], self._prompt_key, self._columns)


class Candidates(Draws):
    """Args: fetch() gives rows of verl's next batch."""

    def __init__(
        self,
        needs: Mapping[str, Any],
        dataset: Any,
        groups: int,
        settings: Any,
        prompt_key: str,
        fetch: Callable[[], list[Mapping[str, Any]]],
    ) -> None:
        columns = [settings.key] if settings.key else []
        columns += [settings.embedding] if needs["embedding"] else []
        table = Table(dataset, prompt_key, columns)
        self._identity = Identity(settings.key, None, "verl", HASHED)
        self.index = Index(table, self._identity)
        if not len(self.index):
            raise allot.DataError("[verl] the training data has no rows; prompts are needed")
        wants = cast(allot.Needs, SimpleNamespace(**needs))  # of a Controller in another process
        super().__init__(wants, self.index, groups, settings.seed, settings.embedding, "verl")
        self._view = partial(view, prompt_key=prompt_key, columns=columns)
        self._fetch = fetch
        chooses = needs["draw"] != "stream" or needs["candidate_factor"] != 1
        self.own = chooses or needs["refill"]

    def first(self, step: int, epoch: int, groups: int) -> list[Shown]:
        """The candidates of a step that wants so many groups."""
        if self.own:
            self._wanted = round(groups * self._needs.candidate_factor)
            return described(self.draw(step, epoch))
        found: dict[int, allot.Prompt] = {}
        repeats = 0
        while len(found) < groups and repeats < len(self.index):  # a data set below a batch ends
            for row in self._fetch():
                prompt = self._identity(self._view(row))
                repeats += prompt in found
                found.setdefault(prompt, self._prompt(prompt, epoch))
        return described(list(found.values())[:groups])

    def further(self, wanted: int) -> list[Shown]:
        return described(self.more(wanted))


def described(prompts: Any) -> list[Shown]:
    return [
        (one.id, one.epoch, list(one.embedding) or None, one.prior_pass_rate) for one in prompts
    ]
