"""Save, stop, go on: the decisions and the weights of a run that was never interrupted."""

import datetime
import json

import allot
import allot.trl
import numpy as np
import pytest
import tiny
import torch
import trl
from oracle import Spy

METHODS = ["grpo", "dapo", "aero", "cero", "ar3po", "speed", "mopps", "greso", "vip", "evidence"]


def decisions(spy):
    return [
        (sorted(step.batch.rollout.tolist()), step.batch.advantage.tolist()) for step in spy.steps
    ]


def make(folder, allocation, **changes):
    changes = {"save_strategy": "steps", "save_steps": 3, "max_steps": 6, **changes}
    return tiny.trainer(allot.trl.GRPOTrainer, folder, allocation=allocation, **changes)


@pytest.mark.parametrize("method", METHODS)
def test_resumed_run_is_the_whole_run(tmp_path, method):
    whole = make(tmp_path, method)
    spy = Spy(whole)
    whole.train()
    again = make(tmp_path, method)
    spied = Spy(again)
    again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert decisions(spied) == decisions(spy)[3:]
    assert torch.equal(tiny.weights(whole), tiny.weights(again))
    assert again.controller.step == whole.controller.step
    for name in ("rollouts/generated_total", "tokens/trained_total", "reward/first_round"):
        assert tiny.history(again, name) == tiny.history(whole, name), name


def test_held_rollouts_with_columns_that_json_does_not_know(tmp_path):
    """Dates in the data and numpy numbers in log_extra are in the way of no checkpoint."""
    rows = tiny.data().add_column(
        "when", [datetime.datetime(2026, 1, 1 + i % 28) for i in range(40)]
    )

    def rewards(completions, answer, log_extra, **columns):
        log_extra("length", [np.float32(len(completion)) for completion in completions])
        return tiny.above(completions, answer)

    whole = make(tmp_path, "ar3po", rows=rows, rewards=rewards)
    whole.train()
    assert whole._allot._store.held
    again = make(tmp_path, "ar3po", rows=rows, rewards=rewards)
    again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert torch.equal(tiny.weights(whole), tiny.weights(again))


def test_checkpoint_in_the_middle_of_a_generation_goes_on(tmp_path):
    """TRL throws the rest of that generation away; the Controller's step is closed, not lost."""
    settings = dict(steps_per_generation=4, gradient_accumulation_steps=1, save_steps=2)
    make(tmp_path, "aero", max_steps=2, **settings).train()
    again = make(tmp_path, "aero", max_steps=6, **settings)
    again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert again.state.global_step == 6
    assert again.controller.step == 2


def test_another_method(tmp_path):
    make(tmp_path, "grpo", max_steps=3).train()
    with pytest.raises(allot.ModelError, match=r"allocation\.method: 'grpo' -> 'aero'; a run goes"):
        make(tmp_path, "aero").train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))


def test_other_options(tmp_path):
    """All that a method decides by is told at once; memory and time limits are free to change."""
    make(tmp_path, {"method": "aero", "explore": 2}, max_steps=3).train()
    other = {"method": "aero", "kept_wrong": 2, "success_threshold": 1, "normalizer": "host"}
    said = (
        r"\[trl\] .*other settings: allocation\.explore: 2 -> 0; allocation\.kept_wrong: 1 -> 2; "
        r"allocation\.success_threshold: 0\.5 -> 1; allocation\.normalizer: 'method' -> 'host'; a"
    )
    with pytest.raises(allot.ModelError, match=said):
        make(tmp_path, other).train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    free = {"method": "aero", "explore": 2, "replay_mib": 1, "reward_timeout_s": 60}
    again = make(tmp_path, free, max_steps=4)
    again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert again.state.global_step == 4


def test_another_data_set(tmp_path):
    make(tmp_path, "grpo", max_steps=3).train()
    other = make(tmp_path, "grpo", rows=tiny.data(39))
    with pytest.raises(allot.ModelError, match=r"data set"):
        other.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))


def test_a_checkpoint_of_trl_alone(tmp_path):
    stock = tiny.trainer(
        trl.GRPOTrainer, tmp_path, save_strategy="steps", save_steps=3, max_steps=3
    )
    stock.train()
    with pytest.raises(allot.ModelError, match=r"has no allot\.npz.*Hint: allocation='uniform'"):
        make(tmp_path, "aero").train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    uniform = make(tmp_path, "uniform", max_steps=4)
    uniform.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert uniform.state.global_step == 4


@pytest.mark.parametrize("damage", ["cut", "text", "version"])
def test_a_damaged_file(tmp_path, damage):
    make(tmp_path, "grpo", max_steps=3).train()
    path = tmp_path / "checkpoint-3" / "allot.npz"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:100])
    elif damage == "text":
        path.write_text("not a checkpoint")
    else:
        header = np.frombuffer(json.dumps({"version": 99}).encode(), np.uint8)
        np.savez(path, header=header, controller=header)
    with pytest.raises(allot.ModelError, match=r"allot\.npz"):
        make(tmp_path, "grpo").train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))


def test_an_interrupted_step_is_closed_by_the_next_call(tmp_path):
    def rewards(completions, answer, **columns):
        if stop:
            raise KeyboardInterrupt
        return tiny.above(completions, answer)

    stop = [True]
    trainer = tiny.trainer(
        allot.trl.GRPOTrainer, tmp_path, allocation="aero", rewards=rewards, max_steps=2
    )
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    stop.clear()
    trainer.train()
    assert trainer.state.global_step == 2
