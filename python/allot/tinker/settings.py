"""What a run over a Tinker server is told, apart from its data, its reward and its method."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import allot

LOSSES = ("importance_sampling", "ppo")
# A checkpoint of a run with another value of one of these belongs to another run. The group size is
# an option of the method.
SAME_WHEN_RESUMED = (
    "groups",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "loss",
    "loss_config",
    "samples_per_request",
    "success_threshold",
    "embedding",
)


@dataclass(frozen=True)
class Settings:
    """
    Args:
        groups: prompts wanted per step.
        group_size: rollouts per prompt that a method aims at on average.
        max_tokens: longest answer [tokens].
        temperature, top_p, top_k, stop: of sampling; top_k -1: all.
        loss: "importance_sampling" or "ppo", the server's losses; their denominator is the policy
            that sampled.
        loss_config: of the server's loss, e.g. {"clip_low_threshold": 0.8}.
        learning_rate: a number, or a function of the step.
        adam: further fields of tinker.AdamParams, e.g. {"beta2": 0.99}.
        seed: of the method's draws, of the order of the data, and of every sample.
        in_flight: most sampling requests that the server has at a time.
        samples_per_request: most rollouts in one of them.
        rows_per_call: most rows in one forward_backward.
        timeout_s: how long one answer is waited for [s].
        retries: how often a sampling request is repeated before the run stops.
        retry_wait_s: before the first repetition; twice as long before each further one [s].
        save_every: steps between two checkpoints.
        success_threshold: a larger reward counts as correct where the reward function says nothing.
        reward_timeout_s: seconds that one call of the reward function may take; 0: any time.
        key: the column that names a prompt for good, or a function of the row; left out: the column
            `id` if there is one, else a hash of the row.
        embedding: the column with a prompt's embedding, for methods that need one.
        replay_mib: most memory for rollouts kept beyond their step [MiB].
        untested: go on with a version of tinker that the adapter was not tested with.
    """

    groups: int = 16
    group_size: int = 8
    max_tokens: int = 256
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = -1
    stop: str | Sequence[str] | Sequence[int] | None = None
    loss: str = "importance_sampling"
    loss_config: Mapping[str, float] | None = None
    learning_rate: float | Callable[[int], float] = 1e-4
    adam: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    in_flight: int = 32
    samples_per_request: int = 64
    rows_per_call: int = 128
    timeout_s: float = 600
    retries: int = 3
    retry_wait_s: float = 1
    save_every: int = 10
    success_threshold: float = 0.5
    reward_timeout_s: float = 0
    key: str | Callable[[Mapping[str, Any]], int | str] | None = None
    embedding: str = "embedding"
    replay_mib: float = 256
    untested: bool = False

    @classmethod
    def of(cls, **given: Any) -> Settings:
        """Settings, with a word on names that are none."""
        known = [one.name for one in fields(cls)]
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else "help(allot.tinker.Settings)"
                raise allot.ConfigError(
                    f"[tinker] {name} is neither an argument of train nor a setting. Hint: {hint}"
                )
        return cls(**given)

    def __post_init__(self) -> None:
        least = {
            "groups": 1,
            "group_size": 1,
            "max_tokens": 1,
            "temperature": 0,
            "seed": 0,
            "in_flight": 1,
            "samples_per_request": 1,
            "rows_per_call": 1,
            "retries": 0,
            "retry_wait_s": 0,
            "save_every": 1,
            "reward_timeout_s": 0,
            "replay_mib": 0,
        }
        for name, bound in least.items():
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not value >= bound:
                raise allot.ConfigError(f"[tinker] {name} is {value!r}; {bound} or more is needed")
        if not self.timeout_s > 0:
            raise allot.ConfigError(f"[tinker] timeout_s is {self.timeout_s}; above 0 is needed")
        if self.loss not in LOSSES:
            raise allot.ConfigError(
                f"[tinker] loss is {self.loss!r}; one of {', '.join(LOSSES)} is needed"
            )

    def same_when_resumed(self) -> dict[str, Any]:
        """What a checkpoint is compared with."""
        return {name: getattr(self, name) for name in SAME_WHEN_RESUMED}

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        given = self.learning_rate
        return float(given(step) if callable(given) else given)
