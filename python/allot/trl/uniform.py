"""allocation="uniform": TRL does everything, and the outcomes are only counted."""

from __future__ import annotations

import logging
from typing import Any

import allot
import torch
from accelerate.utils import gather_object

from .allocation import Allocation
from ..identity import Identity
from .report import Report

log = logging.getLogger("allot.trl")


class Observer:
    """Shows a Controller what TRL did, for its metrics: causes of missing signal, first-round
    reward, the ledger of prompts. It changes nothing and draws no random numbers."""

    def __init__(self, trainer: Any, allocation: Allocation) -> None:
        self._trainer = trainer
        data = trainer.train_dataset
        self._identity = Identity(allocation.key, getattr(data, "column_names", None), "trl")
        self._group = trainer.num_generations
        self.controller = allot.Controller(
            "grpo",
            seed=0,
            group_size=self._group,
            ship_zero=True,  # TRL trains on every row
            data_size=len(data) if hasattr(data, "__len__") else 0,
            success_threshold=allocation.success_threshold,
        )
        self._report = Report(trainer)
        self._gathered: Any = None
        self._counting = True
        self._due = False

    def generate(self, inputs: list[dict[str, Any]], parent: Any, score: Any) -> dict[str, Any]:
        self.settle()
        out: dict[str, Any] = parent(inputs)
        self._observe(inputs, out)
        return out

    def evaluated(self, rows: int) -> None:
        """TRL's table has no columns of ours."""

    def rewards(self, parent: Any, *arguments: Any) -> Any:
        self._gathered = parent(*arguments)
        return self._gathered

    def settle(self) -> None:
        if self._due:
            self.controller.feedback(updated=True)
        self._due = False

    def save(self, folder: str) -> None:
        """Nothing that a run depends on."""

    def load(self, folder: str) -> None:
        """Counting begins again."""

    def _observe(self, inputs: list[dict[str, Any]], out: dict[str, Any]) -> None:
        trainer = self._trainer
        try:
            mine = self._prompts(inputs)
        except allot.DataError as error:  # not worth ending a run of TRL's own for
            if self._counting:
                log.warning("%s; nothing is counted", error)
            self._counting, mine = False, []
        prompts = gather_object(mine)
        if len(prompts) != len(inputs) * trainer.accelerator.num_processes:
            return
        lengths = trainer.accelerator.gather(out["completion_mask"].sum(-1)).tolist()
        values = self._gathered * trainer.reward_weights.to(self._gathered.device)
        totals = values.nansum(dim=1).masked_fill(torch.isnan(values).all(dim=1), torch.nan)
        groups = prompts[:: self._group]
        if len(set(groups)) != len(groups) or len(prompts) % self._group:
            return  # a data set with repeated rows: groups of one prompt cannot be told apart
        plan = self.controller.plan(groups)
        self.controller.observe(
            {"id": plan.generate.ids(), "reward": totals.tolist(), "tokens": lengths}
        )
        self.controller.finalize()
        self._due = True
        self._report.decisions(self.controller.metrics(), self.controller.step)

    def _prompts(self, inputs: list[dict[str, Any]]) -> list[int]:
        """Of all rows; TRL repeats each as often as a group is large, unless ranks share groups."""
        every = self._group if len(inputs) % self._group == 0 else 1
        return [self._identity(inputs[i // every * every]) for i in range(len(inputs))]
