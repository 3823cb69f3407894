"""One round of rollouts: the requests are spread over the ranks, TRL generates and scores them, and
every rank gets all of them back. Equal rows and equal calls on every rank, whatever the plan."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import allot
import numpy as np
import torch
from accelerate.utils import gather_object
from numpy.typing import NDArray
from trl.trainer.utils import pad

from ..deadline import Deadline
from . import rewards as scoring

log = logging.getLogger("allot.trl")


@dataclass
class Rollout:
    """One response, the same object on every rank."""

    id: int
    prompt: int
    round: int
    row: dict[str, Any]
    prompt_ids: list[int]
    completion_ids: list[int]
    completion: Any  # as the reward functions saw it
    truncated: bool
    mask: list[int] | None = None  # 1: the model's own token; None: all are
    sampler_logps: list[float] | None = None  # of vLLM
    rewards: list[float] = field(default_factory=list)  # of each function, NaN: not scorable
    reward: float = float("nan")  # their weighted sum
    error: str | None = None  # its verifier failed
    late: bool = False  # because the call was cut
    logps: NDArray[Any] | None = None  # of the policy that generated it, where it is held
    mean_logprob: float = 0.0
    mean_entropy: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)  # columns of log_extra

    @property
    def tokens(self) -> int:
        return len(self.completion_ids) if self.mask is None else sum(self.mask)

    @property
    def scoring(self) -> str:
        if self.error is not None:
            return "verifier_error"
        return "not_scorable" if np.isnan(self.reward) else "scored"


@contextmanager
def row_by_row(trainer: Any) -> Iterator[None]:
    """TRL's code takes every row for a prompt of its own: no block of rows is a group."""
    before = trainer.num_generations
    trainer.num_generations = 1
    try:
        yield
    finally:
        trainer.num_generations = before


