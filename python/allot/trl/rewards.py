"""The user's reward functions, watched: a mistake in one of them stops all ranks with one message.

TRL calls the functions and gathers their values over the ranks. A function that raised on one rank
would leave the others waiting in that gather; so nothing raises in there. What went wrong is kept
and told to all ranks afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ..deadline import Deadline
from ..watch import Watch


@contextmanager
def watched(trainer: Any, count: int, deadline: Deadline | None = None) -> Iterator[Watch]:
    """The trainer's reward functions under watch; models that score are called as they are."""
    watch = Watch(count, deadline)
    before = trainer.reward_funcs
    trainer.reward_funcs = [
        function if isinstance(function, torch.nn.Module) else watch.around(function, name)
        for function, name in zip(before, trainer.reward_func_names)
    ]
    try:
        yield watch
    finally:
        trainer.reward_funcs = before


def total(values: Sequence[float], weights: Sequence[float]) -> float:
    """TRL's sum over reward functions: those without a value are left out; NaN if none has one."""
    scored = [value * weight for value, weight in zip(values, weights) if not np.isnan(value)]
    return float(sum(scored)) if scored else float("nan")
