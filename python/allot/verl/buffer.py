"""The replay buffer of allot's trainer: a step's batch is what the method ships."""

from __future__ import annotations

from typing import Any

from transfer_queue import KVBatchMeta
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer

from .rows import TRAIN


class NothingToTrain(Exception):
    """The method ships an empty batch: no update in this step. `metrics` say why."""

    def __init__(self, metrics: dict[str, Any]) -> None:
        super().__init__("nothing to train")
        self.metrics = metrics


class AllotReplayBuffer(ReplayBuffer):  # type: ignore[misc, unused-ignore]
    """Serves training batches from a session (session.py), everything else as verl's buffer."""

    session: Any = None

    def sample(
        self, global_steps: int, partition_id: str, batch_size: int
    ) -> tuple[KVBatchMeta, dict[str, Any]]:
        """Waits for all rounds of the step. `batch_size` is what filter_groups fills up to;
        without it the batch has the groups that the method ships, whatever their number."""
        if partition_id != TRAIN:
            sampled: tuple[KVBatchMeta, dict[str, Any]]
            sampled = super().sample(global_steps, partition_id, batch_size)
            return sampled
        batch, metrics = self.session.collect(batch_size)
        if not len(batch.keys):
            raise NothingToTrain(metrics)
        return batch, metrics
