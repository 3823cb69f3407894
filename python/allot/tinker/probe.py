"""Finds out by what a server divides its loss, from gradient norms of steps with learning rate 0.

All batches of the probe push the same tokens of the same row by the same advantage; their gradients
differ by the divisor alone, and the ratios of their norms name it. A server whose ratios fit none
of the known rules is refused: under it a method would silently be another one. The steps leave
traces in the optimizer's moments, so the caller restores a saved state afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import allot
import tinker

from .engine import guarded
from .rows import Row
from .rule import Rule, known_rules

if TYPE_CHECKING:
    from .engine import Engine

TOLERANCE = 0.03  # of a ratio; bfloat16 rounds, the rules differ by 15 % and more
PROMPT, SHORT, LONG = 9, 2, 8  # tokens of the rows; servers compile once for up to 16 positions
SEED = 1  # of the samples that show whether a seed means anything
Batch = list[list[Row]]  # calls of rows, before one optimizer step


def measure(engine: Engine, tokens: Sequence[int]) -> Rule:
    """The rule of the server behind `engine`; `tokens`: any that its model knows, at least one.

    Raises ConfigError where the server names no gradient norm or fits no known rule.
    """
    engine.with_weights = True
    try:
        short, long = probe_rows(engine, tokens)
    except allot.SamplerError:  # it takes no weights
        engine.with_weights = False
        short, long = probe_rows(engine, tokens)
    batches = probe_batches(short, long)
    norms = {name: norm_of(engine, calls) for name, calls in batches.items()}
    base = norms["one row"]
    if not base > 0:
        raise allot.ConfigError(
            f"[tinker] the server's gradient norm of one row is {base}; a positive one is needed "
            f"to find out by what it divides its loss"
        )
    ratios = {name: norm / base for name, norm in norms.items()}
    rules = [rule for rule in known_rules(engine.with_weights) if fits(rule, batches, ratios)]
    if len(rules) != 1:
        raise allot.ConfigError(
            f"[tinker] the server's loss follows {'none' if not rules else 'more than one'} of the "
            f"known rules: relative to one row its gradient is "
            f"{', '.join(f'{ratio:.3f} for {name}' for name, ratio in ratios.items())}; "
            f"without its rule no method can be run as it is meant. Hint: docs/tinker.md lists the "
            f"rules; rule=allot.tinker.Rule(..) states one that you know"
        )
    return rules[0]


def repeats(engine: Engine, tokens: Sequence[int]) -> bool:
    """Whether one seed gives one sample; without that a run goes on, but not bit by bit."""
    prompt = tinker.ModelInput.from_ints(list(tokens))
    params = tinker.SamplingParams(max_tokens=min(LONG, engine.settings.max_tokens), seed=SEED)
    wait = engine.settings.timeout_s
    sample = engine.sampler().sample

    def once() -> list[list[int]]:
        future = sample(prompt=prompt, num_samples=2, sampling_params=params)
        return [list(one.tokens) for one in future.result(timeout=wait).sequences]

    return bool(guarded("sample", once) == guarded("sample", once))


def probe_rows(engine: Engine, tokens: Sequence[int]) -> tuple[Row, Row]:
    """Two rows that begin alike, pushed at the same tokens, with the policy's log-probabilities."""
    cycle = [tokens[i % len(tokens)] for i in range(PROMPT + LONG)]
    prompt, answer = cycle[:PROMPT], cycle[PROMPT:]
    guess = Row(prompt, answer, [-1.0] * LONG, 1.0)
    (logps,) = engine.forward([guess])
    long = Row(prompt, answer, logps, 1.0, pushed=SHORT)
    return Row(prompt, answer[:SHORT], logps[:SHORT], 1.0), long


def probe_batches(short: Row, long: Row) -> dict[str, Batch]:
    idle = replace(long, advantage=0.0)
    return {
        "one row": [[short]],
        "twice the advantage": [[replace(short, advantage=2.0)]],
        "the row twice": [[short, short]],
        "a longer row": [[long]],
        "a row without advantage beside it": [[short, idle]],
        "that row in a call of its own": [[short], [idle]],
        "the row in two calls": [[short], [short]],
    }


def norm_of(engine: Engine, calls: Batch) -> float:
    for rows in calls:
        engine.forward_backward(rows)
    metrics = engine.optim_step(0.0)
    found = [value for name, value in metrics.items() if name.split("/")[-1] == "grad_norm"]
    if len(found) != 1 or not math.isfinite(found[0]):
        raise allot.ConfigError(
            f"[tinker] optim_step of this server returned the metrics "
            f"{', '.join(f'{name}={value}' for name, value in metrics.items()) or 'none'}; a "
            f"gradient norm is needed to find out by what it divides its loss. "
            f"Hint: rule=allot.tinker.Rule(..) states the rule where you know it"
        )
    return found[0]


def fits(rule: Rule, batches: dict[str, Batch], ratios: dict[str, float]) -> bool:
    base = predicted(rule, batches["one row"])
    return all(
        math.isclose(ratios[name], predicted(rule, calls) / base, rel_tol=TOLERANCE)
        for name, calls in batches.items()
    )


def predicted(rule: Rule, calls: Batch) -> float:
    """Size of the gradient in units of that of the sum over the pushed tokens."""
    pairs = zip(calls, rule.divisors(calls))
    return sum(row.advantage / by for rows, each in pairs for row, by in zip(rows, each))
