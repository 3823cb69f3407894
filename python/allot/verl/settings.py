"""The section `allot` of verl's configuration: the method, its options, and how rows are read."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import allot

NORMALIZERS = ("method", "host")
# A checkpoint of a run with another value of one of these belongs to another run.
SAME_WHEN_RESUMED = (
    "embedding",
    "correct",
    "success_threshold",
    "normalizer",
    "max_staleness",
    "budget",
)


@dataclass(frozen=True)
class Settings:
    """How the rollouts of a run are spent.

    Every key of `allot.*` that is not one of these is an option of the method, or one of those of
    all methods; group_size is `rollout.n` unless given.
    """

    method: str = "ar3po"
    seed: int = 0  # of the method's own draws
    # The column, or "extra_info.NAME", that names a prompt for good; left out: a hash of messages,
    # reward_model and data_source.
    key: str | None = None
    embedding: str = "embedding"  # column with a prompt's embedding, for methods that need one
    # Entry of the reward function's extra information that says whether an answer is correct; left
    # out: the reward.
    correct: str | None = None
    success_threshold: float = 0.5  # a larger value counts as correct
    # "method": the loss is divided as the method says; "host": as loss_agg_mode says.
    normalizer: str = "method"
    max_staleness: int = 1  # updates that a surplus group may lie behind when it is trained
    replay_mib: float = 256  # most memory for rollouts kept beyond their step
    untested: bool = False  # go on with another version of verl
    budget: dict[str, int] = field(default_factory=dict)  # of a step: fields of allot.Budget
    options: dict[str, Any] = field(default_factory=dict)  # of the method

    @classmethod
    def of(cls, section: Mapping[str, Any] | None) -> Settings:
        """From plain values, as OmegaConf.to_container gives them."""
        if section is not None and not isinstance(section, Mapping):
            raise allot.ConfigError(
                f"[verl] the section allot is {section!r}; keys are needed. "
                f"Hint: +allot.method={section}"
            )
        own = {one.name for one in fields(cls)} - {"options"}
        given = dict(section or {})
        settings = cls(
            **{name: value for name, value in given.items() if name in own},
            options={name: value for name, value in given.items() if name not in own},
        )
        settings._check()
        return settings

    def _check(self) -> None:
        if self.normalizer not in NORMALIZERS:
            raise allot.ConfigError(
                f"[verl] allot.normalizer is {self.normalizer!r}; one of {', '.join(NORMALIZERS)} "
                f"is needed"
            )
        for name in ("max_staleness", "replay_mib"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not value >= 0:
                raise allot.ConfigError(f"[verl] allot.{name} is {value!r}; 0 or more is needed")
        known = [one.name for one in fields(self) if one.name != "options"]
        for name in self.options:
            near = difflib.get_close_matches(name, known, 1, 0.85)
            if near:
                raise allot.ConfigError(
                    f"[verl] allot.{name} is not known; Hint: allot.{near[0]} is"
                )
