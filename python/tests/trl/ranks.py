"""What every rank of test_ranks.py does: scenarios one after the other in one process group, and a
JSON line per scenario with what this rank saw.

    torchrun --nproc_per_node 2 ranks.py FOLDER SCENARIO..
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import tiny  # first: it sets the threads

import allot
import allot.trl
import torch
from oracle import Spy, gradient

RANK = int(os.environ["RANK"])


def summary(trainer: Any, spy: Spy, oracle: bool = True) -> dict[str, Any]:
    decisions = [(step.batch.rollout.tolist(), step.batch.advantage.tolist()) for step in spy.steps]
    errors = []
    for step in spy.steps:
        if oracle and step.gradient is not None:
            expected = gradient(step)
            errors.append(float((step.gradient - expected).abs().max() / expected.abs().max()))
    rollouts = [
        (rollout.id, rollout.prompt_ids, rollout.completion_ids, str(rollout.rewards))
        for step in spy.steps
        for rollout in step.rollouts.values()
    ]
    return {
        "decisions": hashlib.sha256(repr(decisions).encode()).hexdigest(),
        "rollouts": hashlib.sha256(repr(rollouts).encode()).hexdigest(),
        "distinct": len({tuple(ids) for _, _, ids, _ in rollouts}),
        "weights": hashlib.sha256(tiny.weights(trainer).numpy().tobytes()).hexdigest(),
        "gradient_errors": errors,
        "steps": len(spy.steps),
        "updates": trainer.controller.policy,
        "prompts": sorted(set(trainer.controller.records().prompt.tolist())),
        "generated": tiny.history(trainer, "rollouts/generated"),
    }


def run(
    folder: Path,
    allocation: Any,
    *,
    resume: str | None = None,
    oracle: bool = True,
    **changes: Any,
) -> Any:
    settings = {"per_device_train_batch_size": 8, "max_steps": 3, "max_grad_norm": 0, **changes}
    trainer = tiny.trainer(allot.trl.GRPOTrainer, folder, allocation=allocation, **settings)
    spy = Spy(trainer)
    trainer.train(resume_from_checkpoint=resume)
    return summary(trainer, spy, oracle)


def short_on_one_rank(completions: list[str], answer: list[str], **columns: Any) -> Any:
    values = tiny.above(completions, answer)
    return values[:-1] if RANK == 1 else values


def failing_on_one_rank(completions: list[str], answer: list[str], **columns: Any) -> Any:
    if RANK == 1:
        raise OSError("disk of rank 1")
    return tiny.above(completions, answer)


def signal_in_every_second_call() -> Any:
    calls = []

    def rewards(completions: list[str], answer: list[str], **columns: Any) -> Any:
        calls.append(1)
        return tiny.above(completions, answer) if len(calls) % 2 else [0.0] * len(completions)

    return rewards


def silent(completions: list[str], **columns: Any) -> Any:
    return [0.0] * len(completions)


def stopped(folder: Path, allocation: Any, **changes: Any) -> dict[str, Any]:
    """A run that must end with an error on every rank."""
    try:
        run(folder, allocation, **changes)
    except allot.Error as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"error": None}


def resumed(folder: Path, method: str) -> dict[str, Any]:
    saving = {"save_strategy": "steps", "save_steps": 2, "max_steps": 4}
    whole = run(folder, method, **saving)
    torch.distributed.barrier()
    again = run(folder, method, resume=str(folder / "checkpoint-2"), **saving)
    return {"whole": whole["weights"], "again": again["weights"], "steps": again["steps"]}


def scenario(name: str, folder: Path) -> dict[str, Any]:
    if name.startswith("method:"):
        return run(folder, name.split(":")[1])
    if name.startswith("resume:"):
        return resumed(folder, name.split(":")[1])
    return {
        # Two rows of a group of four on each rank.
        "split": lambda: run(
            folder, "aero", per_device_train_batch_size=2, gradient_accumulation_steps=4
        ),
        "short": lambda: stopped(folder, "grpo", rewards=short_on_one_rank),
        "failing": lambda: run(folder, "grpo", rewards=failing_on_one_rank),
        "silent": lambda: run(folder, "grpo", rewards=silent),
        "unlike": lambda: stopped(folder, allot.trl.Allocation("mopps", seed=RANK)),
        "second_empty": lambda: run(
            folder,
            "grpo",
            rewards=signal_in_every_second_call(),
            steps_per_generation=1,
            gradient_accumulation_steps=2,
            per_device_train_batch_size=16,
            max_steps=2,
            oracle=False,
        ),
        "parts": lambda: run(folder, "pods", steps_per_generation=4, gradient_accumulation_steps=4),
    }[name]()


def main(folder: str, names: list[str]) -> None:
    torch.distributed.init_process_group("gloo")
    out = Path(folder)
    with open(out / f"rank{RANK}.jsonl", "w") as file:
        for name in names:
            found = scenario(name, out / name.replace(":", "-"))
            file.write(json.dumps({"name": name, **found}) + "\n")
            file.flush()
            torch.distributed.barrier()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
