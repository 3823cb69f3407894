"""The steps of a run, on the trainer's side: prompts in, batch out, state kept."""

from __future__ import annotations

import logging
import os
from typing import Any, cast

import allot
import ray
import torch
from transfer_queue import KVBatchMeta

from .. import statefile
from ..causes import CauseWarnings
from ..held import Held
from ..replay import Ready, ReadyGroup, Replay
from . import guard
from . import rows as queue
from .candidates import Candidates
from .estimator import Aggregation, Table
from .owner import Owner, Shipment, Start, Wish
from .settings import SAME_WHEN_RESUMED, Settings

log = logging.getLogger("allot.verl")
FILE = "allot.pt"
VERSION = 2
WITHOUT = "trainer.resume_mode=disable begins a new run"
MOST_WAVES = 16  # of one step that fills up to a number of groups
PATIENCE = 30.0  # seconds without news of a step, after which the workers are looked at
MOST_CALLS = 2**20  # every prompt of a step waits in a call of its own


class Session:
    """Args: `trainer` is allot's trainer of verl, whose data is loaded."""

    def __init__(self, trainer: Any, settings: Settings, data_size: int) -> None:
        config = trainer.config
        self._trainer = trainer
        self._settings = settings
        rollout, filtering = config.actor_rollout_ref.rollout, config.algorithm.get("filter_groups")
        self._groups: int = config.data.train_batch_size
        self._fill = bool(filtering and filtering.get("enable", False))
        self._metric = (filtering or {}).get("metric")  # what filter_groups looks at
        host = {
            "grain": "request",
            "cancel": False,
            "hold": rollout.calculate_log_probs,
            "exemplar": False,
            "logprob": rollout.calculate_log_probs,
            "entropy": False,
            "answer_class": False,
            "max_tokens": rollout.response_length,
        }
        arguments = {
            "seed": settings.seed,
            "data_size": data_size,
            "success_threshold": settings.success_threshold,
        }
        options = options_of(config, settings)
        guard.refuse_held(config, settings.method, options)
        Owner(
            settings.method, options, host, **arguments
        )  # a mistake is told here, not by an actor
        self._same = same_when_resumed(settings, options)
        self._budget = {
            "groups": self._groups,
            "rollouts": self._groups * rollout.n,
            "run_steps": trainer.total_training_steps,
            **settings.budget,
        }
        self.owner = (
            ray.remote(Owner)
            .options(name=config.allot.owner, max_concurrency=MOST_CALLS)
            .remote(settings.method, options, host, **arguments)
        )
        self._needs: dict[str, Any] = ray.get(self.owner.needs.remote())
        self.replay = Replay(max_staleness=settings.max_staleness if self._fill else 0)
        self._held: Held[queue.Rows] = Held(settings.replay_mib, lambda one: one.size)
        self._surplus: dict[int, queue.Rows] = {}  # of groups that wait
        self._shipments: list[Shipment] = []  # of the step
        self._items: dict[str, Ready] = {}
        self._causes = CauseWarnings("verl")
        self.workers: list[Any] = []  # actors that run the agent loops
        self._policy = 0
        self.aggregation = self._aggregation(config)
        self._candidates: Candidates | None = None

    def _aggregation(self, config: Any) -> Aggregation | None:
        if self._settings.normalizer == "host":
            return None
        return Aggregation.of(config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout.n)

    def attach(self, dataset: Any, prompt_key: str) -> None:
        self._candidates = Candidates(
            self._needs,
            dataset,
            self._groups,
            self._settings,
            prompt_key,
            self._trainer.fetch_rows,
        )

    @property
    def candidates(self) -> Candidates:
        assert self._candidates is not None
        return self._candidates

    # ---------------------------------------------------------------------------- a step

    def begin(self, groups: int | None = None) -> None:
        """Opens a step (or a further wave of it) that wants so many groups."""
        count = groups or self._groups
        step, self._policy = ray.get(self.owner.step.remote())
        epoch = (self._trainer.global_steps - 1) // max(1, self._trainer.steps_per_epoch)
        prompts = self.candidates.first(step, epoch, count)
        budget = dict(self._budget)
        if groups is not None:
            budget.update(groups=count, rollouts=budget["rollouts"] * count // self._groups)
        ray.get(self.owner.plan.remote(prompts, budget, self._held.take_lost()))

    def collect(self, wanted: int) -> tuple[KVBatchMeta, dict[str, Any]]:
        """All rounds of the step, then its batch; empty where nothing is to be trained."""
        metrics: dict[str, Any] = {}
        for wave in range(MOST_WAVES):
            self._serve()
            shipment: Shipment = ray.get(self.owner.finalize.remote())
            metrics.update(shipment.metrics)
            self._causes.step(shipment.metrics, self._trainer.global_steps)
            self._shipments.append(shipment)
            flat = self._flat(shipment) if self._fill else set()
            self.replay.add(group for group in shipment.groups if group.prompt not in flat)
            missing = wanted - self.replay.expire(self._policy) if self._fill else 0
            if missing <= 0:
                break
            if wave + 1 == MOST_WAVES:
                log.warning(
                    "[verl] %d of %d groups have no signal after %d waves of prompts; the step "
                    "goes on with what there is",
                    missing,
                    wanted,
                    MOST_WAVES,
                )
                break
            ray.get(self.owner.feedback.remote(False))
            self.begin(min(self._groups, 2 * missing))
        metrics["allot/waves"] = wave + 1
        return self._batch(wanted if self._fill else None, metrics), metrics

    def _flat(self, shipment: Shipment) -> set[int]:
        if shipment.unmeasured:
            raise allot.DataError(
                f"[verl] algorithm.filter_groups.metric is {self._metric!r}, and the reward of "
                f"{shipment.unmeasured} rollouts of a step has no such number in its extra "
                f"information; groups cannot be told apart without it. "
                f"Hint: algorithm.filter_groups.metric=reward"
            )
        return shipment.flat

    def _serve(self) -> None:
        """Submits prompts and shows further ones until the method has what it wants."""
        while True:
            wish = self._wish()
            if wish.starts:
                self._submit(wish.starts)
            if wish.refill:
                ray.get(self.owner.more.remote(self.candidates.further(wish.refill)))
            if wish.done:
                return

    def _wish(self) -> Wish:
        """What the method wants next. A worker that died answers nothing for its prompts, and
        nobody else would notice."""
        coming = self.owner.wait.remote()
        while not ray.wait([coming], timeout=PATIENCE)[0]:
            try:
                ready = [worker.__ray_ready__.remote() for worker in self.workers]
                ray.get(ray.wait(ready, num_returns=len(ready), timeout=PATIENCE)[0])
            except ray.exceptions.RayActorError as error:
                said = str(error).splitlines()[0]
                raise allot.InternalError(
                    f"[verl] an agent-loop worker died within a step: {said}; its prompts have no "
                    f"end. Hint: trainer.resume_mode=auto goes on from the last checkpoint"
                ) from error
        return cast(Wish, ray.get(coming))

    def _submit(self, starts: tuple[Start, ...]) -> None:
        places = [self.candidates.index.position(one.prompt) for one in starts]
        self._trainer.submit(places, [one.uid for one in starts], [one.n for one in starts])

    def _batch(self, groups: int | None, metrics: dict[str, Any]) -> KVBatchMeta:
        """Takes a batch out of the buffer and puts what is needed later into memory; the rest of
        the queue is cleared."""
        taken = self.replay.take(self._policy, groups)
        metrics.update(replay_metrics(taken, self.replay, self._policy))
        items = [item for group in taken for item in group.items]
        waits = {item.rollout for group in self.replay for item in group.items}
        made = {i: one.session for it in self._shipments for i, one in it.made.items()}
        waiting, memory = queue.queued(), {**self._held.held, **self._surplus}
        sessions = []
        for item in items:
            known = memory.get(item.rollout)
            sessions.append(known.session if known else made[item.rollout])
            if known and known.session not in waiting:
                queue.put_back(known)
        for one in waits | {one for it in self._shipments for one in it.hold.tolist()}:
            if one not in memory:
                memory[one] = queue.fetch(waiting[made[one]])
        self._hold(memory)
        self._surplus = {one: memory[one] for one in waits}
        self._items = dict(zip(sessions, items))
        return queue.batch_of(sessions)

    def _hold(self, memory: dict[int, queue.Rows]) -> None:
        """What the waves of the step want to be held, and no more. A rollout that had to go after
        one wave and was released in the next is not lost to the method."""
        for shipment in self._shipments:
            self._held.update(cast(Any, shipment), memory)
        released = {one for shipment in self._shipments for one in shipment.release.tolist()}
        lost = [one for one in self._held.lost if one not in released]
        self._held.load(self._held.held, lost)
        self._shipments = []

    def table(self, keys: list[str]) -> Table:
        return Table(keys, self._items, self.aggregation)

    def anchored(self, keys: list[str]) -> list[str]:
        """Those rows whose ratio is against the policy that generated them."""
        found = ((key, self._items.get(queue.session_of(key))) for key in keys)
        return [key for key, item in found if item is not None and item.anchored]

    def settle(self, updated: bool) -> None:
        """After the update, or where there was none."""
        ray.get(self.owner.feedback.remote(updated))
        self._items = {}

    # ---------------------------------------------------------------------------- checkpoints

    def save(self, folder: str, step: int) -> None:
        """Writes FILE into the folder, whole or not at all."""
        os.makedirs(folder, exist_ok=True)
        kept = {**self._held.held, **self._surplus}
        state = {
            "version": VERSION,
            "step": step,
            "settings": self._same,
            "owner": ray.get(self.owner.save.remote(self.candidates.index.hash)),
            "candidates": self.candidates.state(),
            "replay": self.replay.state(),
            "held": list(self._held.held),
            "lost": self._held.lost,
            "surplus": list(self._surplus),
            "rows": {i: vars(one) for i, one in kept.items()},
        }
        path, aside = os.path.join(folder, FILE), os.path.join(folder, f".{FILE}.part")
        with open(aside, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)

    def load(self, folder: str, step: int) -> None:
        path = os.path.join(folder, FILE)
        if not os.path.exists(path):
            raise allot.ModelError(
                f"[verl] {folder} has no {FILE}; a checkpoint of the allot trainer is needed. "
                f"Hint: trainer.v1.trainer_mode=sync goes on from one of verl alone"
            )
        try:  # as verl reads its own: rows hold whatever the data set has
            state = torch.load(path, weights_only=False)
        except Exception as error:
            raise allot.ModelError(
                f"[verl] {path} cannot be read: {error}; it is damaged"
            ) from error
        for name, here in (("version", VERSION), ("step", step)):
            if state.get(name) != here:
                raise allot.ModelError(
                    f"[verl] {path} has the {name} {state.get(name)}; {here} is needed"
                )
        statefile.refuse_changes(path, "verl", state["settings"], self._same, WITHOUT)
        ray.get(self.owner.load.remote(state["owner"], self.candidates.index.hash))
        self.candidates.load(state["candidates"])
        self.replay.load(state["replay"])
        rows = {i: queue.Rows(**one) for i, one in state["rows"].items()}
        self._held.load({i: rows[i] for i in state["held"]}, state["lost"])
        self._surplus = {i: rows[i] for i in state["surplus"]}


def options_of(config: Any, settings: Settings) -> dict[str, Any]:
    """The method's options, with what verl's own settings say."""
    n = config.actor_rollout_ref.rollout.n
    if n < 2 and "group_size" not in settings.options:
        raise allot.ConfigError(
            f"[verl] actor_rollout_ref.rollout.n is {n}; 2 or more is needed: it is the number of "
            f"rollouts per prompt that a method aims at on average. "
            f"Hint: actor_rollout_ref.rollout.n=8"
        )
    host: dict[str, Any] = {"group_size": n}
    scaled = config.algorithm.get("norm_adv_by_std_in_grpo", True)
    if not scaled and "adv" not in settings.options:
        host["adv_scale"] = "none"
    return {**host, **settings.options}


def same_when_resumed(settings: Settings, options: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint is compared with: all by which another run would decide otherwise."""
    same = statefile.in_force("allot", settings.method, options)
    return same | {f"allot.{name}": getattr(settings, name) for name in SAME_WHEN_RESUMED}


def replay_metrics(taken: list[ReadyGroup], replay: Replay, policy: int) -> dict[str, float]:
    ages = [policy - item.behaviour for group in taken for item in group.items]
    return {
        "replay/groups_waiting": len(replay),
        "replay/groups_evicted": len(replay.take_evicted()),
        "replay/staleness_mean": sum(ages) / len(ages) if ages else 0.0,
        "replay/staleness_max": max(ages, default=0),
    }
