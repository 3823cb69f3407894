"""Agent loops of verl whose number of rollouts is decided while they run.

    +actor_rollout_ref.rollout.agent.agent_loop_manager_class=allot.verl.manager.AllotManager

A worker runs a prompt's first rollouts, reports their rewards to the owner (owner.py), and goes on
until nothing more is wanted. The prompt counts as running for verl until then.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import ray
import transfer_queue as tq
from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopManagerTQ, AgentLoopWorkerTQ

from . import guard
from .owner import Wanted
from .rows import TRAIN

log = logging.getLogger("allot.verl")
Worker = AgentLoopWorkerTQ.__ray_metadata__.modified_class


class VerifierFailed(Exception):
    """The reward could not be computed; the answer itself is there."""


class AllotWorker(Worker):  # type: ignore[misc, valid-type, unused-ignore]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        guard.check_class(Worker, guard.WORKER)
        super().__init__(*args, **kwargs)
        section = self.config.allot
        self._owner = ray.get_actor(section.owner)
        self._correct: str | None = section.get("correct")
        filtering = self.config.algorithm.get("filter_groups") or {}
        self._metric: str = filtering.get("metric") or "reward"
        self._longest: int = self.config.actor_rollout_ref.rollout.response_length
        self._outcomes: dict[tuple[str, int], dict[str, Any]] = {}

    async def _run_prompt(
        self,
        prompt: dict[str, Any],
        sampling_params: dict[str, Any],
        trajectory: dict[str, Any],
        trace: bool = False,
    ) -> None:
        if trajectory["validate"]:
            await super()._run_prompt(prompt, sampling_params, trajectory, trace)
            return
        uid = prompt["uid"]
        for ours in ("__rollout_n__", "__do_sample__"):
            prompt.pop(ours, None)
        status = "failure"
        try:
            await self._publish(uid, "running")
            wanted = await self._owner.start.remote(uid)
            while wanted:
                outcomes = await self._round(wanted, prompt, sampling_params, trajectory, trace)
                wanted = await self._owner.observe.remote(uid, outcomes)
            status = "finished"
        except Exception:
            log.exception("[verl] prompt %s", uid)
        finally:
            try:  # the step waits for the owner to hear of it, whatever becomes of the queue
                await self._publish(uid, status)
            finally:
                await self._owner.close.remote(uid)

    async def _publish(self, uid: str, status: str) -> None:
        await tq.async_kv_put(key=uid, partition_id=TRAIN, tag={"status": status})

    async def _round(
        self,
        wanted: list[Wanted],
        prompt: dict[str, Any],
        sampling_params: dict[str, Any],
        trajectory: dict[str, Any],
        trace: bool,
    ) -> list[dict[str, Any]]:
        """Runs what is wanted, all at once; returns one outcome for each, whatever happened."""
        numbers, tasks = [], []
        for one in wanted:
            params = dict(sampling_params)
            if one.temperature >= 0:
                params["temperature"] = one.temperature
            for seq in range(one.first, one.first + one.n):
                numbers.append(seq)
                tasks.append(
                    self._run_agent_loop(
                        dict(params), trajectory=trajectory, trace=trace, session_id=seq, **prompt
                    )
                )
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        return [self._outcome(prompt["uid"], seq, end) for seq, end in zip(numbers, ended)]

    def _outcome(self, uid: str, seq: int, end: Any) -> dict[str, Any]:
        found = self._outcomes.pop((uid, seq), None)
        if found is not None and not isinstance(end, BaseException):
            return found
        failed = isinstance(end, VerifierFailed)
        log.warning("[verl] rollout %d of %s: %s", seq, uid, described(end))
        out = outcome(seq, "ok" if failed else "failed", "verifier_error" if failed else "scored")
        out["failure"] = described(end)
        if self._correct is not None:
            out["correct"] = False
        return out

    async def _compute_score(self, outputs: list[Any], kwargs: dict[str, Any]) -> None:
        try:
            await super()._compute_score(outputs, kwargs)
        except Exception as error:
            if "session_id" not in kwargs or kwargs["uid"][:5] != "allot":
                raise
            raise VerifierFailed(f"{type(error).__name__}: {error}"[:300]) from error

    async def _agent_loop_postprocess(self, output: Any, validate: bool, **kwargs: Any) -> None:
        outputs = output if isinstance(output, list) else [output]
        await super()._agent_loop_postprocess(output, validate, **kwargs)
        if not validate and outputs:
            seq = kwargs["session_id"]
            self._outcomes[kwargs["uid"], seq] = self._measured(seq, outputs)

    def _measured(self, seq: int, outputs: list[Any]) -> dict[str, Any]:
        last = outputs[-1]
        extra = last.extra_fields.get("reward_extra_info") or {}
        reward = number(last.reward_score)
        cut = len(last.response_ids) >= self._longest
        out = outcome(
            seq,
            "truncated" if cut else "ok",
            "scored" if reward is not None else "not_scorable",
            tokens=sum(sum(one.response_mask) for one in outputs),
            reward=reward,
            metric=reward if self._metric == "reward" else number(extra.get(self._metric)),
        )
        logps = [logp for one in outputs for logp in one.response_logprobs or ()]
        if logps:
            out["mean_logprob"] = sum(logps) / len(logps)
        if self._correct is not None:
            if self._correct not in extra:
                raise VerifierFailed(
                    f"the reward has no {self._correct!r} in its extra information"
                )
            out["correct"] = bool(extra[self._correct])
        return out


def outcome(
    seq: int,
    status: str,
    scoring: str,
    *,
    tokens: int = 0,
    reward: float | None = None,
    metric: float | None = None,
) -> dict[str, Any]:
    return {
        "seq": seq,
        "status": status,
        "scoring": scoring,
        "tokens": tokens,
        "reward": reward,
        "metric": metric,
        "mean_logprob": 0.0,
    }


def described(end: Any) -> str:
    """Why a rollout has no score."""
    if isinstance(end, VerifierFailed):
        return str(end)
    failed = isinstance(end, BaseException)
    return f"{type(end).__name__}: {end}"[:300] if failed else "its agent loop had no output"


def number(value: Any) -> float | None:
    """A reward that can be computed with; None where there is none."""
    if value is None or float(value) != float(value):
        return None
    return float(value)


class AllotManager(AgentLoopManagerTQ):  # type: ignore[misc, unused-ignore]
    """verl's manager with our workers; the trainer says per prompt how many rollouts it starts
    with (`__rollout_n__`), the owner how it goes on."""

    serves_allot = True

    def __init__(self, config: Any, *args: Any, **kwargs: Any) -> None:
        guard.refuse_other_trainers(config)
        super().__init__(config, *args, **kwargs)
        self.agent_loop_workers_class = ray.remote(AllotWorker)
