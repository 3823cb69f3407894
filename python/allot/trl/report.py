"""What a step logs: our metrics, TRL's own where uneven groups make them mean something else, and
TRL's table of completions with every rollout that was generated."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..causes import CauseWarnings
from .rollouts import Rollout

# Levels: the last value counts, not the mean over the steps between two log lines.
LEVELS = ("_total", "ledger/", "alloc/budget_left")


OWN_COLUMNS = ("allot_round", "allot_trained")


class Report:
    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        self._causes = CauseWarnings("trl")

    def keep(self) -> None:
        """Before a generation: remembers what TRL has logged so far."""
        trainer = self._trainer
        self._metrics = {name: list(values) for name, values in trainer._metrics["train"].items()}
        logs = trainer._logs
        self._columns = {
            (kind, name): list(values)
            for kind in ("rewards", "extra")
            for name, values in logs[kind].items()
        }
        self._tables = {name: list(logs[name]) for name in ("prompt", "completion", "advantages")}

    def restore(self) -> None:
        """After it: takes back what TRL logged about the rows it was served."""
        trainer = self._trainer
        metrics, logs = trainer._metrics["train"], trainer._logs
        for name in replaced(trainer):
            metrics[name] = list(self._metrics.get(name, []))
        for name, values in self._tables.items():
            logs[name].clear()
            logs[name].extend(values)
        for kind in ("rewards", "extra"):
            for name in logs[kind]:
                logs[kind][name].clear()
                logs[kind][name].extend(self._columns.get((kind, name), []))

    def evaluated(self, rows: int) -> None:
        """After TRL has added rows of an evaluation to its table: we know nothing of those."""
        for name in OWN_COLUMNS:
            if self._trainer._logs["extra"].get(name):
                self._trainer._logs["extra"][name].extend([None] * rows)

    def step(self, rollouts: list[Rollout], advantages: dict[int, float]) -> None:
        metrics = self._trainer._metrics["train"]
        for name, value in host_metrics(self._trainer, rollouts).items():
            metrics[name].append(value)
        self._table(rollouts, advantages)

    def decisions(self, values: dict[str, float], step: int) -> None:
        """The Controller's metrics, under their own names."""
        metrics = self._trainer._metrics["train"]
        for name, value in values.items():
            if any(name.startswith(level) or name.endswith(level) for level in LEVELS):
                metrics[name] = [value]
            else:
                metrics[name].append(value)
        if self._trainer.is_world_process_zero():
            self._causes.step(values, step)

    def _table(self, rollouts: list[Rollout], advantages: dict[int, float]) -> None:
        logs = self._trainer._logs
        before = len(logs["prompt"])
        logs["prompt"].extend(rollout.row["prompt"] for rollout in rollouts)
        logs["completion"].extend(rollout.completion for rollout in rollouts)
        logs["advantages"].extend(advantages.get(rollout.id, 0.0) for rollout in rollouts)
        for i, name in enumerate(self._trainer.reward_func_names):
            logs["rewards"][name].extend(rollout.rewards[i] for rollout in rollouts)
        own = (
            [rollout.round for rollout in rollouts],
            [rollout.id in advantages for rollout in rollouts],
        )
        columns = dict(zip(OWN_COLUMNS, own))
        for name in sorted({*logs["extra"], *(n for one in rollouts for n in one.extra)}):
            columns.setdefault(name, [rollout.extra.get(name) for rollout in rollouts])
        for name, values in columns.items():
            column = logs["extra"][name]
            column.extend([None] * (before - len(column)))  # a column that begins now
            column.extend(values)


LENGTHS = ("mean", "min", "max", "mean_terminated", "min_terminated", "max_terminated")


def replaced(trainer: Any) -> list[str]:
    """TRL's metrics about the rows of a generation: they are computed anew over all rollouts."""
    names = [f"completions/{kind}_length" for kind in LENGTHS] + ["completions/clipped_ratio"]
    for function in trainer.reward_func_names:
        names += [f"rewards/{function}/mean", f"rewards/{function}/std"]
    return [*names, "reward", "reward_std", "frac_reward_zero_std"]


def host_metrics(trainer: Any, rollouts: list[Rollout]) -> dict[str, float]:
    """TRL's names, over every rollout of the step."""
    if not rollouts:
        return {}
    lengths = np.array([rollout.tokens for rollout in rollouts], float)
    cut = np.array([rollout.truncated for rollout in rollouts])
    ended = lengths[~cut] if not cut.all() else np.zeros(1)
    out = {
        "completions/mean_length": lengths.mean(),
        "completions/min_length": lengths.min(),
        "completions/max_length": lengths.max(),
        "completions/clipped_ratio": cut.mean(),
        "completions/mean_terminated_length": ended.mean(),
        "completions/min_terminated_length": ended.min(),
        "completions/max_terminated_length": ended.max(),
    }
    rewards = np.array([rollout.rewards for rollout in rollouts])
    named = {f"rewards/{name}/": rewards[:, i] for i, name in enumerate(trainer.reward_func_names)}
    total = np.array([rollout.reward for rollout in rollouts])
    for name, values in {**named, "": total}.items():
        scored = values[~np.isnan(values)]
        mean = scored.mean() if len(scored) else float("nan")
        std = scored.std(ddof=1) if len(scored) > 1 else float("nan")
        out[f"{name}mean" if name else "reward"] = mean
        out[f"{name}std" if name else "reward_std"] = std
    by_prompt: dict[int, list[float]] = {}
    for rollout in rollouts:
        by_prompt.setdefault(rollout.prompt, []).append(rollout.reward)
    flat = [
        not np.ptp([r for r in group if r == r] or [0.0]) > 1e-6 for group in by_prompt.values()
    ]
    out["frac_reward_zero_std"] = float(np.mean(flat))
    return {name: float(value) for name, value in out.items()}
