"""What the Python package costs per rollout: 1,024 prompts x 8 through plan, observe, finalize.

    PYTHONPATH=build/python python bench/python_overhead.py [METHOD ..]

Prints microseconds per rollout, the smallest of several steps. `columns` reports numpy arrays,
`lists` Python lists, `records` one allot.Outcome per rollout; making them is part of observe.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import allot
import numpy as np

PROMPTS, STEPS = 1024, 7


def as_columns(columns: dict[str, Any]) -> Any:
    return columns


def as_lists(columns: dict[str, Any]) -> Any:
    return {name: column.tolist() for name, column in columns.items()}


def as_records(columns: dict[str, Any]) -> Any:
    rows = zip(*(column.tolist() for column in columns.values()))
    return [allot.Outcome(**dict(zip(columns, row))) for row in rows]


def step(controller: allot.Controller, report: Callable[[dict[str, Any]], Any]) -> dict[str, float]:
    """Seconds by verb, and the rollouts of one step."""
    spent = {"plan": 0.0, "observe": 0.0, "finalize": 0.0, "rollouts": 0.0}
    rng = np.random.default_rng(controller.step)
    rates = rng.random(PROMPTS)
    begun = time.perf_counter()
    plan = controller.plan(range(PROMPTS))
    spent["plan"] += time.perf_counter() - begun
    while not plan.done:
        ids, prompts = plan.generate.ids(), plan.generate.prompts()
        reward = (rng.random(len(ids)) < rates[prompts]).astype(np.float32)
        columns = {"id": ids, "reward": reward, "tokens": np.full(len(ids), 100)}
        spent["rollouts"] += len(ids)
        begun = time.perf_counter()
        plan = controller.observe(report(columns))
        spent["observe"] += time.perf_counter() - begun
    begun = time.perf_counter()
    batch = controller.finalize()
    _ = batch.rollout, batch.advantage, batch.weight, batch.offsets
    spent["finalize"] += time.perf_counter() - begun
    controller.feedback(len(batch) > 0)
    return spent


def main() -> None:
    print(f"{'method':<10} {'outcomes':<8} {'plan':>7} {'observe':>8} {'finalize':>9} {'all':>7}")
    for method in sys.argv[1:] or ["grpo", "aero", "evidence"]:
        for report in (as_columns, as_lists, as_records):
            controller = allot.Controller(method, group_size=8)
            best = dict.fromkeys(("plan", "observe", "finalize"), float("inf"))
            for _ in range(STEPS):
                spent = step(controller, report)
                for verb in best:
                    best[verb] = min(best[verb], 1e6 * spent[verb] / spent["rollouts"])
            plan, observe, finalize = best.values()
            print(
                f"{method:<10} {report.__name__[3:]:<8} {plan:7.3f} {observe:8.3f} "
                f"{finalize:9.3f} {plan + observe + finalize:7.3f}"
            )


if __name__ == "__main__":
    main()
