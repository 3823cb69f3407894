"""The method's normaliser inside TRL's loss.

Whatever `loss_type` is, TRL's loss is a sum over rows of advantage x factor x (sum over the row's
tokens of the clipped surrogate), and only the factor differs. The surrogates are linear in the size
of the advantage, so dividing that factor out and multiplying the method's weight in gives the
method's loss exactly. KL and entropy terms keep TRL's formula.
"""

from __future__ import annotations

from typing import Any

import torch

LOSS_TYPES = ("grpo", "sapo", "bnpo", "dr_grpo", "dapo", "cispo", "vespo", "luspo")


def host_factor(trainer: Any, inputs: dict[str, Any]) -> torch.Tensor:
    """What TRL multiplies the sum over a row's tokens by, [rows] or a scalar; from _compute_loss of
    TRL 1.16. Over all ranks and micro-batches of an optimizer step the gradients are averaged over
    ranks and summed over micro-batches."""
    mask = inputs["completion_mask"]
    if "tool_mask" in inputs:
        mask = mask * inputs["tool_mask"]
    accumulated = trainer.current_gradient_accumulation_steps
    tokens, rows = mask.sum(-1).clamp(min=1).double(), mask.size(0)
    if trainer.loss_type in ("grpo", "sapo"):
        return 1 / (tokens * rows * accumulated)
    if trainer.loss_type == "bnpo":
        return 1 / (mask.sum().clamp(min=1).double() * accumulated)
    if trainer.loss_type == "dr_grpo":
        return torch.tensor(1 / (rows * trainer.max_completion_length * accumulated))
    if trainer.loss_type == "luspo":
        return torch.tensor(1 / (rows * accumulated))
    generated = inputs["num_items_in_batch"].clamp(min=1).double()  # dapo, cispo, vespo
    parts, ranks = trainer.args.steps_per_generation, trainer.accelerator.num_processes
    return ranks * parts / (generated * accumulated)


def weighted(trainer: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs with advantages that make TRL's loss the method's. Where a generation serves
    several optimizer steps, each has its part and the whole step size, as in TRL."""
    ranks = trainer.accelerator.num_processes
    parts = trainer.args.steps_per_generation / trainer.current_gradient_accumulation_steps
    scale = inputs["allot_weight"] * ranks * parts / host_factor(trainer, inputs)
    advantages = inputs["advantages"]
    return {**inputs, "advantages": (advantages * scale).to(advantages.dtype)}


def skipped(trainer: Any) -> torch.Tensor:
    """The loss of an empty batch. Nothing but itself depends on it: all gradients stay None, and
    the optimizer leaves weights and moments alone."""
    return torch.zeros((), device=trainer.accelerator.device, requires_grad=True)