class Sampler:
    """Serves requests with the trainer's own generation and reward code."""

    def __init__(self, trainer: Any, needs: allot.Needs, reward_timeout_s: float = 0) -> None:
        self._trainer = trainer
        self._deadline = Deadline(reward_timeout_s) if reward_timeout_s > 0 else None
        self._accelerator = trainer.accelerator
        self._policy_stats = needs.logprob or needs.entropy
        self._errors_told = 0

    def round(self, requests: allot.Requests, row_of: Any, score: Any) -> list[Rollout]:
        """All rollouts of the requests, in their order. row_of(prompt) makes a row for TRL; `score`
        is TRL's _calculate_rewards. Collective."""
        ids, prompts = requests.ids().tolist(), requests.prompts().tolist()
        self._agree(ids, prompts)
        rounds = np.repeat(requests.round, requests.n).tolist()
        fresh = [
            Rollout(ids[i], prompts[i], rounds[i], row_of(prompts[i]), [], [], None, False)
            for i in self._mine(len(ids))
        ]
        limit = self._most_at_once(len(fresh))
        with row_by_row(self._trainer):
            for at in range(0, len(fresh), limit):
                self._generate(fresh[at : at + limit])
            fatal = self._score(fresh, score)
        if self._policy_stats:
            self._measure(fresh)
        self._raise_everywhere(fatal)
        rollouts: list[Rollout] = gather_object(fresh)[: len(ids)]
        self._tell_errors(rollouts)
        return rollouts

    def logps(self, rollouts: list[Rollout]) -> list[NDArray[Any]]:
        """Log-probabilities of the completions' tokens under today's policy. Collective."""
        if not rollouts:
            return []
        mine = [rollouts[i] for i in self._mine(len(rollouts))]
        found = [logps for logps, _ in self._forward(mine)]
        gathered: list[NDArray[Any]] = gather_object(found)
        return gathered[: len(rollouts)]

    def _mine(self, count: int) -> list[int]:
        """This rank's part of `count` rows, equally many on every rank. The last ones may have less
        to do: they repeat rows, and the repetitions are thrown away after gathering."""
        share = -(-count // self._accelerator.num_processes)
        begin = share * self._accelerator.process_index
        return [i % count for i in range(begin, begin + share)]

    def _most_at_once(self, share: int) -> int:
        """Rows per call: what TRL's own memory was sized for; vLLM makes its own batches."""
        if self._trainer.use_vllm:
            return max(1, share)
        args = self._trainer.args
        rows: int = args.per_device_train_batch_size * args.steps_per_generation
        return rows

    def _agree(self, ids: list[int], prompts: list[int]) -> None:
        """All ranks hold the same plan; otherwise they would wait for each other for ever."""
        if self._accelerator.num_processes == 1:
            return
        mine = hashlib.blake2b(repr((ids, prompts)).encode(), digest_size=8).hexdigest()
        if len(set(gather_object([mine]))) > 1:
            raise allot.InternalError(
                "[trl] the ranks have different plans; data set, seed and options must be the "
                "same on all of them"
            )

    def _generate(self, rollouts: list[Rollout]) -> None:
        trainer = self._trainer
        answer = trainer._generate([rollout.row["prompt"] for rollout in rollouts])
        if len(answer) != 8:
            raise allot.InternalError(
                f"[trl] TRL's _generate returned {len(answer)} values; 8 are known. "
                f"Hint: python -m allot doctor names the versions of TRL that were tested"
            )
        prompt_ids, completion_ids, masks, completions, logps, columns, _, _ = answer
        ends = {*trainer.eos_token_ids, trainer._tokenizer.pad_token_id}
        for i, rollout in enumerate(rollouts):
            rollout.prompt_ids = list(prompt_ids[i])
            rollout.completion_ids = list(completion_ids[i])
            rollout.completion = completions[i]
            rollout.mask = None if masks is None else list(masks[i])
            rollout.sampler_logps = None if logps is None else list(logps[i])
            rollout.truncated = completion_ids[i][-1] not in ends
            for name, values in columns.items():  # of the user's rollout_func, as TRL merges them
                rollout.row[name] = values[i] if isinstance(values, list) else values

    def _score(self, rollouts: list[Rollout], score: Any) -> str | None:
        """Fills in the rewards; returns what is wrong with the reward functions on this rank."""
        trainer = self._trainer
        with scoring.watched(trainer, len(rollouts), self._deadline) as watch:
            gathered = score(
                [rollout.row for rollout in rollouts],
                [rollout.row["prompt"] for rollout in rollouts],
                [rollout.completion for rollout in rollouts],
                [rollout.completion_ids for rollout in rollouts],
            )
        begin = len(rollouts) * self._accelerator.process_index
        mine = gathered[begin : begin + len(rollouts)].tolist()
        weights = trainer.reward_weights.tolist()
        for i, rollout in enumerate(rollouts):
            rollout.rewards = mine[i]
            rollout.reward = scoring.total(mine[i], weights)
            rollout.error = watch.errors.get(i)
            rollout.late = watch.late and rollout.error is not None
            for name, values in trainer._pending_extra_logs.items():
                rollout.extra[name] = values[i] if i < len(values) else None
        trainer._pending_extra_logs.clear()
        return watch.fatal

    def _raise_everywhere(self, fatal: str | None) -> None:
        told = [why for why in gather_object([fatal]) if why is not None]
        if told:
            raise allot.DataError(f"[trl] {told[0]}")

    def _tell_errors(self, rollouts: list[Rollout]) -> None:
        for rollout in rollouts:
            if rollout.error is None or self._errors_told == 10:
                continue
            self._errors_told += 1
            log.warning(
                "[trl] %s; the rollout is not trained on and counts nowhere%s",
                rollout.error,
                " (further ones are only counted)" if self._errors_told == 10 else "",
            )

    def _measure(self, rollouts: list[Rollout]) -> None:
        for rollout, (logps, entropies) in zip(rollouts, self._forward(rollouts, entropy=True)):
            rollout.mean_logprob = float(logps.mean()) if len(logps) else 0.0
            rollout.mean_entropy = float(entropies.mean()) if len(entropies) else 0.0

    def _forward(
        self, rollouts: list[Rollout], entropy: bool = False
    ) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        trainer = self._trainer
        device = self._accelerator.device
        fill = trainer._tokenizer.pad_token_id
        prompts = [torch.tensor(rollout.prompt_ids) for rollout in rollouts]
        completions = [torch.tensor(rollout.completion_ids) for rollout in rollouts]
        ids, mask = (
            torch.cat(
                [
                    pad([of(x) for x in prompts], padding_value=value, padding_side="left"),
                    pad([of(x) for x in completions], padding_value=value, padding_side="right"),
                ],
                dim=1,
            ).to(device)
            for of, value in ((lambda x: x, fill), (torch.ones_like, 0))
        )
        with torch.no_grad():
            logps, entropies, _ = trainer._get_per_token_logps_and_entropies(
                trainer.model,
                ids,
                mask,
                max(len(completion) for completion in completions),
                batch_size=trainer.args.per_device_train_batch_size,
                compute_entropy=entropy,
            )
        logps = logps.float().cpu().numpy()
        entropies = logps if entropies is None else entropies.float().cpu().numpy()
        lengths = [len(completion) for completion in completions]
        return [(logps[i, :n].copy(), entropies[i, :n].copy()) for i, n in enumerate(lengths)]
