"""A step without any signal: no optimizer step, no pass over a row, and the cause has a name."""

import allot.trl
import pytest
import tiny
import torch


@pytest.mark.parametrize("value, cause", [(1.0, "all_right"), (0.0, "all_wrong")])
@pytest.mark.parametrize("method", ["grpo", "aero", "pods"])
def test_nothing_to_learn(tmp_path, method, value, cause):
    def rewards(completions, **columns):
        return [value] * len(completions)

    options = {"degenerate": "off"} if method == "aero" else {}  # its posterior would train them
    trainer = tiny.trainer(
        allot.trl.GRPOTrainer,
        tmp_path,
        allocation={"method": method, **options},
        rewards=rewards,
        max_steps=2,
        weight_decay=0.1,
        max_completion_length=16,  # so that nearly all answers end by themselves
    )
    before = tiny.weights(trainer).clone()
    trainer.train()
    assert trainer.state.global_step == 2
    assert torch.equal(tiny.weights(trainer), before)  # no weight decay either
    assert not trainer.optimizer.state  # and no moments
    shares = tiny.history(trainer, f"group/zero_cause/{cause}")
    assert shares and min(shares) > 0.5
    assert tiny.history(trainer, "rollouts/trained") == [0, 0]
    assert trainer.controller.policy == 0


def test_moments_stay_when_signal_comes_and_goes(tmp_path):
    """Steps 2 and 3 have no signal: the run ends as one that never had them."""

    def rewards_of(silent):
        calls = []

        def rewards(completions, answer, **columns):
            calls.append(1)
            if len(calls) in silent:
                return [0.0] * len(completions)
            return tiny.above(completions, answer)

        return rewards

    found = []
    for silent, steps in (((2, 3), 4), ((), 1)):
        trainer = tiny.trainer(
            allot.trl.GRPOTrainer,
            tmp_path,
            allocation="grpo",
            rewards=rewards_of(silent),
            max_steps=steps,
        )
        states = []
        parent = trainer.training_step

        def watched(*args, parent=parent, trainer=trainer, states=states):
            out = parent(*args)
            states.append(tiny.weights(trainer).clone())
            return out

        trainer.training_step = watched
        trainer.train()
        found.append((trainer, states))
    silent, plain = found[0][0], found[1][0]
    assert silent.controller.policy == 2  # updates
    # Two micro-batches a step: after step 3 the weights are those after step 1.
    assert torch.equal(found[0][1][5], tiny.weights(plain))
    assert not torch.equal(tiny.weights(silent), tiny.weights(plain))


def test_rows_that_are_all_masked_are_no_update(tmp_path):
    """mask_truncated_completions, and no answer ends by itself."""

    def rewards(completions, **columns):
        return [float(i % 2) for i in range(len(completions))]

    trainer = tiny.trainer(
        allot.trl.GRPOTrainer,
        tmp_path,
        allocation="grpo",
        rewards=rewards,
        max_steps=2,
        max_completion_length=1,
        mask_truncated_completions=True,
        weight_decay=0.1,
        generation_kwargs={"suppress_tokens": [0, 1]},
    )
    before = tiny.weights(trainer).clone()
    trainer.train()
    assert torch.equal(tiny.weights(trainer), before)
    assert trainer.controller.policy == 0
