"""Reward functions that fail, and values that are no numbers: what reaches the optimizer, what the
Controller hears, what the user reads."""

import asyncio
import logging
import math
import threading

import allot
import allot.trl
import numpy as np
import pytest
import tiny
import torch
from oracle import Spy


def run(folder, rewards, allocation="grpo", **changes):
    trainer = tiny.trainer(
        allot.trl.GRPOTrainer, folder, allocation=allocation, rewards=rewards, **changes
    )
    spy = Spy(trainer)
    trainer.train()
    return trainer, spy


def test_none_and_failures_stay_apart(tmp_path, caplog):
    """One rollout of each group has no score, one a failed verifier: neither is trained on, nor
    counted in a baseline, nor taken for the other."""

    def rewards(completions, **columns):
        values = [float(i % 4 == 3) for i in range(len(completions))]
        return [
            None if i % 4 == 0 else TimeoutError("judge is away") if i % 4 == 1 else value
            for i, value in enumerate(values)
        ]

    with caplog.at_level(logging.WARNING, "allot.trl"):
        trainer, spy = run(tmp_path, rewards, max_steps=1)
    step = spy.steps[0]
    assert tiny.history(trainer, "verifier/not_scorable") == [8]
    assert tiny.history(trainer, "verifier/error") == [8]
    assert set(step.batch.groups.count.tolist()) == {2}
    for i, rollout in enumerate(step.rollouts.values()):
        assert rollout.scoring == ("not_scorable", "verifier_error", "scored", "scored")[i % 4]
    # Two scored rollouts, 0 and 1: mean .5, sample deviation .7071.
    assert sorted({round(a, 3) for a in step.batch.advantage.tolist()}) == [-0.707, 0.707]
    told = [record.message for record in caplog.records if "judge is away" in record.message]
    assert 1 <= len(told) <= 10 and "TimeoutError" in told[0]


def test_failing_rows_never_reach_the_optimizer(tmp_path):
    def rewards(completions, **columns):
        values = tiny.above(completions, **columns)
        return [ValueError("bad unit") if i % 3 == 0 else value for i, value in enumerate(values)]

    trainer, spy = run(tmp_path, rewards, "aero", max_steps=4)
    for step in spy.steps:
        shipped = [step.rollouts[i] for i in step.batch.rollout.tolist()]
        assert all(rollout.error is None for rollout in shipped)


def test_a_call_that_raises_now_and_then_costs_its_rollouts_only(tmp_path):
    calls = []

    def rewards(completions, **columns):
        calls.append(len(completions))
        if len(calls) == 2:
            raise ConnectionError("reset by peer")
        return tiny.above(completions, **columns)

    trainer, spy = run(tmp_path, rewards, "reinforce_ada", max_steps=3)
    assert len(spy.steps) == 3
    assert sum(tiny.history(trainer, "verifier/error")) == calls[1]


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_call_that_hangs_is_cut_and_the_run_goes_on(tmp_path, caplog, kind):
    """The second of three calls never ends; its rollouts are failures of their verifier."""
    calls = []
    let_go = threading.Event()

    def rewards(completions, **columns):
        calls.append(len(completions))
        if len(calls) == 2:
            let_go.wait()
        return tiny.above(completions, **columns)

    async def slow(completions, **columns):
        calls.append(len(completions))
        if len(calls) == 2:
            await asyncio.Event().wait()
        return tiny.above(completions, **columns)

    allocation = allot.trl.Allocation("grpo", reward_timeout_s=0.5)
    with caplog.at_level(logging.WARNING, "allot.trl"):
        trainer, spy = run(tmp_path, rewards if kind == "plain" else slow, allocation, max_steps=3)
    let_go.set()
    assert len(calls) == 3
    assert tiny.history(trainer, "verifier/error") == [0, calls[1], 0]
    assert len(spy.steps[1].batch) == 0
    told = [r.message for r in caplog.records if "no answer within 0.5 s" in r.message]
    assert len(told) == 10 and "further ones are only counted" in told[-1]


def test_a_timeout_below_zero_is_refused():
    with pytest.raises(allot.ConfigError, match=r"reward_timeout_s is -1; 0 or more"):
        allot.trl.Allocation("grpo", reward_timeout_s=-1)


def test_a_function_of_one_value_only_is_named_after_ten_steps(tmp_path, caplog):
    def formal(completions, **columns):
        return [2.0] * len(completions)

    with caplog.at_level(logging.WARNING, "allot.trl"):
        run(tmp_path, [formal, tiny.above], max_steps=11)
    told = [r.message for r in caplog.records if "nothing can be learned" in r.message]
    assert len(told) == 1
    assert told[0].startswith("[trl] reward function formal gave 2 to every completion")


def test_a_broken_function_stops_the_run_at_once(tmp_path):
    def rewards(completions, answers, **columns):  # the column is called answer
        return [0.0] * len(completions)

    with pytest.raises(allot.DataError, match=r"failed for all 32 rollouts.*TypeError.*answers"):
        run(tmp_path, rewards)


