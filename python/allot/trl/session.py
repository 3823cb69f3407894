"""The steps of a run: plan, rounds of rollouts, batch, feedback, between TRL's own functions."""

from __future__ import annotations

import logging
from typing import Any

import allot
import torch
from accelerate.utils import gather_object

from .. import statefile
from ..identity import Identity, Index, content
from ..watch import ConstantRewards
from . import shipping
from .allocation import Allocation
from .candidates import Candidates
from .report import Report
from .rollouts import Rollout, Sampler, row_by_row
from .store import Store

log = logging.getLogger("allot.trl")
WITHOUT = "allocation='uniform' goes on from a checkpoint of TRL alone"
OTHERWISE = "without resume_from_checkpoint a new run begins"


class Session:
    """Everything the trainer adds to TRL's, for an allocation that decides. All its state is the
    same on every rank: each runs a replica of the Controller on the same outcomes."""

    def __init__(self, trainer: Any, allocation: Allocation) -> None:
        args = trainer.args
        self._trainer = trainer
        self._allocation = allocation
        data = trainer.train_dataset
        indexed = hasattr(data, "__len__") and hasattr(data, "__getitem__")
        identity = Identity(allocation.key, getattr(data, "column_names", None), "trl")
        index = self._index = Index(data, identity) if indexed else None
        self.dataset_hash = index.hash if index else 0
        seed = args.seed if allocation.seed is None else allocation.seed
        groups = args.generation_batch_size // trainer.num_generations
        options = options_of(trainer, allocation)
        self.controller = allot.Controller(
            allocation.method,
            budget=allocation.budget or self._budget(groups),
            host=self._host(indexed),
            seed=seed,
            data_size=len(index) if index else 0,
            success_threshold=allocation.success_threshold,
            **options,
        )
        # What a checkpoint is compared with.
        self._same = {
            **statefile.in_force("allocation", allocation.method, options),
            **allocation.same_when_resumed(),
        }
        needs = self.controller.needs
        self._candidates = Candidates(needs, identity, index, groups, seed, allocation.embedding)
        self._sampler = Sampler(trainer, needs, allocation.reward_timeout_s)
        self._constant = ConstantRewards(trainer.reward_func_names)
        self._store = Store(allocation.replay_mib)
        self._report = Report(trainer)
        self._correct = self._correct_index(allocation.correct)
        self._host_normalizer = allocation.normalizer == "host"
        self._rewards: Any = None  # what TRL's reward call is answered with, while rows are served
        self._open = False  # a plan without its batch
        self._updated: bool | None = None  # a batch without its feedback: whether it trains
        self._trained = False  # since the last optimizer step
        self._feedback: dict[str, Any] = {}
        self._begun_at = 0  # optimizer step

    # ------------------------------------------------------------------ the trainer's overrides

    def generate(self, inputs: list[dict[str, Any]], parent: Any, score: Any) -> dict[str, Any]:
        """One generation, in the place of TRL's _generate_and_score_completions (`parent`);
        `score` is its _calculate_rewards. Collective."""
        self.settle()
        trainer, controller = self._trainer, self.controller
        self._begun_at = trainer.state.global_step
        self._report.keep()
        rows = gather_object(without_repeats(inputs))
        epoch = int(trainer.state.epoch or 0)
        self._open = True
        plan = controller.plan(
            self._candidates.first(rows, controller.step, epoch), lost=self._store.take_lost()
        )
        fresh: list[Rollout] = []
        while not plan.done:
            found: list[Rollout] = []
            if len(plan.generate):
                found = self._sampler.round(plan.generate, self._candidates.row, score)
            elif plan.refill == 0:
                raise allot.InternalError("[trl] the plan asks for nothing and is not done")
            fresh += found
            more = self._candidates.more(plan.refill) if plan.refill else None
            plan = controller.observe(self._outcomes(found) if found else None, more_prompts=more)
        self._refuse_broken_rewards(fresh)
        for warning in self._constant.step(rollout.rewards for rollout in fresh):
            log.warning("[trl] %s", warning)
        batch = controller.finalize()
        self._open = False
        self._updated = len(batch) > 0
        self._feedback = {"mean_reward": mean_reward(fresh)}
        out = self._ship(batch, fresh, parent)
        self._report.decisions(controller.metrics(), controller.step)
        return out

    def evaluated(self, rows: int) -> None:
        """After an evaluation batch of so many rows over all ranks."""
        self._report.evaluated(rows)

    def rewards(self, parent: Any, *arguments: Any) -> Any:
        """In the place of _calculate_rewards."""
        return parent(*arguments) if self._rewards is None else self._rewards

    def settle(self) -> None:
        """Closes what is still open: a step that was interrupted, or one whose update is done."""
        if self._open:
            self.controller.finalize()
            self._open = False
            self._updated = False
        if self._updated is None:
            return
        # Several generations may share an optimizer step: the last one brings the new weights.
        self._trained |= self._updated
        stepped = self._trainer.state.global_step > self._begun_at
        made = stepped and self._trained
        version = self.controller.policy + made
        self.controller.feedback(made and self._updated, policy=version, **self._feedback)
        self._trained &= not stepped
        self._updated = None

    def save(self, folder: str) -> None:
        header = {
            "settings": self._same,
            "candidates": self._candidates.state(),
            "store": self._store.state(rows=self._index is None),
            "pending": self._updated,
        }
        statefile.save(folder, header, self.controller.save(self.dataset_hash))

    def load(self, folder: str) -> None:
        header, controller = statefile.load(folder, "trl", WITHOUT)
        statefile.refuse_changes(folder, "trl", header["settings"], self._same, OTHERWISE)
        self.controller.load(controller, self.dataset_hash)
        self._candidates.load(header["candidates"])
        self._store.restore(header["store"], self._candidates.row)
        if header["pending"] is not None:  # the rest of that generation is not in the checkpoint
            self.controller.feedback(header["pending"])

    # ------------------------------------------------------------------ its parts

    def _outcomes(self, rollouts: list[Rollout]) -> allot.Outcomes:
        threshold = self._allocation.success_threshold

        def correct(rollout: Rollout) -> bool:
            judged = rollout.reward if self._correct is None else rollout.rewards[self._correct]
            return judged > threshold

        return allot.Outcomes(
            id=[rollout.id for rollout in rollouts],
            reward=[None if rollout.error else rollout.reward for rollout in rollouts],
            scoring=[rollout.scoring for rollout in rollouts],
            correct=[correct(rollout) for rollout in rollouts],
            tokens=[rollout.tokens for rollout in rollouts],
            status=["truncated" if rollout.truncated else "ok" for rollout in rollouts],
            mean_logprob=[rollout.mean_logprob for rollout in rollouts],
            mean_entropy=[rollout.mean_entropy for rollout in rollouts],
        )

    def _ship(self, batch: allot.Batch, fresh: list[Rollout], parent: Any) -> dict[str, Any]:
        trainer = self._trainer
        rollouts = {**self._store.held, **{rollout.id: rollout for rollout in fresh}}
        unmeasured = self._store.wanted(batch, rollouts)
        for rollout, logps in zip(unmeasured, self._sampler.logps(unmeasured)):
            rollout.logps = logps
        self._store.update(batch, rollouts)
        advantages = dict(zip(batch.rollout.tolist(), batch.advantage.tolist()))
        host = self._host_normalizer
        now = {rollout.id for rollout in fresh}
        items = shipping.items_of(batch, rollouts, now, trainer.mask_truncated_completions, host)
        self._updated = bool(items)
        if not items:
            self._report.restore()
            self._report.step(fresh, advantages)
            return shipping.nothing(trainer)
        mine = shipping.share_of(items, trainer)
        out = self._serve(mine, parent)
        self._report.restore()
        self._report.step(fresh, advantages)
        shipping.complete(out, mine, host, trainer.accelerator)
        places = len(mine) * trainer.accelerator.num_processes
        out["allot_filling"] = torch.tensor(places / len(items), device=out["advantages"].device)
        if any(item.behaviour for item in items):
            self._anchor(out, mine)
        return out

    def _serve(self, items: list[shipping.Item], parent: Any) -> dict[str, Any]:
        """TRL pads, masks and measures the rows as if it had generated them just now."""
        trainer = self._trainer
        mine = torch.tensor(
            [item.rollout.rewards for item in items], device=trainer.accelerator.device
        )
        seen, rollout_func = trainer.state.num_input_tokens_seen, trainer.rollout_func
        self._rewards = trainer.accelerator.gather(mine)
        trainer.rollout_func = lambda prompts, host: shipping.served(items)
        try:
            with row_by_row(trainer):
                out: dict[str, Any] = parent([dict(item.rollout.row) for item in items])
        finally:
            self._rewards, trainer.rollout_func = None, rollout_func
        # Served rows were counted when they were generated.
        trainer.state.num_input_tokens_seen = seen
        trainer._metrics["train"]["num_tokens"] = [seen]
        return out

    def _anchor(self, out: dict[str, Any], items: list[shipping.Item]) -> None:
        trainer = self._trainer
        now = out.get("old_per_token_logps")
        if now is None:
            with torch.no_grad():
                now, _, _ = trainer._get_per_token_logps_and_entropies(
                    trainer.model,
                    torch.cat([out["prompt_ids"], out["completion_ids"]], dim=1),
                    torch.cat([out["prompt_mask"], out["completion_mask"]], dim=1),
                    out["completion_ids"].size(1),
                    batch_size=trainer.args.per_device_train_batch_size,
                )
        found = gather_object([shipping.anchor(out, items, now)])
        stats = {rollout: value for part in found for rollout, value in part.items()}
        self._feedback["items"] = {
            "rollout": list(stats),
            "ratio": [ratio for ratio, _ in stats.values()],
            "clip_fraction": [clipped for _, clipped in stats.values()],
        }

    def _refuse_broken_rewards(self, rollouts: list[Rollout]) -> None:
        # A call that was cut took all its rollouts with it, and may be the only one of a step.
        late = any(rollout.late for rollout in rollouts)
        if rollouts and all(rollout.error for rollout in rollouts) and not late:
            raise allot.DataError(
                f"[trl] the reward functions failed for all {len(rollouts)} rollouts of a step: "
                f"{rollouts[0].error}; a score for some of them is needed"
            )

    def _correct_index(self, name: str | None) -> int | None:
        if name is None:
            return None
        names = list(self._trainer.reward_func_names)
        if name not in names:
            raise allot.ConfigError(
                f"[trl] correct is {name!r}; one of the reward functions is needed: "
                f"{', '.join(names)}"
            )
        return names.index(name)

    def _budget(self, groups: int) -> allot.Budget:
        trainer = self._trainer
        args = trainer.args
        # Generations of the run, for methods that plan ahead.
        if args.max_steps > 0:
            every = args.steps_per_generation * trainer.num_iterations
            steps = args.max_steps * args.gradient_accumulation_steps // every
        else:
            steps = int(args.num_train_epochs * (len(trainer.train_dataset) // groups))
        return allot.Budget(
            groups=groups,
            rollouts=args.generation_batch_size,
            run_steps=max(1, steps),
            max_tokens=trainer.max_completion_length,
        )

    def _host(self, indexed: bool) -> allot.Host:
        return allot.Host(
            grain="round",
            refill=indexed,
            cancel=False,
            exemplar=False,
            answer_class=False,
            max_tokens=self._trainer.max_completion_length or 0,
        )


def options_of(trainer: Any, allocation: Allocation) -> dict[str, Any]:
    """The method's options, with what TRL's own settings say."""
    options = dict(allocation.options)
    given = options.setdefault("group_size", trainer.num_generations)
    if given != trainer.num_generations:
        raise allot.ConfigError(
            f"[trl] group_size is {given} and num_generations is {trainer.num_generations}; they "
            f"are one thing. Hint: set num_generations alone"
        )
    if trainer.scale_rewards != "group" and "adv" not in options:
        options.setdefault("adv_scale", trainer.scale_rewards)
    return options


def mean_reward(rollouts: list[Rollout]) -> float:
    scored = [rollout.reward for rollout in rollouts if rollout.scoring == "scored"]
    return sum(scored) / len(scored) if scored else 0.0


def without_repeats(inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """TRL's sampler repeats every row; each distinct one once, in order."""
    found: dict[str, dict[str, Any]] = {}
    for row in inputs:
        found.setdefault(content(row), row)
    return list(found.values())
