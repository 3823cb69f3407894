"""What is refused at the start, and what the refusal says."""

import re

import allot
import allot.trl
import pytest
import tiny
import trl
from allot import adapters
from allot.trl import Allocation, guard


def make(folder, allocation="grpo", **changes):
    return tiny.trainer(allot.trl.GRPOTrainer, folder, allocation=allocation, **changes)


@pytest.mark.parametrize(
    "allocation, message",
    [
        ("gropo", r"gropo.*grpo"),
        ({"explore": 4}, r"allocation has explore and no 'method'"),
        ({"method": "aero", "explroe": 4}, r"explroe.*explore"),
        ({"method": "aero", "explore": "many"}, r"many"),
        (7, r"allocation is 7; a method's name, a dict or an Allocation"),
        ({"method": "grpo", "normalizer": "mine"}, r"normalizer is 'mine'; one of method, host"),
        ({"method": "grpo", "group_size": 8}, r"group_size is 8 and num_generations is 4"),
        ({"method": "uniform", "explore": 4}, r"uniform allocation was given explore"),
        ("optpo", r"optpo.*needs what this host does not serve.*cancel"),
    ],
)
def test_allocations(tmp_path, allocation, message):
    with pytest.raises(allot.ConfigError, match=message):
        make(tmp_path, allocation)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"multi_objective_aggregation": "normalize_then_sum"}, "normalize_then_sum"),
    ],
)
def test_settings_of_trl(tmp_path, changes, message):
    with pytest.raises(allot.ConfigError, match=rf"{message}.*Hint: allocation='uniform'"):
        make(tmp_path, **changes)
    assert make(tmp_path, "uniform", **changes)


def test_images(tmp_path):
    rows = tiny.data().add_column("image", [None] * 40)
    with pytest.raises(allot.ConfigError, match=r"images: not served with allocation 'aero'"):
        make(tmp_path, "aero", rows=rows)


def test_version(monkeypatch, tmp_path):
    monkeypatch.setattr(adapters, "installed", lambda package: "2.3.0")
    tested = re.escape(adapters.adapter("trl").packages["trl"])
    message = rf"trl 2\.3\.0 is installed; {tested} is what.*untested=True"
    with pytest.raises(allot.ConfigError, match=message):
        make(tmp_path)
    assert make(tmp_path, Allocation("grpo", untested=True))


def test_missing_names(monkeypatch):
    class Renamed(trl.GRPOTrainer):
        def _calculate_rewards(self, inputs, prompts, completions):
            """Has lost a parameter."""

    monkeypatch.delattr(trl.GRPOTrainer, "_compute_loss")
    message = r"no _calculate_rewards\(completion_ids_list\), _compute_loss in Renamed"
    with pytest.raises(allot.ConfigError, match=message):
        guard.check_class(Renamed)


def test_patched_trainer():
    patched = type("UnslothGRPOTrainer", (trl.GRPOTrainer,), {})
    with pytest.raises(allot.ConfigError, match=r"replaced by Unsloth's"):
        guard.check_class(patched)


def test_attributes(tmp_path):
    trainer = make(tmp_path)
    guard.check_ready(trainer)
    del trainer.reward_func_names
    with pytest.raises(allot.ConfigError, match=r"has no reward_func_names"):
        guard.check_ready(trainer)


def test_options_reach_the_method(tmp_path):
    trainer = make(tmp_path, Allocation("aero", explore=3), num_generations=4, max_steps=1)
    trainer.train()
    assert tiny.history(trainer, "alloc/n_min") == [3]


def test_scale_rewards_is_adv_scale(tmp_path):
    from oracle import Spy

    trainer = make(tmp_path, "grpo", scale_rewards="none", max_steps=1)
    spy = Spy(trainer)
    trainer.train()
    assert set(map(abs, spy.steps[0].batch.advantage.tolist())) <= {0.25, 0.5, 0.75}


def test_default_is_adaptive(tmp_path):
    trainer = tiny.trainer(allot.trl.GRPOTrainer, tmp_path, max_steps=1)
    assert trainer.controller.method != "grpo"
    trainer.train()


def test_budget(tmp_path):
    allocation = Allocation("grpo", budget=allot.Budget(groups=3, hard_rollouts=12))
    trainer = make(tmp_path, allocation, max_steps=2)
    trainer.train()
    assert tiny.history(trainer, "rollouts/generated") == [12, 12]
