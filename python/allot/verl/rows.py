"""Rows of rollouts in verl's transfer queue: what is trained, what is kept beyond its step.

A rollout is one or several rows (an agent loop may have several outputs) with the keys
"{uid}_{sequence number}_{output}". The queue is cleared after every step; rows that are wanted
later are kept here, in the trainer's memory, and put back when their time comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import transfer_queue as tq
from transfer_queue import KVBatchMeta
from verl.utils.tensordict_utils import list_of_dict_to_tensordict

TRAIN = "train"
NOTHING = "allot-nothing"


@dataclass(frozen=True)
class Rows:
    """All rows of one rollout."""

    keys: list[str]
    tags: list[dict[str, Any]]
    fields: list[dict[str, Any]]

    @property
    def session(self) -> str:
        return session_of(self.keys[0])

    @property
    def size(self) -> int:
        """Bytes, roughly."""
        tensors = [v for row in self.fields for v in row.values() if isinstance(v, torch.Tensor)]
        return 1024 * len(self.keys) + sum(int(v.numel() * v.element_size()) for v in tensors)


def session_of(key: str) -> str:
    """Of which rollout a row is."""
    return key.rsplit("_", 1)[0]


def queued() -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Keys and tags of the rows that wait in the queue, by rollout, outputs in their order."""
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for key, tag in (tq.kv_list(TRAIN) or {}).get(TRAIN, {}).items():
        if not tag.get("is_prompt", False):
            found.setdefault(session_of(key), []).append((key, tag))
    for rows in found.values():
        rows.sort(key=lambda row: int(row[0].rsplit("_", 1)[1]))
    return found


def fetch(rows: list[tuple[str, dict[str, Any]]]) -> Rows:
    """Takes a rollout's rows out of the queue, whose own copy stays."""
    keys = [key for key, _ in rows]
    data = tq.kv_batch_get(keys=keys, partition_id=TRAIN)
    fields = []
    for i in range(len(keys)):
        row = data[i]
        fields.append({name: content(row[name]) for name in row.keys()})
    return Rows(keys, [dict(tag) for _, tag in rows], fields)


def content(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else getattr(value, "data", value)


def put_back(rows: Rows) -> None:
    tq.kv_batch_put(
        keys=rows.keys,
        partition_id=TRAIN,
        fields=list_of_dict_to_tensordict([dict(row) for row in rows.fields]),
        tags=rows.tags,
    )


def batch_of(sessions: list[str]) -> KVBatchMeta:
    """The rows of these rollouts; everything else that waits in the queue is cleared."""
    waiting = queued()
    chosen = [row for session in sessions for row in waiting.pop(session)]
    other = [key for rows in waiting.values() for key, _ in rows]
    listed = (tq.kv_list(TRAIN) or {}).get(TRAIN, {})
    other += [key for key, tag in listed.items() if tag.get("is_prompt", False)]
    if other:
        tq.kv_clear(keys=other, partition_id=TRAIN)
    return KVBatchMeta(
        partition_id=TRAIN, keys=[key for key, _ in chosen], tags=[tag for _, tag in chosen]
    )


def anchor(keys: list[str]) -> None:
    """Sets the denominator of the ratio to the policy that generated these rows."""
    if keys:
        data = tq.kv_batch_get(keys=keys, partition_id=TRAIN, select_fields=["rollout_log_probs"])
        data["old_log_probs"] = data.pop("rollout_log_probs")
        tq.kv_batch_put(keys=keys, partition_id=TRAIN, fields=data)


def nothing() -> KVBatchMeta:
    """The batch of a step without an update; verl clears its keys, and cannot clear none."""
    return KVBatchMeta(partition_id=TRAIN, keys=[NOTHING], tags=[{"is_padding": True}])


def is_nothing(batch: KVBatchMeta) -> bool:
    return list(batch.keys) == [NOTHING]
