"""The advantage estimator "allot": it looks up what the method has decided.

verl hands an estimator rewards, mask and uid of rows, and no more: neither which rollout a row is
nor what was generated beside it. The trainer therefore says, around verl's own call, what every row
is worth. Padding rows, which no prompt has, are worth nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import allot
import torch
from verl.trainer.ppo.core_algos import register_adv_est

from ..replay import Ready
from .guard import ESTIMATOR
from .rows import session_of

MODES = (
    "token-mean",
    "token-sum",
    "seq-mean-token-sum",
    "seq-mean-token-sum-norm",
    "seq-mean-token-mean",
)
# Losses of verl that are added up in one way, whatever loss_agg_mode says; None: in a way that
# depends on how the rows are cut into micro-batches.
OWN_MODES: dict[str, str | None] = {"sapo": "seq-mean-token-mean", "geo_mean": None}


@dataclass(frozen=True)
class Aggregation:
    """How verl adds up a loss: loss_agg_mode over mini-batches of `rows` rows."""

    mode: str
    rows: int
    horizon: int | None = None  # loss_scale_factor

    @classmethod
    def of(cls, actor: Any, n: int) -> Aggregation:
        """From verl's section of the actor; `n` rollouts per prompt make up its mini-batches."""
        loss = (actor.get("policy_loss") or {}).get("loss_mode") or "vanilla"
        mode = OWN_MODES.get(loss, actor.loss_agg_mode)
        if mode is None:
            raise allot.ConfigError(
                f"[verl] actor_rollout_ref.actor.policy_loss.loss_mode is {loss!r}, which is the "
                f"mean over a micro-batch whatever loss_agg_mode says; a loss that is divided as "
                f"the method says is needed with allot.normalizer=method. "
                f"Hint: +allot.normalizer=host leaves the normaliser to verl"
            )
        found = cls(mode, actor.ppo_mini_batch_size * n, actor.get("loss_scale_factor"))
        found.check()
        return found

    def check(self) -> None:
        if self.mode not in MODES:
            raise allot.ConfigError(
                f"[verl] loss_agg_mode is {self.mode!r}; one of {', '.join(MODES)} is known. "
                f"Hint: +allot.normalizer=host leaves the normaliser to verl"
            )
        if self.mode == "seq-mean-token-sum-norm" and not self.horizon:
            raise allot.ConfigError(
                "[verl] loss_agg_mode is 'seq-mean-token-sum-norm' without a loss_scale_factor; "
                "its divisor is then the padded length of a batch, and a constant is needed. "
                "Hint: actor_rollout_ref.actor.loss_scale_factor"
            )

    def divisor(self, lengths: torch.Tensor) -> torch.Tensor:
        """What verl divides the sum over a row's tokens by, times the mini-batches of a step: a
        step of several updates gives each of them its part of the rows and the full step size.
        lengths: trained tokens of every row, padding included [rows]."""
        count = lengths.numel()
        if self.mode == "seq-mean-token-mean":
            return lengths * count
        if self.mode == "token-mean":  # a mini-batch has its share of the step's tokens
            return torch.full_like(lengths, float(lengths.sum()))
        if self.mode == "token-sum":
            return torch.full_like(lengths, count / self.rows)
        horizon = self.horizon if self.mode == "seq-mean-token-sum-norm" else None
        return torch.full_like(lengths, float(count * (horizon or 1)))


@dataclass(frozen=True)
class Table:
    """What every row of the batch in work is worth."""

    keys: Sequence[str]
    items: Mapping[str, Ready]  # by session
    aggregation: Aggregation | None  # None: verl's own normaliser

    def values(self, lengths: torch.Tensor) -> torch.Tensor:
        """Advantages [rows], such that verl's loss is the method's."""
        items = [self.items.get(session_of(key)) for key in self.keys]
        out = [item.advantage * item.weight if item else 0.0 for item in items]
        values = torch.tensor(out, dtype=torch.float64)
        if self.aggregation is not None:
            omega = torch.tensor([item.omega if item else 0.0 for item in items]).double()
            values = values * omega * self.aggregation.divisor(lengths.double().cpu())
        return values


_tables: list[Table] = []


@contextmanager
def in_force(table: Table) -> Iterator[None]:
    _tables.append(table)
    try:
        yield
    finally:
        _tables.pop()


@register_adv_est(ESTIMATOR)  # type: ignore[untyped-decorator, unused-ignore]
def advantages(
    token_level_rewards: torch.Tensor, response_mask: torch.Tensor, **others: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Advantages and returns [rows, tokens], for rows as the table in force has them."""
    if not _tables:
        raise allot.ConfigError(
            "[verl] algorithm.adv_estimator=allot was called outside allot's trainer, which knows "
            "what was decided. Hint: trainer.v1.trainer_mode=allot"
        )
    table = _tables[-1]
    if len(table.keys) != len(response_mask):
        raise allot.InternalError(
            f"[verl] advantages of {len(response_mask)} rows were asked for; the batch has "
            f"{len(table.keys)}"
        )
    values = table.values(response_mask.sum(dim=-1)).to(token_level_rewards)
    out = values.unsqueeze(-1) * response_mask
    return out, out.clone()
