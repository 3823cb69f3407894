"""Which prompt a row of the data set is: keys, their index, refusals where two rows share one."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import allot
import numpy as np
from numpy.typing import NDArray

Key = str | Callable[[Mapping[str, Any]], "int | str"] | None
Row = Mapping[str, Any]
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def canonical(value: object, unknown: Callable[[object], str] = repr) -> str:
    """Text that is the same for equal values, whatever the order of their keys; `unknown` makes
    text of what JSON does not know."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=unknown)


def prompt_text(row: Row, host: str) -> str:
    if "prompt" not in row:
        raise allot.DataError(
            f"[{host}] a row has the columns {', '.join(row)}; 'prompt' is needed by allot"
        )
    prompt = row["prompt"]
    return prompt if isinstance(prompt, str) else canonical(prompt)


def content(row: Row) -> str:
    """A key for rows that have none: everything that is in them."""
    return canonical(dict(row))


def digest(row: Row) -> int:
    """Tells rows apart that have the same key."""
    return allot.prompt_id(content(row))


def facts(row: Row) -> int:
    """Stands for a row's prompt and answers, in any process: without a belief about the prompt,
    and without places in memory (an image is known by its kind and size)."""
    kept = {name: value for name, value in row.items() if name != "prior_pass_rate"}
    return allot.prompt_id(canonical(kept, lambda value: ADDRESS.sub("", repr(value))))


def prior_pass_rate(row: Row, host: str) -> float | None:
    """What the data set says of the prompt before its first rollout; None where it says nothing."""
    value = row.get("prior_pass_rate")
    if value is None or value != value:  # NaN is how tables write a missing number
        return None
    if isinstance(value, (int, float, np.number)) and 0 <= value <= 1:
        return float(value)
    raise allot.DataError(
        f"[{host}] prior_pass_rate of a row is {value!r}; a number from 0 to 1 is needed. "
        f"The row: {content(row)[:200]}"
    )


class Identity:
    """Gives every row its prompt id, below 2**63, the same in every run and on every rank; `host`
    is the adapter that messages name, `otherwise` what its user does to have rows hashed."""

    def __init__(
        self, key: Key, columns: Sequence[str] | None, host: str, otherwise: str | None = None
    ) -> None:
        self.host = host
        self._otherwise = otherwise or f"key=allot.{host}.content hashes whole rows"
        self.found = key is None and columns is not None and "id" in columns
        if self.found:
            key = "id"
        if isinstance(key, str) and columns is not None and key not in columns:
            raise allot.ConfigError(
                f"[{host}] the data set has the columns {', '.join(columns)}; '{key}' was named "
                f"as the key of its rows. Hint: leave `key` out, and the whole row is hashed"
            )
        self.key = key

    @property
    def hashed(self) -> bool:
        """Ids come from the content: rows of one prompt and another answer stay apart."""
        return self.key is None

    def __call__(self, row: Row) -> int:
        if self.key is None:
            apart = ("prompt", "prior_pass_rate")  # a belief is no part of what a prompt is
            rest = {name: value for name, value in row.items() if name not in apart}
            return allot.prompt_id(prompt_text(row, self.host), canonical(rest))
        value = row.get(self.key) if isinstance(self.key, str) else self.key(row)
        if isinstance(value, str):
            return allot.prompt_id(value)
        if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
            if 0 <= value < 2**63:
                return int(value)
        raise allot.DataError(
            f"[{self.host}] the key of a row is {value!r}; text or a whole number from 0 to "
            f"2**63 - 1 is needed. The row: {content(row)[:200]}. Hint: {self.hint}"
        )

    @property
    def hint(self) -> str:
        if self.found:
            return f"the column `id` was taken for the key; {self._otherwise}"
        return self._otherwise


class Index:
    """The rows of a data set that can be indexed, by prompt id. 16 bytes per row, and 4 more where
    rows have a prior_pass_rate. `hash` stands for its prompts and answers, whatever their order."""

    def __init__(self, rows: Any, identity: Identity) -> None:
        self._rows, self._hint, self._host = rows, identity.hint, identity.host
        self._log = logging.getLogger(f"allot.{identity.host}")
        count = len(rows)
        ids, texts, known = (np.zeros(count, np.int64) for _ in range(3))
        self._rates: NDArray[np.float32] | None = None
        for i, row in enumerate(rows):
            rate = prior_pass_rate(row, self._host)
            if rate is not None:
                if self._rates is None:
                    self._rates = np.full(count, np.nan, np.float32)
                self._rates[i] = rate
            ids[i] = identity(row)
            texts[i] = allot.prompt_id(prompt_text(row, self._host))
            known[i] = facts(row)
        order = np.argsort(ids, kind="stable")
        same = order[1:][ids[order[1:]] == ids[order[:-1]]]
        first = order[np.searchsorted(ids[order], ids[same])]
        for one, other in zip(first.tolist(), same.tolist()):
            if content(rows[one]) != content(rows[other]):
                self._refuse(ids[one], one, other)
        if len(same):
            self._log.warning(
                "[%s] %d rows of the data set repeat another one, the first is row %d; each "
                "prompt is used once per pass",
                self._host,
                len(same),
                int(same.min()),
            )
        if identity.hashed:
            self._warn_of_answers(ids, texts)
        keep = np.ones(count, bool)
        keep[same] = False
        self._order = order[keep[order]]
        self._sorted = ids[self._order]
        self.ids = ids[keep]  # in the order of the data set
        self.hash = hash_of(self._sorted, known[self._order])

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, prompt: int) -> dict[str, Any]:
        return dict(self._rows[self.position(prompt)])

    def prior_pass_rate(self, prompt: int) -> float | None:
        if self._rates is None:
            return None
        rate = float(self._rates[self.position(prompt)])
        return None if rate != rate else rate

    def position(self, prompt: int) -> int:
        """Where the data set has the prompt, its first place if it is repeated."""
        at = int(np.searchsorted(self._sorted, prompt))
        if at == len(self._sorted) or self._sorted[at] != prompt:
            raise allot.DataError(f"[{self._host}] prompt {prompt} is not in the data set")
        return int(self._order[at])

    def _refuse(self, key: int, one: int, other: int) -> None:
        raise allot.DataError(
            f"[{self._host}] rows {one} and {other} of the data set have one key ({key}) and "
            f"differ: {content(self._rows[one])[:120]} and "
            f"{content(self._rows[other])[:120]}; keys must be distinct. "
            f"Hint: {self._hint}"
        )

    def _warn_of_answers(self, ids: NDArray[Any], texts: NDArray[Any]) -> None:
        order = np.lexsort((ids, texts))
        again = (texts[order[1:]] == texts[order[:-1]]) & (ids[order[1:]] != ids[order[:-1]])
        if not again.any():
            return
        first, second = np.sort(np.stack([order[:-1], order[1:]])[:, again], axis=0)
        at = int(np.argmin(second))
        self._log.warning(
            "[%s] %d rows have the prompt of another row and different answers or columns, the "
            "first are rows %d and %d; they are kept apart as prompts of their own",
            self._host,
            int(again.sum()),
            int(first[at]),
            int(second[at]),
        )


def hash_of(ids: NDArray[np.int64], known: NDArray[np.int64]) -> int:
    """64 bits of sorted ids and what their rows hold; other rows, or more or fewer, have others."""
    pairs = np.stack([ids, known], axis=1).astype("<i8")
    return int.from_bytes(hashlib.blake2b(pairs.tobytes(), digest_size=8).digest(), "little")
