"""The method's normaliser inside TRL's loss.

Whatever `loss_type` is, TRL's loss is a sum over rows of advantage x factor x (sum over the row's
tokens of the clipped surrogate), and only the factor differs. The surrogates are linear in the size
of the advantage, so dividing that factor out and multiplying the method's weight in gives the
method's loss exactly. KL and entropy terms keep TRL's formula.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

LOSS_TYPES = ("grpo", "sapo", "bnpo", "dr_grpo", "dapo", "cispo", "vespo", "luspo")


def trained_mask(inputs: dict[str, Any]) -> torch.Tensor:
    """1 where a token is trained, [rows, tokens]."""
    mask: torch.Tensor = inputs["completion_mask"]
    return mask * inputs["tool_mask"] if "tool_mask" in inputs else mask


def host_factor(trainer: Any, inputs: dict[str, Any]) -> torch.Tensor:
    """What TRL multiplies the sum over a row's tokens by, [rows] or a scalar; from _compute_loss of
    TRL 1.16. Over all ranks and micro-batches of an optimizer step the gradients are averaged over
    ranks and summed over micro-batches."""
    mask = trained_mask(inputs)
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


def filling(trainer: Any, inputs: dict[str, Any]) -> float | torch.Tensor:
    """By what a loss that is a mean over rows is too small, because fillers are rows, too. (An
    entropy bonus is a mean over tokens, which knows no fillers, and is left as it is.)"""
    means = trainer.loss_type in ("grpo", "sapo", "dr_grpo", "luspo")
    return inputs["allot_filling"] if means and not trainer._entropy_bonus_enabled else 1.0


def target_factor(trainer: Any, inputs: dict[str, Any]) -> torch.Tensor:
    """What the method wants in its place, [rows]. Where a generation serves several optimizer
    steps, each has its part and the whole step size, as in TRL."""
    ranks = trainer.accelerator.num_processes
    parts = trainer.args.steps_per_generation / trainer.current_gradient_accumulation_steps
    weight: torch.Tensor = inputs["allot_weight"]
    return weight * ranks * parts


def weighted(trainer: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs with advantages that turn TRL's factor into the target."""
    advantages = inputs["advantages"]
    scale = inputs["allot_target"] / host_factor(trainer, inputs)
    return {**inputs, "advantages": (advantages * scale).to(advantages.dtype)}


def pieces_of(inputs: dict[str, Any], most: int) -> list[dict[str, Any]]:
    """Rows in pieces of at most `most`, as equal as can be. A method may train on more rows than
    TRL planned memory for; the passes stay as small as `per_device_train_batch_size`."""
    rows = len(inputs["completion_ids"])
    count = -(-rows // most)
    bounds = [rows * i // count for i in range(count + 1)]

    def cut(value: Any, begin: int, end: int) -> Any:
        rowless = value is None or (isinstance(value, torch.Tensor) and value.ndim == 0)
        return value if rowless else value[begin:end]

    return [
        {name: cut(value, begin, end) for name, value in inputs.items()}
        for begin, end in zip(bounds, bounds[1:])
    ]


def in_pieces(
    trainer: Any, pieces: list[dict[str, Any]], loss_of: Callable[[dict[str, Any]], torch.Tensor]
) -> torch.Tensor:
    """The loss of a micro-batch in pieces: all but the last have their backward pass here.
    To TRL each piece is a micro-batch of its own, among so many times as many."""
    accumulated = trainer.current_gradient_accumulation_steps
    device = trainer.accelerator.device.type
    earlier = torch.zeros((), device=trainer.accelerator.device)
    state = trainer.accelerator.gradient_state
    sync = state.sync_gradients
    trainer.current_gradient_accumulation_steps = accumulated * len(pieces)
    try:
        for i, piece in enumerate(pieces):
            # What TRL does once per optimizer step (adaptive entropy) waits for the last piece.
            state._set_sync_gradients(sync and i + 1 == len(pieces))
            # Token-normalised losses divide by the generation's tokens, of all micro-batches.
            tokens = piece["num_items_in_batch"] / len(pieces)
            loss = loss_of({**piece, "num_items_in_batch": tokens})
            if i + 1 == len(pieces):
                return loss + earlier
            with torch.autocast(device, enabled=False):
                trainer.accelerator.backward(loss)
            earlier += loss.detach()
    finally:
        trainer.current_gradient_accumulation_steps = accumulated
        state._set_sync_gradients(sync)
    raise AssertionError("no piece")


def skipped(trainer: Any, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
    """The loss of an empty batch. Nothing but itself depends on it: all gradients stay None, and
    the optimizer leaves weights and moments alone."""
    begun = any(parameter.grad is not None for parameter in model.parameters())
    if trainer.accelerator.num_processes == 1 or not begun:
        return torch.zeros((), device=trainer.accelerator.device, requires_grad=True)
    # An earlier generation of this optimizer step has gradients, which ranks exchange only in a
    # backward pass through the model.
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
    logps, _, _ = trainer._get_per_token_logps_and_entropies(model, ids, torch.ones_like(ids), 1)
    return (0 * logps).sum()
