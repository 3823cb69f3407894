"""trl.GRPOTrainer with an allocation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import allot
import trl
from transformers import TrainerCallback
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from ..adapters import check_version
from . import guard, loss
from .allocation import Allocation
from .session import Session
from .uniform import Observer

DEFAULT = "ar3po"  # on language models ahead of GRPO or level with it (docs/language-models.md)


class GRPOTrainer(trl.GRPOTrainer):  # type: ignore[misc, unused-ignore]
    """TRL's GRPOTrainer, whose rollouts are spent by a method of allot.

    Args:
        allocation: the method: a name of `allot.methods()`, a dict {"method": "aero", "explore":
            4}, or an `allot.trl.Allocation`; "uniform" is TRL as it is. Left out: "ar3po".
        others: as in trl.GRPOTrainer.

    `controller` is the allot.Controller, with what is known of every prompt (`records()`). Errors
    are those of allot; see docs/trl.md for what is refused and why.
    """

    def __init__(
        self, *args: Any, allocation: str | Mapping[str, Any] | Allocation = DEFAULT, **kwargs: Any
    ) -> None:
        chosen = Allocation.of(allocation)
        check_version("trl", chosen.untested, "Allocation(..., untested=True)")
        guard.check_class(trl.GRPOTrainer)
        super().__init__(*args, **kwargs)
        guard.check_ready(self)
        if not chosen.uniform:
            refuse_settings(self, chosen)
        self._allot: Session | Observer = (
            Observer(self, chosen) if chosen.uniform else Session(self, chosen)
        )
        self.add_callback(StepEnd(self))

    @property
    def controller(self) -> allot.Controller:
        return self._allot.controller

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        parent = super()._generate_and_score_completions
        if not self.model.training:
            out = parent(inputs)
            self._allot.evaluated(len(inputs) * self.accelerator.num_processes)
            return out
        score = super()._calculate_rewards
        return self._allot.generate(inputs, parent, score)

    def _calculate_rewards(self, *arguments: Any) -> Any:
        parent = super()._calculate_rewards
        return (
            self._allot.rewards(parent, *arguments) if self.model.training else parent(*arguments)
        )

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
        if "allot_empty" in inputs:
            return loss.skipped(self, model, inputs)
        if "allot_filling" not in inputs:
            return super()._compute_loss(model, inputs)
        return self._weighted_loss(super()._compute_loss, model, inputs)

    def _weighted_loss(self, parent: Any, model: Any, inputs: dict[str, Any]) -> Any:
        """TRL's loss with the method's weights, in pieces where there are more rows than places."""
        most = self.args.per_device_train_batch_size
        filling = loss.filling(self, inputs)
        if "allot_weight" in inputs:
            target = loss.target_factor(self, inputs) / filling
        else:  # TRL's own factor, of the whole micro-batch
            target = loss.host_factor(self, inputs)
        inputs = {**inputs, "allot_target": target}

        def of(piece: dict[str, Any]) -> Any:
            return filling * parent(model, loss.weighted(self, piece))

        if len(inputs["completion_ids"]) > most:
            return loss.in_pieces(self, loss.pieces_of(inputs, most), of)
        return of(inputs)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        if self.args.should_save:  # before TRL's own files: a checkpoint is never without it
            folder = f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
            self._allot.save(os.path.join(self._get_output_dir(trial=trial), folder))
        super()._save_checkpoint(model, trial)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            self._allot.load(checkpoint)


class StepEnd(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Tells the Controller that the update is done, before a checkpoint is written."""

    def __init__(self, trainer: GRPOTrainer) -> None:
        self._trainer = trainer

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        trainer = self._trainer
        if trainer._step % (args.steps_per_generation * trainer.num_iterations) == 0:
            trainer._allot.settle()


def refuse_settings(trainer: Any, allocation: Allocation) -> None:
    """Settings with which the method would silently be another one."""
    args = trainer.args
    columns = getattr(trainer.train_dataset, "column_names", None) or ()
    refusals = {
        "tools or environments": bool(trainer.tools) or trainer.environment_factories is not None,
        "images": bool({"image", "images"} & set(columns)),
        "multi_objective_aggregation='normalize_then_sum'": (
            trainer.multi_objective_aggregation != "sum_then_normalize"
        ),
        "use_transformers_continuous_batching": getattr(
            trainer, "use_transformers_continuous_batching", False
        ),
        "DeepSpeed": getattr(trainer, "is_deepspeed_enabled", False),
        "fp16 (its scaler needs gradients in every step)": args.fp16,
        f"loss_type={trainer.loss_type!r} with normalizer='method'": (
            trainer.loss_type not in loss.LOSS_TYPES and allocation.normalizer == "method"
        ),
    }
    found = [name for name, given in refusals.items() if given]
    if found:
        raise allot.ConfigError(
            f"[trl] {', '.join(found)}: not served with allocation {allocation.method!r}. "
            f"Hint: allocation='uniform' leaves everything to TRL"
        )
