"""The estimator: row by row what the method decided, and verl's own loss becomes the method's."""

import allot
import numpy as np
import pytest
import torch
from allot.replay import Ready, groups_of
from allot.verl.estimator import MODES, Aggregation, Table, in_force
from omegaconf import OmegaConf
from verl.trainer.ppo.core_algos import agg_loss, get_adv_estimator_fn, get_policy_loss_fn
from verl.workers.config.actor import ActorConfig, PolicyLossConfig

ESTIMATE = get_adv_estimator_fn("allot")


def item(rollout, advantage=1.0, weight=1.0, omega=1.0):
    return Ready(rollout, advantage, weight, omega, 0, False)


def masks(lengths, width=9):
    return (torch.arange(width) < torch.tensor(lengths).unsqueeze(1)).long()


def estimate(table, mask):
    uids = np.array([key.split("_")[0] for key in table.keys], dtype=object)
    with in_force(table):
        out, returns = ESTIMATE(
            token_level_rewards=torch.zeros(mask.shape), response_mask=mask, index=uids, config=None
        )
    assert torch.equal(out, returns)
    return out


def test_rows_are_found_by_rollout_and_padding_is_worth_nothing():
    items = {"a_0": item(0, 2.0), "a_3": item(1, -1.0, 0.5), "b_0": item(2, 3.0)}
    keys = ["b_0_0", "pad1f_0_0", "a_3_0", "a_0_0", "a_0_1", "pad1f_1_0"]
    mask = masks([2, 0, 3, 1, 4, 0])
    out = estimate(Table(keys, items, None), mask)
    assert torch.equal(out, torch.tensor([3.0, 0, -0.5, 2, 2, 0]).unsqueeze(1) * mask)


def test_outside_our_trainer_it_refuses():
    with pytest.raises(allot.ConfigError, match="trainer_mode=allot"):
        ESTIMATE(token_level_rewards=torch.zeros(1, 1), response_mask=masks([1], 1))


def test_another_number_of_rows_is_no_silent_shift():
    with pytest.raises(allot.InternalError, match="rows"):
        estimate(Table(["a_0_0"], {}, None), masks([1, 2]))


def shipped(method, seed):
    """A batch of uneven groups, with lengths."""
    draw = np.random.default_rng(seed)
    controller = allot.Controller(method, seed=seed, group_size=4)
    plan = controller.plan(range(6))
    lengths = {}
    while not plan.done:
        ids = plan.generate.ids().tolist()
        lengths.update((i, int(draw.integers(1, 9))) for i in ids)
        plan = controller.observe(
            {
                "id": ids,
                "reward": draw.integers(0, 2, len(ids)).astype(float),
                "tokens": [lengths[i] for i in ids],
            }
        )
    batch = controller.finalize()
    return batch, [lengths[i] for i in batch.rollout.tolist()]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", ["grpo", "dapo", "aero"])
def test_adapter_c_the_loss_is_divided_by_what_is_trained_whatever_the_mode(mode, method):
    """Against the contract's sum, written out; padding rows are among those of verl, and
    rows that were dropped count in no divisor."""
    batch, lengths = shipped(method, 1)
    assert 0 < len(batch) < 24
    groups = groups_of(batch, dict(zip(batch.rollout.tolist(), lengths)).get, lambda i: 0)
    items = [one for group in groups for one in group.items]
    keys = [f"p_{one.rollout}_0" for one in items] + ["pad_0_0", "pad_1_0"]
    mask = masks([*lengths, 0, 0])
    table = Table(
        keys, {f"p_{one.rollout}": one for one in items}, Aggregation(mode, len(keys), horizon=7)
    )
    surrogate = torch.rand(mask.shape, dtype=torch.float64)
    found = agg_loss(
        estimate(table, mask).double() * surrogate,
        mask,
        mode,
        batch_num_tokens=int(mask.sum()),
        global_batch_size=len(keys),
        loss_scale_factor=7,
    )
    omega = batch.token_weights(lengths)
    expected = sum(
        float(a * w * o * (surrogate[i] * mask[i]).sum())
        for i, (a, w, o) in enumerate(zip(batch.advantage, batch.weight, omega))
    )
    assert float(found) == pytest.approx(expected, rel=1e-5, abs=1e-7)


