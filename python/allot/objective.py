"""The policy losses of the field, in double precision, on given numbers: an oracle for your own.

    result = allot.objective.evaluate(
        "gspo", logprobs=new, old_logprobs=old, mask=mask, rewards=rewards, group_index=groups
    )
    result["loss"], result["grad"], result["advantages"], result["metrics"]

The presets and options are those of `loss.*` and `adv.*`; docs/objectives.md lists them.
"""

from __future__ import annotations

import math

from . import _core
from .errors import DataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TypedDict

    Row = Iterable[float]
    Rows = Iterable[Row]

    class Evaluation(TypedDict):
        """Lists have a row per response, and a number per token where nothing else is said."""

        advantages: list[list[float]]
        loss: float
        coefficient_loss: float
        grad: list[list[float]]
        grad_log_partition: list[float]  # one per response; zeros but for flow_rl
        metrics: dict[str, float]


def presets() -> list[str]:
    """The names of the published losses."""
    return _core.objective_presets()


def requirements(preset: str = "dapo", options: Mapping[str, object] | None = None) -> list[str]:
    """The optional arguments of `evaluate` that a composed loss reads."""
    return _core.objective_requirements(_settings(preset, options))


def evaluate(
    preset: str = "dapo",
    options: Mapping[str, object] | None = None,
    *,
    logprobs: Rows,
    rewards: Iterable[float | None] | Iterable[Iterable[float | None]] | None = None,
    group_index: Iterable[int] | None = None,
    external_advantage: Iterable[float] | Rows | None = None,
    mask: Rows | None = None,
    old_logprobs: Rows | None = None,
    rollout_logprobs: Rows | None = None,
    ref_logprobs: Rows | None = None,
    item_weight: Row | None = None,
    truncated: Iterable[bool] | None = None,
    anchor_override: Sequence[str] | None = None,
    entropy: Rows | None = None,
    token_ids: Rows | None = None,
    rollout_topk_ids: Iterable[Rows] | None = None,
    rollout_topk_logprobs: Iterable[Rows] | None = None,
    topk_logprobs: Iterable[Rows] | None = None,
    old_topk_logprobs: Iterable[Rows] | None = None,
    hidden: Iterable[Rows] | None = None,
    log_partition: Row | None = None,
    rollout_id: Iterable[int] | None = None,
    seed: int = 0,
    step: int = 0,
) -> Evaluation:
    """Advantages, loss, its gradient by each log-probability, and metrics of one optimizer step.

    Args:
        preset: a name of `presets()`, with all it says of advantages and aggregation.
        options: further keys, e.g. {"loss.clip_high": 0.3, "adv.scale": "none"}.
        logprobs: of the current policy, [responses][tokens]: a padded array with `mask`, or rows
            of different lengths. Numbers behind a mask of 0 are not read.
        rewards: one per response, or one per component; None or NaN = not scorable. With them
            `group_index`, which says whose responses answer the same prompt.
        external_advantage: instead of rewards, per response or per token.
        old_logprobs: of the policy before the updates on these responses; none = the current one.
        rollout_logprobs: what the sampling engine says it sampled from.
        ref_logprobs: of a frozen reference policy.
        item_weight: factor of each response.
        truncated: which responses were cut at the length limit.
        anchor_override: "recompute" or "behaviour" per response.
        entropy: of the full distribution at each token.
        token_ids, rollout_topk_ids, rollout_topk_logprobs, topk_logprobs, old_topk_logprobs: the
            sampled ids, and the likeliest ids with their log-probabilities under the rollout's,
            the current and the old policy.
        hidden: last hidden states, for the curvature mask.
        log_partition: FlowRL's log Z per response.
        rollout_id, seed, step: key the draws of rejection sampling.

    Raises:
        ConfigError: options that contradict each other. DataError: arrays that do not fit, or one
            that the loss needs and that is missing.
    """
    fields: dict[str, object] = {"seed": seed, "step": step}
    by_token = {
        "logprobs": logprobs,
        "mask": mask,
        "old_logprobs": old_logprobs,
        "rollout_logprobs": rollout_logprobs,
        "ref_logprobs": ref_logprobs,
        "entropy": entropy,
        "token_ids": token_ids,
    }
    by_response = {
        "rewards": rewards,
        "group_index": group_index,
        "external_advantage": external_advantage,
        "item_weight": item_weight,
        "truncated": truncated,
        "log_partition": log_partition,
        "rollout_id": rollout_id,
    }
    by_id = {
        "rollout_topk_ids": rollout_topk_ids,
        "rollout_topk_logprobs": rollout_topk_logprobs,
        "topk_logprobs": topk_logprobs,
        "old_topk_logprobs": old_topk_logprobs,
        "hidden": hidden,
    }
    for given in (by_token, by_response):
        for name, values in given.items():
            if values is not None:
                fields[name] = _matrix(name, values)
    for name, cube in by_id.items():
        if cube is not None:
            fields[name] = [_matrix(name, rows) for rows in cube]
    if anchor_override is not None:
        fields["anchor_override"] = [str(one) for one in anchor_override]
    result: Evaluation = _core.objective_evaluate(fields, _settings(preset, options))
    return result


def _number(name: str, value: object) -> float:
    if value is None:
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise DataError(f"[{name}] {value!r:.60} was given; a number is needed.") from None


def _matrix(name: str, rows: Iterable[object]) -> list[list[float]]:
    """Rows of numbers; a number that stands alone is a row of one."""
    out = []
    for row in rows:
        alone = row is None or not hasattr(row, "__iter__") or getattr(row, "ndim", 1) == 0
        values: Iterable[object] = (row,) if alone else row  # type: ignore[assignment]
        out.append([_number(name, value) for value in values])
    return out


def _settings(preset: str, options: Mapping[str, object] | None) -> dict[str, str]:
    import json  # here, since the package's import is to stay light

    settings = {"loss.preset": preset}
    for key, value in (options or {}).items():
        settings[key] = value if isinstance(value, str) else json.dumps(value)
    return settings
