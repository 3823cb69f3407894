"""allot.objective: numpy arrays in, the numbers of the golden batch out, refusals by name."""

import math

import allot
import numpy as np
import pytest
from allot import objective

MASK = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]])


def padded(*rows):
    out = np.full(MASK.shape, np.nan)  # what stands behind the mask is not read
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out


GOLDEN = {
    "logprobs": padded([-0.40, -0.80, -0.09], [-0.45, -2.60], [-0.04, -1.30, -2.10, -0.45], [-0.6]),
    "old_logprobs": padded(
        [-0.52, -1.10, -0.11], [-0.31, -2.20], [-0.05, -0.95, -2.60, -0.42], [-1.45]
    ),
    "rollout_logprobs": padded(
        [-0.50, -1.20, -0.10], [-0.30, -2.00], [-0.05, -1.10, -3.00, -0.40], [-1.50]
    ),
    "ref_logprobs": padded(
        [-0.60, -1.30, -0.12], [-0.28, -1.90], [-0.06, -0.85, -3.20, -0.41], [-1.60]
    ),
    "mask": MASK,
    "rewards": np.array([1.0, 0.0, 1.0, 0.0], dtype=np.float32),
    "group_index": np.zeros(4, dtype=np.int64),
}


@pytest.mark.parametrize(
    ("preset", "options", "loss"),
    [
        ("grpo", {}, 0.24245351),
        ("dapo", {}, -0.29300159),
        ("dapo", {"loss.dual_clip_c": 2, "adv.eps": 1e-6}, -0.32246606),
        ("dr_grpo", {"loss.norm_constant": 4}, -0.10074615),
        ("rloo", {}, 0.25443975),
        ("gspo", {"loss.clip_low": 0.05, "loss.clip_high": 0.05}, 0.26119413),
        ("cispo", {"loss.weight_max": 1.5}, 0.27117985),
        ("sapo", {}, 0.10674032),
        ("vespo", {}, 0.17328440),
        (
            "geo_rs",
            {
                "loss.clip_high": 0.2,
                "loss.rejection.min": 0.95,
                "loss.rejection.max": 1.1,
            },
            -0.08728469,
        ),
    ],
)
def test_golden_losses(preset, options, loss):
    assert objective.evaluate(preset, options, **GOLDEN)["loss"] == pytest.approx(loss, abs=1e-6)


def test_results_have_a_number_per_token():
    result = objective.evaluate(**GOLDEN)
    assert [len(row) for row in result["grad"]] == [4, 4, 4, 4]
    assert all(
        g == 0
        for row, m in zip(result["grad"], MASK, strict=True)
        for g, k in zip(row, m, strict=True)
        if k == 0
    )
    assert result["metrics"]["train/tokens"] == 10
    assert result["advantages"][0][0] == pytest.approx(0.865875, abs=1e-6)


def test_rows_of_lists_and_several_rewards():
    rewards = [[1, 0], [0, 1], [1, 1], [0, 1]]
    result = objective.evaluate(
        "gdpo",
        {"adv.gdpo_batch_norm": False},
        logprobs=[[-1.0], [-1.0, -1.0], [-1.0], [-1.0]],
        rewards=rewards,
        group_index=[0, 0, 0, 0],
    )
    assert result["advantages"][0][0] == pytest.approx(-0.633825, abs=1e-6)


def test_requirements():
    assert objective.requirements("dapo") == ["old_logprobs"]
    assert objective.requirements("dapo", {"loss.mismatch.weight": "truncate"}) == [
        "old_logprobs",
        "rollout_logprobs",
    ]
    assert "gspo" in objective.presets()


def test_a_missing_reward_is_not_scorable():
    result = objective.evaluate(
        logprobs=[[-1.0], [-1.0], [-2.0]], rewards=[None, 1, math.nan], group_index=[0, 0, 0]
    )
    assert result["advantages"] == [[0.0], [0.0], [0.0]]
    assert result["metrics"]["train/tokens"] == 1


@pytest.mark.parametrize(
    ("change", "kind", "part"),
    [
        ({"preset": "gpso"}, allot.ConfigError, "gspo"),
        ({"options": {"loss.clip": 1}}, allot.ConfigError, "loss.clip"),
        ({"preset": "cispo", "options": {"loss.clip_high": 0.2}}, allot.ConfigError, "weight_max"),
        ({"group_index": None}, allot.DataError, "group_index"),
        ({"mask": MASK[:2]}, allot.DataError, "mask"),
        ({"preset": "tis", "rollout_logprobs": None}, allot.DataError, "rollout"),
        ({"rewards": ["a", 1, 0, 0]}, allot.DataError, "rewards"),
    ],
)
def test_refusals(change, kind, part):
    with pytest.raises(kind, match=part):
        objective.evaluate(**{**GOLDEN, **change})
