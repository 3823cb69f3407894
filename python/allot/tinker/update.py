"""One optimizer step from a batch: the method's loss, under the normaliser that the server has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import allot
import numpy as np

from . import rows
from .engine import Engine, Logps
from .rollouts import Rollout

BEHAVIOUR = allot.ANCHORS.index("behaviour")
CLIP = 0.2  # ratios outside 1 +- CLIP are reported as clipped
MOST_POSITIONS = 65536  # of one call; the client cuts calls of about 100,000 itself


@dataclass
class Done:
    """What an update came to."""

    made: bool
    items: dict[str, object] | None = None  # ratios, for Controller.feedback
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass
class Chosen:
    """A rollout of the batch; `size`: advantage, weight and normaliser of each of its tokens."""

    rollout: Rollout
    size: float
    fresh: bool  # of this step
    behaviour: bool  # its ratio stands against the policy that sampled it


def update(
    engine: Engine, batch: allot.Batch, rollouts: dict[int, Rollout], fresh: set[int], step: int
) -> Done:
    """`rollouts`: all that the batch may name; `fresh`: ids of those of this step. A batch without
    a token to train on is no update at all, not an update by zero."""
    chosen = chosen_of(batch, rollouts, fresh)
    if not chosen:
        return Done(False, metrics={"tinker/rows": 0.0})
    made = [
        rows.Row(one.rollout.prompt_ids, one.rollout.tokens, logps, one.size)
        for one, logps in zip(chosen, anchors(engine, chosen))
    ]
    calls = calls_of(engine, made)
    for call, divisors in zip(calls, engine.known_rule.divisors(calls)):
        for row, divisor in zip(call, divisors):
            row.advantage *= divisor
    logps = [one for call in calls for one in engine.forward_backward(call)]
    served = engine.optim_step(engine.settings.rate(step))
    metrics = {f"tinker/{name.split('/')[-1]}": value for name, value in served.items()}
    gaps = [
        float(np.abs(now - np.asarray(one.rollout.logps, np.float32)).max())
        for one, now in zip(chosen, logps)
        if one.fresh
    ]
    metrics |= {"tinker/rows": float(len(made)), "tinker/logprob_gap": max(gaps, default=0.0)}
    return Done(True, item_stats(chosen, logps), metrics)


def chosen_of(batch: allot.Batch, rollouts: dict[int, Rollout], fresh: set[int]) -> list[Chosen]:
    """Without rollouts of no token: they count nowhere, and a server may divide by their length."""
    named = [rollouts[i] for i in batch.rollout.tolist()]
    tokens = [len(rollout.tokens) for rollout in named]
    if not any(tokens):
        return []
    weights = batch.weight.astype(float) * batch.token_weights(tokens)
    sizes = weights * batch.advantage
    return [
        Chosen(rollout, float(size), rollout.id in fresh, bool(anchor == BEHAVIOUR))
        for rollout, count, size, anchor in zip(named, tokens, sizes, batch.anchor)
        if count
    ]


def anchors(engine: Engine, chosen: list[Chosen]) -> list[Sequence[float] | Logps]:
    """Denominators of the ratio. Those of a rollout of this step are the sampler's: it has the
    weights of the step's start. Older ones are measured anew, unless their own policy is wanted."""
    out: list[Sequence[float] | Logps] = [one.rollout.logps for one in chosen]
    old = [i for i, one in enumerate(chosen) if not one.fresh and not one.behaviour]
    asked = [
        rows.Row(chosen[i].rollout.prompt_ids, chosen[i].rollout.tokens, out[i], 0.0) for i in old
    ]
    measured = [logps for call in calls_of(engine, asked) for logps in engine.forward(call)]
    for i, logps in zip(old, measured):
        out[i] = logps
    return out


def calls_of(engine: Engine, made: list[rows.Row]) -> list[list[rows.Row]]:
    return rows.calls_of(made, engine.settings.rows_per_call, MOST_POSITIONS)


def item_stats(chosen: list[Chosen], logps: list[Logps]) -> dict[str, object]:
    """Mean ratio and clipped share of rollouts that stand against the policy that sampled them, as
    they were before the update."""
    found: dict[str, list[float]] = {"rollout": [], "ratio": [], "clip_fraction": []}
    for one, now in zip(chosen, logps):
        if one.behaviour:
            ratios = np.exp(now.astype(float) - np.asarray(one.rollout.logps))
            found["rollout"].append(one.rollout.id)
            found["ratio"].append(float(ratios.mean()))
            found["clip_fraction"].append(float((np.abs(ratios - 1) > CLIP).mean()))
    return dict(found)
