"""The contract's loss, written down a second time: one unpadded sequence after the other in double
precision, normalisers as in "Loss applied by the driver". What TRL's optimizer gets must agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tiny
import torch
from transformers import TrainerCallback


@dataclass
class Step:
    batch: Any
    rollouts: dict[int, Any]
    policy: Any  # a copy of the weights before the update
    gradient: torch.Tensor | None = None  # what the optimizer was given


class Spy(TrainerCallback):
    """Keeps the batch, the weights and the gradient of every step of a trainer."""

    def __init__(self, trainer: Any) -> None:
        self.steps: list[Step] = []
        self.seen: list[dict[str, torch.Tensor]] = []  # what TRL's loss saw
        session = trainer._allot
        ship = session._ship

        def spied(batch: Any, fresh: Any, parent: Any) -> Any:
            held = dict(session._store.held)
            rollouts = {**held, **{rollout.id: rollout for rollout in fresh}}
            policy = tiny.model()  # a copy would keep the forward that TRL has put in its place
            policy.load_state_dict(trainer.accelerator.unwrap_model(trainer.model).state_dict())
            self.steps.append(Step(batch, rollouts, policy.double()))
            return ship(batch, fresh, parent)

        session._ship = spied
        self.trainer = trainer
        trainer.add_callback(self)

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        parameters = list(self.trainer.model.parameters())
        if all(p.grad is None for p in parameters):
            return
        self.steps[-1].gradient = torch.cat([p.grad.flatten() for p in parameters]).double()


def omegas(batch: Any, tokens: list[int]) -> list[float]:
    """Weight of a token of each item; items of no token count nowhere."""
    out = []
    counted = [n > 0 for n in tokens]
    bounds = batch.offsets.tolist()
    group_of = batch.group.tolist()
    in_group = [sum(counted[a:b]) for a, b in zip(bounds, bounds[1:])]
    for i, n in enumerate(tokens):
        mean = 0.0 if n == 0 else 1 / (batch.length_divisor or n)
        out.append(
            {
                "per_token": lambda: 1 / sum(tokens),
                "per_rollout": lambda: mean / sum(counted),
                "per_group": lambda: mean / in_group[group_of[i]] / sum(k > 0 for k in in_group),
                "fixed": lambda: mean / batch.fixed,
            }[batch.norm]()
            if n
            else 0.0
        )
    return out


def token_logps(policy: Any, rollout: Any) -> torch.Tensor:
    ids = torch.tensor([rollout.prompt_ids + rollout.completion_ids])
    logits = policy(input_ids=ids).logits[0, len(rollout.prompt_ids) - 1 : -1]
    taken = torch.tensor(rollout.completion_ids)
    return logits.log_softmax(-1).gather(1, taken[:, None])[:, 0]


def gradient(
    step: Step, beta: float = 0.0, reference: Any = None, host: bool = False
) -> torch.Tensor:
    """Of the surrogate clipped at 1 +- .2, in double precision; plus TRL's KL term of loss_type
    "dapo", k3 against the reference as a mean over all trained tokens. `host`: divided as TRL's
    "dapo" does, by the trained tokens."""
    policy, batch = step.policy, step.batch
    policy.zero_grad()
    chosen = [step.rollouts[i] for i in batch.rollout.tolist()]
    tokens = [rollout.tokens for rollout in chosen]
    weights = [1 / sum(tokens)] * len(tokens) if host else omegas(batch, tokens)
    loss = torch.zeros((), dtype=torch.float64)
    for i, rollout in enumerate(chosen):
        logps = token_logps(policy, rollout)
        old = logps.detach()
        if batch.anchor[i] == 1:
            old = torch.from_numpy(rollout.logps).double()
        ratio = (logps - old).exp()
        advantage = float(batch.advantage[i])
        kept = torch.ones(len(logps)) if rollout.mask is None else torch.tensor(rollout.mask)
        surrogate = torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)
        loss = loss - float(batch.weight[i]) * weights[i] * (surrogate * kept).sum()
        if beta:
            away = token_logps(reference, rollout).detach() - logps
            kl = (away.exp() - away - 1) * ratio  # use_bias_correction_kl, TRL's default
            loss = loss + beta * (kl * kept).sum() / sum(tokens)
    loss.backward()
    return torch.cat([p.grad.flatten() for p in policy.parameters()])