def actor(loss="vanilla", mode="token-mean", rows=8):
    return OmegaConf.create(
        {
            "policy_loss": {"loss_mode": loss},
            "loss_agg_mode": mode,
            "ppo_mini_batch_size": rows,
            "loss_scale_factor": None,
        }
    )


@pytest.mark.parametrize("mode", ["token-mean", "seq-mean-token-sum", "seq-mean-token-mean"])
@pytest.mark.parametrize("loss", ["vanilla", "gspo", "sapo", "cispo", "gpg"])
@pytest.mark.parametrize("method", ["grpo", "dapo"])
def test_the_step_is_the_methods_with_every_loss_of_verl(loss, mode, method):
    """On-policy the gradient of every token's log-probability is its advantage times the method's
    weights, whatever the loss does away from there."""
    batch, lengths = shipped(method, 1)
    items = {
        f"p_{one.rollout}": one
        for group in groups_of(batch, dict(zip(batch.rollout.tolist(), lengths)).get, lambda i: 0)
        for one in group.items
    }
    mask = masks(lengths)
    table = Table([f"{one}_0" for one in items], items, Aggregation.of(actor(loss, mode), 4))
    config = ActorConfig(
        strategy="fsdp",
        rollout_n=4,
        ppo_micro_batch_size_per_gpu=1,
        policy_loss=PolicyLossConfig(loss_mode=loss),
    )
    config.global_batch_info.update(
        dp_size=1, batch_num_tokens=int(mask.sum()), global_batch_size=len(items)
    )
    logp = torch.full(mask.shape, -0.5, dtype=torch.float64, requires_grad=True)
    worth = estimate(table, mask).double()
    get_policy_loss_fn(loss)(logp.detach(), logp, worth, mask, loss_agg_mode=mode, config=config)[
        0
    ].backward()
    size = [one.advantage * one.weight * one.omega for one in items.values()]
    expected = -torch.tensor(size).unsqueeze(1) * mask
    assert torch.allclose(logp.grad, expected.double(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("mode", ["seq-mean-token-mean", "seq-mean-token-sum", "token-sum"])
def test_several_mini_batches_each_have_the_full_step(mode):
    """The mean over mini-batches is the loss over all rows."""
    batch, lengths = shipped("grpo", 2)
    lengths = lengths[: len(lengths) // 2 * 2]
    omega = batch.token_weights([*lengths, *[1] * (len(batch) - len(lengths))])
    items = [
        item(i, float(batch.advantage[i]), float(batch.weight[i]), float(omega[i]))
        for i in range(len(lengths))
    ]
    keys = [f"p_{i}_0" for i in range(len(lengths))]
    half = len(keys) // 2
    table = Table(keys, {f"p_{i}": one for i, one in enumerate(items)}, Aggregation(mode, half))
    mask = masks(lengths)
    surrogate = torch.rand(mask.shape, dtype=torch.float64) * mask
    values = estimate(table, mask).double() * surrogate
    losses = [
        agg_loss(values[rows], mask[rows], mode, global_batch_size=half)
        for rows in (slice(half), slice(half, None))
    ]
    size = [one.advantage * one.weight * one.omega for one in items]
    expected = float((torch.tensor(size) * surrogate.sum(1)).sum())
    assert float(sum(losses)) / 2 == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_modes_that_are_not_known_or_not_constant_are_refused():
    said = r"policy_loss\.loss_mode is 'geo_mean'.*allot\.normalizer=method.*normalizer=host"
    with pytest.raises(allot.ConfigError, match=said):
        Aggregation.of(actor("geo_mean"), 4)
    with pytest.raises(allot.ConfigError, match="normalizer=host"):
        Aggregation("median", 4).check()
    with pytest.raises(allot.ConfigError, match="loss_scale_factor"):
        Aggregation("seq-mean-token-sum-norm", 4).check()
