"""A task for the fake server: an answer's first token must be at least the floor of the row."""

from __future__ import annotations

from typing import Any

import allot.tinker
import numpy as np
from fake import PATIENCE_S, Server, Service, Trainer


def data(count: int = 24) -> list[dict[str, Any]]:
    """Prompts of three tokens; floors from 1 (easy) to 7 (one token in eight)."""
    return [
        {"id": i, "prompt": [1 + i % 7, 1 + i // 7, 3], "floor": 1 + i % 7} for i in range(count)
    ]


def reward(completions: list[list[int]], floor: list[int], **columns: Any) -> list[float]:
    return [float(tokens[0] >= least) for tokens, least in zip(completions, floor)]


SETTINGS: dict[str, Any] = {
    "groups": 6,
    "group_size": 4,
    "max_tokens": 3,
    "learning_rate": 0.02,
    "seed": 3,
    "timeout_s": PATIENCE_S,
    "retry_wait_s": 0,
    "save_every": 2,
}


class Watched(Service):
    """Keeps the last training client, to look at its weights."""

    trainer: Trainer

    def _client(self, call: str, model: Any) -> Trainer:
        self.trainer = super()._client(call, model)
        return self.trainer


def run(
    server: Server, method: Any = "grpo", steps: int = 4, decisions: Any = None, **changes: Any
) -> Any:
    """A session after its steps, with .decisions of each step (added to those given) and .weights
    at the end."""
    service = Watched(server)
    decisions = [] if decisions is None else decisions
    given = {"data": data(), "reward": reward, **SETTINGS, **changes}
    session = allot.tinker.train(
        service,
        base_model="fake",
        steps=steps,
        allocation=method,
        on_step=lambda step, metrics: decisions.append({"step": step, **metrics}),
        **given,
    )
    session.decisions = decisions
    session.weights = service.trainer.model.weights
    return session


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.array_equal(one, other))
