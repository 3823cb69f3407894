"""verl's synchronous V1 trainer with an allocation: trainer.v1.trainer_mode=allot."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from typing import Any

import allot
import numpy as np
from omegaconf import OmegaConf, open_dict
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.v1.trainer_base import register_trainer
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
from verl.utils import tensordict_utils as tu
from verl.utils.dataset.rl_dataset import collate_fn

from ..adapters import check_version
from . import guard
from . import rows as queue
from .buffer import AllotReplayBuffer, NothingToTrain
from .estimator import in_force
from .session import Session
from .settings import Settings


@register_trainer(guard.MODE)
class AllotTrainer(PPOTrainerSync):  # type: ignore[misc, unused-ignore]
    """PPOTrainerSync, whose rollouts are spent by a method of allot; the section `allot` of the
    configuration says which (settings.py). `session` has the state, `session.owner` the actor that
    holds the Controller."""

    def __init__(self, config: Any) -> None:
        section = config.get("allot")
        self.settings = Settings.of(
            OmegaConf.to_container(section, resolve=True) if section is not None else None
        )
        check_version("verl", self.settings.untested, "+allot.untested=true")
        guard.check_class(PPOTrainerSync, guard.TRAINER)
        guard.refuse_settings(config)
        with open_dict(config):  # read by the workers
            config.allot = {**(section or {}), "owner": f"allot-{uuid.uuid4().hex[:12]}"}
        super().__init__(config)
        # The name under which the class is registered, to verl an asynchronous mode it knows not.
        self.trainer_mode = "sync"

    def _build_replay_buffer(self) -> AllotReplayBuffer:
        sampler = self.config.trainer.v1.sampler
        return AllotReplayBuffer(
            trainer_mode="sync",
            trainer_config={},
            max_off_policy_threshold=sampler.max_off_policy_threshold,
            max_off_policy_strategy=sampler.max_off_policy_strategy,
            sampler_kwargs=sampler.sampler_kwargs,
        )

    def _init_dataloader(self) -> None:
        super()._init_dataloader()
        guard.refuse_data(self.train_dataset, self.config.data)
        self.session = Session(self, self.settings, len(self.train_dataset))
        self.session.attach(self.train_dataset, self.config.data.get("prompt_key", "prompt"))
        self.replay_buffer.session = self.session

    def fit(self, agent_loop_manager: Any) -> None:
        if not hasattr(agent_loop_manager, "serves_allot"):
            raise allot.ConfigError(
                f"[verl] the agent loops are those of {type(agent_loop_manager).__name__}; "
                f"AllotManager is needed. Hint: +actor_rollout_ref.rollout.agent."
                f"agent_loop_manager_class=allot.verl.manager.AllotManager"
            )
        self.session.workers = list(agent_loop_manager.agent_loop_workers)
        super().fit(agent_loop_manager)

    # ---------------------------------------------------------------------------- a step

    def prepare_step(self) -> dict[str, Any]:
        self.session.begin()
        return {}

    def fetch_rows(self) -> list[Mapping[str, Any]]:
        """The next rows of verl's dataloader, as far as a prompt is known by them."""
        chunk = self._fetch_one_gen_batch()
        columns = {name: list(chunk[name]) for name in chunk.keys()}
        return [
            {name: values[i] for name, values in columns.items() if len(values) == len(chunk)}
            for i in range(len(chunk))
        ]

    def submit(self, places: list[int], uids: list[str], n: list[int]) -> None:
        """Starts prompts, by their places in the data set."""
        collated = collate_fn([self.train_dataset[place] for place in places])
        collated["uid"] = np.array(uids, dtype=object)
        batch = tu.get_tensordict(collated)
        tu.assign_non_tensor_stack(batch, "__rollout_n__", n)
        tu.assign_non_tensor_data(batch, "global_steps", self.global_steps)
        self._submit_batch_to_rollout(batch)

    def _step_once(
        self, metrics: dict[str, Any], timing_raw: dict[str, Any], sample_batch_size: int
    ) -> KVBatchMeta:
        try:
            batch = super()._step_once(metrics, timing_raw, sample_batch_size)
            updated = self.config.trainer.critic_warmup <= self.global_steps
        except NothingToTrain as nothing:
            metrics.update(nothing.metrics)
            self.on_sample_end()
            batch, updated = queue.nothing(), False
        metrics["allot/updated"] = float(updated)
        self.session.settle(updated)
        return batch

    def _compute_old_log_prob(self, batch: KVBatchMeta, metrics: dict[str, Any]) -> KVBatchMeta:
        batch = super()._compute_old_log_prob(batch, metrics)
        queue.anchor(self.session.anchored(batch.keys))
        return batch

    def _compute_advantage(self, batch: KVBatchMeta, metrics: dict[str, Any]) -> KVBatchMeta:
        with in_force(self.session.table(batch.keys)):
            return super()._compute_advantage(batch, metrics)

    def _compute_metrics(
        self, batch: KVBatchMeta, metrics: dict[str, Any], *others: Any, **named: Any
    ) -> None:
        if not queue.is_nothing(batch):  # verl's own are about the rows that were trained
            super()._compute_metrics(batch, metrics, *others, **named)

    def _log_rollout_data(self, batch: KVBatchMeta, *others: Any) -> None:
        if not queue.is_nothing(batch):
            super()._log_rollout_data(batch, *others)

    # ---------------------------------------------------------------------------- checkpoints

    def _folder(self) -> str:
        if self.config.trainer.resume_mode == "resume_path":
            given = str(self.config.trainer.resume_from_path)
            if f"global_step_{self.global_steps}" in given:
                return given
        return os.path.join(
            self.config.trainer.default_local_dir, f"global_step_{self.global_steps}"
        )

    def _save_checkpoint(self) -> None:
        """Ours first: a checkpoint that verl calls complete is never without it."""
        self.session.save(
            os.path.join(self.config.trainer.default_local_dir, f"global_step_{self.global_steps}"),
            self.global_steps,
        )
        super()._save_checkpoint()

    def _load_checkpoint(self) -> None:
        super()._load_checkpoint()
        if self.global_steps > 0:
            self.session.load(self._folder(), self.global_steps)
