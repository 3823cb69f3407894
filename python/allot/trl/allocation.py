"""What a run decides with: the method, its options, and how TRL's rows are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import allot

NORMALIZERS = ("method", "host")
UNIFORM = "uniform"
# A checkpoint of a run with another value of one of these belongs to another run.
SAME_WHEN_RESUMED = ("embedding", "correct", "success_threshold", "normalizer")


class Allocation:
    """How the rollouts of a run are spent.

    Args:
        method: a name of `allot.methods()` or a combination like "mopps+aero"; "uniform": stock
            TRL, bit for bit, with our metrics beside its own.
        budget: what a step may spend. Left out: `generation_batch_size / num_generations` groups
            and `generation_batch_size` rollouts, what TRL itself would spend.
        seed: of the method's own random draws; left out: the trainer's.
        key: the column that names a prompt for good (or a function of the row). Left out: the
            column `id` if there is one, else a hash of the prompt and all other columns.
        embedding: the column with a prompt's embedding, for methods that need one.
        correct: name of the reward function that says whether an answer is correct; left out: the
            weighted sum of all of them.
        success_threshold: a larger value counts as correct in beliefs and stopping rules.
        reward_timeout_s: seconds that one call of a reward function may take before it is given up
            and its completions count as failures of their verifier; 0: any time. Functions that are
            not async are then called in a thread of their own.
        normalizer: "method": the loss is divided as the method says, whatever `loss_type` is;
            "host": TRL's own formula over the rows that are trained.
        replay_mib: most memory for rollouts kept beyond their step [MiB]; the oldest go first.
        untested: use a version of TRL that the adapter was not tested with.
        options: of the method and those of all methods, as in `allot.Controller`. group_size is
            `num_generations` and adv_scale follows `scale_rewards` unless given.
    """

    def __init__(
        self,
        method: str,
        *,
        budget: allot.Budget | None = None,
        seed: int | None = None,
        key: str | Callable[[Mapping[str, Any]], int | str] | None = None,
        embedding: str = "embedding",
        correct: str | None = None,
        success_threshold: float = 0.5,
        reward_timeout_s: float = 0,
        normalizer: str = "method",
        replay_mib: float = 256,
        untested: bool = False,
        **options: object,
    ) -> None:
        if not isinstance(method, str):
            raise allot.ConfigError(
                f"[trl] allocation has the method {method!r}; a name is needed. "
                f"Hint: allot.methods() lists them"
            )
        if normalizer not in NORMALIZERS:
            raise allot.ConfigError(
                f"[trl] normalizer is {normalizer!r}; one of {', '.join(NORMALIZERS)} is needed"
            )
        if method == UNIFORM and options:
            raise allot.ConfigError(
                f"[trl] uniform allocation was given {', '.join(options)}; it has no options, TRL "
                f"does everything. Hint: 'grpo' is the method with options"
            )
        if not replay_mib >= 0:
            raise allot.ConfigError(f"[trl] replay_mib is {replay_mib}; 0 or more is needed")
        if not reward_timeout_s >= 0:
            raise allot.ConfigError(
                f"[trl] reward_timeout_s is {reward_timeout_s}; 0 or more is needed"
            )
        self.method = method
        self.budget = budget
        self.seed = seed
        self.key = key
        self.embedding = embedding
        self.correct = correct
        self.success_threshold = success_threshold
        self.reward_timeout_s = reward_timeout_s
        self.normalizer = normalizer
        self.replay_mib = replay_mib
        self.untested = untested
        self.options = options

    @property
    def uniform(self) -> bool:
        return self.method == UNIFORM

    def same_when_resumed(self) -> dict[str, Any]:
        """What a checkpoint is compared with, beside the method and its options."""
        budget = None if self.budget is None else repr(self.budget)
        same = {name: getattr(self, name) for name in SAME_WHEN_RESUMED} | {"budget": budget}
        return {f"allocation.{name}": value for name, value in same.items()}

    @classmethod
    def of(cls, given: str | Mapping[str, Any] | Allocation) -> Allocation:
        """From the `allocation=` of the trainer: a name, a dict with "method", or an Allocation."""
        if isinstance(given, cls):
            return given
        if isinstance(given, str):
            return cls(given)
        if isinstance(given, Mapping):
            if "method" not in given:
                raise allot.ConfigError(
                    f"[trl] allocation has {', '.join(map(str, given)) or 'nothing'} and no "
                    f"'method'; one is needed. Hint: allocation={{'method': 'aero', 'explore': 4}}"
                )
            return cls(**given)
        raise allot.ConfigError(
            f"[trl] allocation is {given!r}; a method's name, a dict or an Allocation is needed"
        )

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f"allot.trl.Allocation({self.method!r}{options})"
