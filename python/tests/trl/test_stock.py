"""Against TRL itself: what is left to it stays bit for bit, what we compute is what it computes."""

import allot.trl
import pytest
import tiny
import torch
import trl

LOGGED = ("loss", "grad_norm", "reward", "reward_std", "frac_reward_zero_std", "num_tokens")


def trained(kind, folder, **changes):
    trainer = tiny.trainer(kind, folder, **changes)
    trainer.train()
    return trainer


def test_uniform_is_stock_bit_for_bit(tmp_path):
    stock = trained(trl.GRPOTrainer, tmp_path / "stock", max_steps=4)
    ours = trained(allot.trl.GRPOTrainer, tmp_path / "ours", allocation="uniform", max_steps=4)
    assert torch.equal(tiny.weights(stock), tiny.weights(ours))
    for name in LOGGED:
        assert tiny.history(stock, name) == tiny.history(ours, name), name
    assert len(tiny.history(ours, "reward/first_round")) == 4
    assert tiny.history(ours, "reward/first_round") == pytest.approx(tiny.history(ours, "reward"))
    assert len(ours.controller.records()) == 32


@pytest.mark.parametrize("loss_type", ["dapo", "grpo", "bnpo", "dr_grpo"])
@pytest.mark.parametrize("scale", ["group", "none"])
def test_grpo_with_all_rows_and_the_hosts_normaliser_is_stock(tmp_path, loss_type, scale):
    settings = {"loss_type": loss_type, "scale_rewards": scale, "beta": 0.1}
    stock = trained(trl.GRPOTrainer, tmp_path / "stock", **settings)
    allocation = allot.trl.Allocation("grpo", ship_zero=True, normalizer="host")
    ours = trained(allot.trl.GRPOTrainer, tmp_path / "ours", allocation=allocation, **settings)
    for name in LOGGED:
        mine, theirs = tiny.history(ours, name), tiny.history(stock, name)
        assert mine == pytest.approx(theirs, rel=1e-6, abs=1e-7), name
    assert (tiny.weights(stock) - tiny.weights(ours)).abs().max() < 1e-6


def test_evaluation_is_untouched(tmp_path):
    rows = tiny.data(8)
    settings = {"per_device_eval_batch_size": 8, "num_generations_eval": 2}
    found = []
    for kind in (trl.GRPOTrainer, allot.trl.GRPOTrainer):
        trainer = tiny.trainer(kind, tmp_path, **settings)
        torch.manual_seed(5)
        found.append(trainer.evaluate(rows))
    clocks = ("runtime", "per_second", "time")
    stock, ours = ({k: v for k, v in one.items() if not k.endswith(clocks)} for one in found)
    assert stock == ours and "eval_reward" in stock