@pytest.mark.parametrize(
    "values, message",
    [
        (lambda n: [1.0] * (n - 1), r"returned 31 rewards for 32 completions"),
        (lambda n: [1.0] * (n + 5), r"returned 37 rewards for 32 completions"),
        (lambda n: 1.0, r"returned 1\.0; a list is needed"),
        (lambda n: ["yes"] * n, r"gave 'yes' for completion 0; a number is needed.*None says"),
        (lambda n: [0.0] * (n - 1) + [math.inf], r"gave inf for completion 31; a finite number"),
        (lambda n: [{"score": 1}] * n, r"gave \{'score': 1\} for completion 0"),
    ],
)
def test_wrong_values(tmp_path, values, message):
    def judge(completions, **columns):
        return values(len(completions))

    with pytest.raises(allot.DataError, match=rf"\[trl\] reward function judge {message}"):
        run(tmp_path, judge)


def test_numbers_of_every_kind(tmp_path):
    kinds = [int, float, bool, np.float32, torch.tensor, lambda x: np.array(x)]

    def rewards(completions, **columns):
        values = tiny.above(completions, **columns)
        return [kinds[i % len(kinds)](value) for i, value in enumerate(values)]

    trainer, spy = run(tmp_path, rewards, max_steps=1)
    assert tiny.history(trainer, "verifier/error") == [0]
    assert tiny.history(trainer, "verifier/correct")[0] > 0


def test_nan_is_not_scorable(tmp_path):
    def rewards(completions, **columns):
        return [math.nan if i % 4 == 0 else float(i % 4 == 1) for i in range(len(completions))]

    trainer, spy = run(tmp_path, rewards, max_steps=1)
    assert tiny.history(trainer, "verifier/not_scorable") == [8]
    assert set(spy.steps[0].batch.groups.count.tolist()) == {3}
    assert torch.isfinite(tiny.weights(trainer)).all()


def test_several_functions_and_an_async_one(tmp_path):
    def formal(completions, **columns):
        return [2.0] * len(completions)

    async def right(completions, answer, **columns):
        return tiny.above(completions, answer)

    trainer, spy = run(
        tmp_path,
        [formal, right],
        allot.trl.Allocation("grpo", correct="right"),
        reward_weights=[0.5, 1.0],
        max_steps=2,
    )
    for rollout in spy.steps[0].rollouts.values():
        assert rollout.reward == 1.0 + rollout.rewards[1]
    # Every reward is above the threshold; only the named function says what is correct.
    right_ones = sum(r.rewards[1] for r in spy.steps[0].rollouts.values())
    assert tiny.history(trainer, "verifier/correct")[0] == right_ones


def test_correct_names_a_reward_function(tmp_path):
    with pytest.raises(allot.ConfigError, match=r"correct is 'accuracy'.*needed: above"):
        run(tmp_path, tiny.above, allot.trl.Allocation("grpo", correct="accuracy"))


def test_uniform_leaves_reward_functions_to_trl(tmp_path):
    def rewards(completions, **columns):
        raise KeyError("mine")

    trainer = tiny.trainer(allot.trl.GRPOTrainer, tmp_path, allocation="uniform", rewards=rewards)
    with pytest.raises(KeyError, match="mine"):
        trainer.train()


def test_logged_columns_and_metrics_of_reward_functions(tmp_path):
    def rewards(completions, answer, log_extra, log_metric, **columns):
        log_extra("first", [completion[:1] for completion in completions])
        log_metric("own", 0.25)
        return tiny.above(completions, answer)

    trainer, spy = run(tmp_path, rewards, "aero", max_steps=1)
    assert tiny.history(trainer, "own") == [0.25]
    logs = trainer._logs
    rows = len(logs["prompt"])
    assert rows == len(spy.steps[0].rollouts) == len(logs["extra"]["first"])
    assert {len(column) for column in logs["extra"].values()} == {rows}
    for completion, first in zip(logs["completion"], logs["extra"]["first"]):
        assert completion[:1] == first
    trained = [a for a, kept in zip(logs["advantages"], logs["extra"]["allot_trained"]) if kept]
    assert sorted(trained) == sorted(spy.steps[0].batch.advantage.tolist())


def test_evaluation_between_steps_keeps_the_table_whole(tmp_path):
    """Evaluation adds rows to TRL's table of completions; ours stay beside their own rows."""
    trainer = tiny.trainer(
        allot.trl.GRPOTrainer,
        tmp_path,
        allocation="ar3po",
        max_steps=3,
        eval_strategy="steps",
        eval_steps=1,
        per_device_eval_batch_size=8,
        log_completions=True,
        eval_dataset=tiny.data(2),  # fewer rows than the table holds
    )
    trainer.train()
    logs = trainer._logs
    assert {len(column) for column in logs["extra"].values()} == {len(logs["prompt"])}
    assert None in logs["extra"]["allot_trained"] and True in logs["extra"]["allot_trained"]


def test_metrics_of_the_user_whose_names_are_like_trls(tmp_path):
    def rewards(completions, answer, log_metric, **columns):
        log_metric("reward_margin", 0.5)
        return tiny.above(completions, answer)

    trainer, spy = run(tmp_path, rewards, "aero", max_steps=1)
    assert tiny.history(trainer, "reward_margin") == [0.5]
