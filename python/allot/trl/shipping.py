"""From a batch of decisions to the rows TRL trains on: who trains which, and with which weight.

Rows that the method did not choose are not among them: they cost no forward and no backward pass.
TRL wants the same number of rows on every rank and in each of its `steps_per_generation` parts;
what is missing to the next legal number is filled by rows of one masked token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import allot
import torch

from .loss import trained_mask
from .rollouts import Rollout

BEHAVIOUR = allot.ANCHORS.index("behaviour")


@dataclass
class Item:
    """A row to be trained on."""

    rollout: Rollout
    advantage: float = 0.0
    weight: float = 0.0  # the method's, times the normaliser's weight of a token
    behaviour: bool = False  # the ratio is against the policy that generated it
    replayed: bool = False  # of an earlier step
    filler: bool = False


def items_of(
    batch: allot.Batch,
    rollouts: dict[int, Rollout],
    fresh: set[int],
    skip_truncated: bool,
    host: bool,
) -> list[Item]:
    """The batch as rows, alike on all ranks; none if no token is trained. `fresh`: ids of the step;
    `skip_truncated`: TRL masks truncated completions; `host`: TRL's own normaliser, the
    weight goes into the advantage."""
    chosen = [rollouts[i] for i in batch.rollout.tolist()]
    tokens = [0 if skip_truncated and it.truncated else it.tokens for it in chosen]
    if not any(tokens):
        return []
    omega = batch.token_weights(tokens)
    columns = zip(
        chosen,
        batch.advantage.tolist(),
        batch.weight.tolist(),
        omega.tolist(),
        batch.anchor.tolist(),
    )
    return [
        Item(
            rollout,
            a * w if host else a,
            w * o,
            behaviour=anchor == BEHAVIOUR,
            replayed=rollout.id not in fresh,
        )
        for rollout, a, w, o, anchor in columns
    ]


def share_of(items: list[Item], trainer: Any) -> list[Item]:
    """This rank's rows, filled up to the legal number."""
    parts = trainer.args.steps_per_generation
    ranks = trainer.accelerator.num_processes
    count = parts * -(-len(items) // (ranks * parts))
    begin = count * trainer.accelerator.process_index
    mine = items[begin : begin + count]
    shortest = min((item.rollout for item in items), key=lambda it: len(it.prompt_ids))
    short = Rollout(
        id=-1,
        prompt=shortest.prompt,
        round=0,
        row=shortest.row,
        prompt_ids=shortest.prompt_ids,
        completion_ids=shortest.completion_ids[:1],
        completion=shortest.completion,
        truncated=False,
        mask=None if shortest.mask is None else shortest.mask[:1],
        sampler_logps=None if shortest.sampler_logps is None else shortest.sampler_logps[:1],
        rewards=[float("nan")] * len(shortest.rewards),
    )
    return mine + [Item(short, filler=True) for _ in range(count - len(mine))]


def served(items: list[Item]) -> dict[str, Any]:
    """What a rollout_func of TRL returns, for rows that are there already."""
    rollouts = [item.rollout for item in items]
    out: dict[str, Any] = {
        "prompt_ids": [rollout.prompt_ids for rollout in rollouts],
        "completion_ids": [rollout.completion_ids for rollout in rollouts],
        "logprobs": None,
    }
    if all(rollout.sampler_logps is not None for rollout in rollouts):
        out["logprobs"] = [rollout.sampler_logps for rollout in rollouts]
    if any(rollout.mask is not None for rollout in rollouts):
        out["env_mask"] = [rollout.mask or [1] * rollout.tokens for rollout in rollouts]
    return out


def complete(out: dict[str, Any], items: list[Item], host: bool, accelerator: Any) -> None:
    """Puts advantages, weights and masks into TRL's dict. Collective."""
    device = out["completion_ids"].device
    out["advantages"] = torch.tensor([item.advantage for item in items], device=device)
    if not host:
        out["allot_weight"] = torch.tensor(
            [item.weight for item in items], dtype=torch.float64, device=device
        )
    if "importance_sampling_ratio" in out:  # between a sampler and weights that are both gone
        replayed = torch.tensor([item.replayed for item in items], device=device)
        out["importance_sampling_ratio"][replayed] = 1
    filler = torch.tensor([item.filler for item in items], device=device)
    out["completion_mask"][filler] = 0
    out["num_items_in_batch"] = accelerator.gather(trained_mask(out).sum()).sum()


def anchor(
    out: dict[str, Any], items: list[Item], logps_now: Any
) -> dict[int, tuple[float, float]]:
    """Sets the denominators of the ratio where a row stands against the policy that generated it.
    `logps_now` are TRL's own for all rows. Returns ratio and clipped share (|ratio - 1| > .2) by
    rollout, as they stand before the update."""
    old = logps_now.clone()
    stats = {}
    for i, item in enumerate(items):
        if not item.behaviour or item.rollout.logps is None:
            continue
        length = len(item.rollout.logps)
        behaviour = torch.from_numpy(item.rollout.logps).to(old)
        ratio = (old[i, :length] - behaviour).exp()
        stats[item.rollout.id] = (
            float(ratio.mean()),
            float(((ratio - 1).abs() > 0.2).float().mean()),
        )
        old[i, :length] = behaviour
    out["old_per_token_logps"] = old
    return stats


def nothing(trainer: Any) -> dict[str, Any]:
    """An empty batch: rows that no pass is made over, see loss.py."""
    rows = trainer.args.steps_per_generation
    device = trainer.accelerator.device
    ones = torch.ones(rows, 1, dtype=torch.long, device=device)
    return {
        "prompt_ids": ones,
        "prompt_mask": ones,
        "completion_ids": ones,
        "completion_mask": ones * 0,
        "advantages": torch.zeros(rows, device=device),
        "num_items_in_batch": torch.zeros((), device=device),
        "allot_empty": torch.ones((), device=device),
    }
