"""A host without a model: prompts with fixed pass rates, outcomes keyed by step, prompt and seq."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import allot
import numpy as np

Report = Callable[[dict[str, np.ndarray]], Any]


def columns(values: dict[str, np.ndarray]) -> Any:
    return values


def records(values: dict[str, np.ndarray]) -> Any:
    names = list(values)
    return [dict(zip(names, row)) for row in zip(*(values[name].tolist() for name in names))]


@dataclass
class World:
    """Draws prompts in order and answers requests; its choices depend on keys alone."""

    prompts: int = 5000  # more than any test draws, so that none comes twice in a step
    pool: int = 64  # of methods that are shown all prompts
    seed: int = 0
    cursor: int = 0

    def rate(self, prompt: int) -> float:
        return (0.0, 1.0, 0.2, 0.5, 0.8, 0.05)[prompt % 6]

    def uniform(self, *key: int) -> float:
        digest = hashlib.blake2b(repr((self.seed, *key)).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") / 2**64

    def draw(self, n: int) -> list[int]:
        ids = [(self.cursor + i) % self.prompts for i in range(n)]
        self.cursor += n
        return ids

    def shown(self, ids: list[int], needs: allot.Needs) -> list[Any]:
        if not needs.embedding:
            return list(ids)
        return [allot.Prompt(i, embedding=[self.uniform(9, i, k) for k in range(4)]) for i in ids]

    def outcomes(self, plan: allot.Plan, step: int) -> dict[str, np.ndarray]:
        rows: list[tuple[Any, ...]] = []
        for request in plan.generate:
            rate = self.rate(request.prompt)
            for i in range(request.n):
                key = (step, request.prompt, request.first_seq + i)
                right = self.uniform(1, *key) < rate
                tokens = 20 + int(80 * self.uniform(2, *key))
                answer = 0 if right else 1 + int(3 * self.uniform(3, *key))
                entropy = self.uniform(4, *key)
                rows.append((request.first + i, float(right), tokens, answer, entropy))
        names = ("id", "reward", "tokens", "answer_class", "mean_entropy")
        types = (np.int64, np.float64, np.int64, np.int64, np.float32)
        picked = list(zip(*rows)) if rows else [()] * len(names)
        return {n: np.array(c, dtype=t) for n, c, t in zip(names, picked, types)}


def step_budget(groups: int = 8, group_size: int = 8) -> allot.Budget:
    return allot.Budget(groups=groups, rollouts=groups * group_size, run_steps=20)


def events(
    controller: allot.Controller, world: World, steps: int, report: Report = columns
) -> Iterator[tuple[str, Any]]:
    """Drives the controller for some steps and yields after each of its calls."""
    needs = controller.needs
    for _ in range(steps):
        step = controller.step
        whole_pool = list(range(world.pool))
        ids = whole_pool if needs.draw == "pool" else world.draw(round(8 * needs.candidate_factor))
        plan = controller.plan(world.shown(ids, needs), budget=step_budget())
        yield "plan", plan
        while not plan.done:
            more = world.shown(world.draw(plan.refill), needs)
            plan = controller.observe(report(world.outcomes(plan, step)), more_prompts=more)
            yield "observe", plan
        batch = controller.finalize()
        yield "finalize", batch
        controller.feedback(len(batch) > 0)
        yield "feedback", controller.policy
