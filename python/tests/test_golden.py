"""Advantages of uneven groups (1, 2, 3, 8 and more) against numpy, written from the papers."""

import allot
import numpy as np
import pytest

REWARDS = {
    11: [1.0],
    12: [1.0, 0.0],
    13: [0.25, 1.0, 0.5],
    14: [1, 0, 0, 1, 0, 0, 0, 1],
    15: [0.1] * 8,
}


def play(controller, rewards):
    """One step; rollouts beyond those given are not scorable. Returns advantages by prompt."""
    plan = controller.plan(list(rewards))
    while not plan.done:
        rows = []
        for request in plan.generate:
            given = rewards[request.prompt]
            for i in range(request.n):
                seq = request.first_seq + i
                rows.append((request.first + i, given[seq] if seq < len(given) else None))
        ids, values = zip(*rows)
        plan = controller.observe({"id": list(ids), "reward": list(values)})
    batch = controller.finalize()
    return batch, {
        group.prompt: batch.advantage[group.first : group.first + group.count]
        for group in batch.groups
    }


def grpo(rewards, ddof=1, eps=1e-4):
    r = np.asarray(rewards, dtype=np.float64)
    if len(r) < 2 or np.ptp(r) <= 1e-6:
        return np.zeros(len(r))
    return (r - r.mean()) / (r.std(ddof=ddof) + eps)


def test_grpo():
    batch, by_prompt = play(allot.Controller("grpo", group_size=8, ship_zero=True), REWARDS)
    for prompt, advantages in by_prompt.items():
        np.testing.assert_allclose(advantages, grpo(REWARDS[prompt]), rtol=1e-5, atol=0)
    # One rollout has no baseline: it is left out and the report says why.
    assert [group.prompt for group in batch.groups] == [12, 13, 14, 15]
    assert batch.offsets.tolist() == np.cumsum([0, 2, 3, 8, 8]).tolist()
    causes = {report.prompt: report.cause for report in batch.reports}
    assert causes == {11: "single", 12: "none", 13: "none", 14: "none", 15: "all_wrong"}
    assert (batch.weight == 1).all()


def test_grpo_with_other_advantages():
    for options, expected in [
        ({"adv_scale": "none"}, lambda r: r - r.mean()),
        ({"adv": {"estimator": "leave_one_out"}}, lambda r: (r - r.mean()) * len(r) / (len(r) - 1)),
        ({"adv": {"ddof": 0, "eps": 0}}, lambda r: (r - r.mean()) / r.std()),
    ]:
        _, by_prompt = play(allot.Controller("grpo", group_size=8, **options), REWARDS)
        for prompt in (12, 13, 14):
            rewards = np.asarray(REWARDS[prompt], dtype=np.float64)
            np.testing.assert_allclose(by_prompt[prompt], expected(rewards), rtol=1e-6)
        assert 15 not in by_prompt  # all equal: nothing to train on


def test_pods_takes_the_extremes():
    rng = np.random.default_rng(0)
    rewards = {i: rng.random(n).round(3).tolist() for i, n in ((1, 1), (2, 2), (3, 3), (4, 8))}
    controller = allot.Controller("pods", rollouts=8, kept=4, adv_scale="none")
    batch, by_prompt = play(controller, rewards)
    for prompt in (2, 3, 4):
        r = np.sort(rewards[prompt])
        m = min(4, len(r))
        best = max(
            (np.concatenate([r[: m - k], r[len(r) - k :]]) for k in range(m + 1)), key=np.var
        )
        np.testing.assert_allclose(np.sort(by_prompt[prompt]), best - best.mean(), atol=1e-6)
    assert 1 not in by_prompt


def test_ar3po_stops_at_the_first_success():
    rewards = {1: [0, 1, 0, 0, 9, 9, 9, 9], 2: [0, 0, 0, 0, 1, 0, 1, 0], 3: [0] * 8}
    controller = allot.Controller("ar3po", group_size=8)  # k = 4 rollouts in each of 2 stages
    batch, by_prompt = play(controller, rewards)
    np.testing.assert_allclose(by_prompt[1], grpo(rewards[1][:4], ddof=0, eps=0), rtol=1e-3)
    np.testing.assert_allclose(by_prompt[2], grpo(rewards[2], ddof=0, eps=0), rtol=1e-3)
    assert 3 not in by_prompt
    assert {r.prompt: r.cause for r in batch.reports}[3] == "all_wrong"


def test_aero_keeps_as_many_wrong_as_right():
    rewards = {
        1: [1, 0, 1, 1, 0, 0, 0, 0],
        2: [0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        3: [1] * 8,
        4: [None] * 40,
    }
    controller = allot.Controller("aero", group_size=16, rescue_size=2, degenerate="off")
    batch, by_prompt = play(controller, {k: v + [0] * 40 for k, v in rewards.items()})
    np.testing.assert_array_equal(np.sort(by_prompt[1]), [-1, -1, -1, 1, 1, 1])
    np.testing.assert_array_equal(np.sort(by_prompt[2]), [-1, 1])
    assert set(by_prompt) == {1, 2}
    causes = {r.prompt: r.cause for r in batch.reports}
    assert causes[3] == "all_right" and causes[1] == "none"


def test_aero_scores_one_sided_groups_by_the_posterior():
    controller = allot.Controller("aero", group_size=8, explore=8, rescue_rounds=0)
    _, by_prompt = play(controller, {1: [1] * 8, 2: [0] * 8})
    for prompt, correct in ((1, 8), (2, 0)):
        mean = (correct + 1) / (8 + 2)
        expected = ((correct > 0) - mean) / np.sqrt(mean * (1 - mean))
        assert by_prompt[prompt] == pytest.approx(expected, rel=1e-6)


def test_token_weights():
    """Against the contract's loss written out, for each normaliser; an item of no token is out."""
    rewards = {1: [1.0, 0.0, 0.0], 2: [0.0, 1.0], 3: [1.0, 0.0, 1.0, 0.0]}
    tokens = np.array([5, 7, 2, 3, 4, 9, 0, 1, 6])
    group = np.repeat([0, 1, 2], [3, 2, 4])
    kept = tokens > 0
    inverse = np.where(kept, 1 / np.maximum(tokens, 1), 0)
    in_group = np.array([kept[group == g].sum() for g in group])
    batch, _ = play(allot.Controller("grpo", group_size=4), rewards)
    assert batch.norm == "per_group"
    np.testing.assert_allclose(batch.token_weights(tokens), inverse / in_group / 3, rtol=1e-12)
    batch, _ = play(allot.Controller("dapo", group_size=4, budget=allot.Budget(groups=3)), rewards)
    assert batch.norm == "per_token"
    np.testing.assert_allclose(batch.token_weights(tokens), kept / tokens.sum(), rtol=1e-12)
    batch, _ = play(
        allot.Controller("evidence", group_size=4), {p: r * 2 for p, r in rewards.items()}
    )
    assert batch.norm == "fixed" and batch.length_divisor >= 0
    lengths = np.arange(len(batch)) + 1
    divisor = batch.length_divisor or lengths
    expected = 1 / batch.fixed / divisor * np.ones(len(batch))
    np.testing.assert_allclose(batch.token_weights(lengths), expected, rtol=1e-12)


def test_token_weights_refuse():
    batch, _ = play(allot.Controller("grpo", group_size=2), {1: [1.0, 0.0]})
    with pytest.raises(
        allot.DataError, match=r"a list of 3 was given; one for each of the 2 items"
    ):
        batch.token_weights([1, 2, 3])
    with pytest.raises(allot.DataError, match=r"tokens, row 1.*-1"):
        batch.token_weights([1, -1])
