"""Rewards of a round, from the user's function, and the outcomes that the Controller is told."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Sequence
from typing import Any

import allot

from ..deadline import Deadline
from ..watch import Watch
from .rollouts import Rollout
from .settings import Settings

log = logging.getLogger("allot.tinker")
Reward = Callable[..., Sequence[Any]]
MOST_TOLD = 10


class Scorer:
    """
    Args:
        reward: called once per round as reward(prompts=.., completions=.., completion_ids=..,
            **columns), each a list with one entry per completion; a list of as many values: a
            number, None (not scorable), an exception object (its verifier failed), or a pair
            (number, whether the answer is correct). It may be async.
        decode: makes text of tokens; None: completions are token ids.
    """

    def __init__(self, reward: Reward, settings: Settings, decode: Any) -> None:
        self._reward = reward
        self._name = getattr(reward, "__name__", type(reward).__name__)
        self._threshold = settings.success_threshold
        seconds = settings.reward_timeout_s
        self._deadline = Deadline(seconds) if seconds > 0 else None
        self._decode = decode
        self._told = 0

    def score(self, rollouts: list[Rollout], row_of: Callable[[int], dict[str, Any]]) -> None:
        """Fills in completion, reward, correct and error. row_of(prompt): its row of the data."""
        rows = [row_of(rollout.prompt) for rollout in rollouts]
        for rollout in rollouts:
            ids = rollout.tokens
            rollout.completion = self._decode(ids) if self._decode else list(ids)
        correct: list[bool | None] = [None] * len(rollouts)
        watch = Watch(len(rollouts), self._deadline)
        values = run(watch.around(without_pairs(self._reward, correct), self._name))(
            **arguments_of(rows, rollouts)
        )
        if watch.fatal is not None:
            raise allot.DataError(f"[tinker] {watch.fatal}")
        for i, (rollout, value) in enumerate(zip(rollouts, values)):
            scored = value is not None and value == value  # NaN: not scorable
            rollout.reward = float(value) if scored and value is not None else None
            rollout.error = watch.errors.get(i)
            judged = correct[i]
            if judged is None:
                judged = rollout.reward is not None and rollout.reward > self._threshold
            rollout.correct = judged
        self._tell(rollouts)
        if all(rollout.error for rollout in rollouts) and not watch.late:
            raise allot.DataError(
                f"[tinker] the reward function failed for all {len(rollouts)} rollouts of a round: "
                f"{rollouts[0].error}; a score for some of them is needed"
            )

    def _tell(self, rollouts: list[Rollout]) -> None:
        for rollout in rollouts:
            if rollout.error is not None and self._told < MOST_TOLD:
                self._told += 1
                log.warning(
                    "[tinker] %s; the rollout is not trained on and counts nowhere%s",
                    rollout.error,
                    " (further ones are only counted)" if self._told == MOST_TOLD else "",
                )


def outcomes_of(rollouts: list[Rollout]) -> allot.Outcomes:
    return allot.Outcomes(
        id=[rollout.id for rollout in rollouts],
        reward=[None if rollout.error else rollout.reward for rollout in rollouts],
        scoring=[scoring_of(rollout) for rollout in rollouts],
        correct=[rollout.correct for rollout in rollouts],
        tokens=[len(rollout.tokens) for rollout in rollouts],
        status=["truncated" if rollout.truncated else "ok" for rollout in rollouts],
        mean_logprob=[
            sum(rollout.logps) / len(rollout.logps) if rollout.logps else 0.0
            for rollout in rollouts
        ],
    )


def scoring_of(rollout: Rollout) -> str:
    if rollout.error is not None:
        return "verifier_error"
    return "not_scorable" if rollout.reward is None else "scored"


def arguments_of(rows: list[dict[str, Any]], rollouts: list[Rollout]) -> dict[str, Any]:
    """Columns of the rows, and those of the rollouts under the names that TRL gives them."""
    names = {name: None for row in rows for name in row if name != "prompt"}
    columns: dict[str, Any] = {name: [row.get(name) for row in rows] for name in names}
    columns["prompts"] = [row["prompt"] for row in rows]
    columns["completions"] = [rollout.completion for rollout in rollouts]
    columns["completion_ids"] = [list(rollout.tokens) for rollout in rollouts]
    return columns


def without_pairs(reward: Reward, correct: list[bool | None]) -> Callable[..., Any]:
    """The function with numbers alone; what its pairs say of correctness goes into `correct`."""

    def strip(values: Any) -> Any:
        if not isinstance(values, (list, tuple)):
            return values
        out = list(values)
        for i, value in enumerate(out[: len(correct)]):
            if isinstance(value, tuple) and len(value) == 2:
                out[i], correct[i] = value[0], bool(value[1])
        return out

    if is_async(reward):

        async def stripped_async(**arguments: Any) -> Any:
            return strip(await reward(**arguments))  # type: ignore[misc]

        return stripped_async
    return lambda **arguments: strip(reward(**arguments))


def run(function: Callable[..., Any]) -> Callable[..., Any]:
    if not is_async(function):
        return function
    return lambda **arguments: asyncio.run(function(**arguments))


def is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)
    )
