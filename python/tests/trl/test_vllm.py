"""Generation by vLLM, against a stand-in for TRL's client: it speaks TRL's protocol (one answer
per `num_generations`-th prompt in server mode, log-probabilities of its own, weights synchronised),
and samples from the policy itself. No vLLM is started."""

import allot.trl
import pytest
import tiny
import torch
from oracle import Spy


class StandIn:
    """What TRL's VLLMGeneration is to the trainer. Its log-probabilities are off the policy's by a
    known amount, another one for each completion, so that a mix-up of rows shows."""

    def __init__(self, trainer, mode):
        self.trainer, self.mode = trainer, mode
        self.calls, self.syncs, self.weights = 0, 0, None
        self.offset = {}  # by prompt and completion

    def sync_weights(self):
        self.syncs += 1
        self.weights = tiny.weights(self.trainer).clone()

    def generate(self, prompts, images, num_generations, profiler=None):
        assert self.weights is not None and torch.equal(self.weights, tiny.weights(self.trainer))
        self.calls += 1
        asked = prompts[::num_generations] if self.mode == "server" else prompts
        each = num_generations if self.mode == "server" else 1
        answers = [self._sample(ids) for ids in asked for _ in range(each)]
        return (asked, [ids for ids, _ in answers], [logps for _, logps in answers], None)

    def _sample(self, prompt):
        ids, logps = [], []
        with torch.random.fork_rng():  # it seeds, and every text would be the same
            policy = tiny.model()
        policy.load_state_dict(self.trainer.model.state_dict())
        with torch.no_grad():
            for _ in range(3):
                scores = policy(input_ids=torch.tensor([prompt + ids])).logits[0, -1]
                scores = scores.log_softmax(-1)
                ids.append(int(torch.multinomial(scores.exp(), 1)))
                logps.append(float(scores[ids[-1]]))
                if ids[-1] == 1:
                    break
        shift = 0.01 * (len(self.offset) % 7)
        self.offset.setdefault((tuple(prompt), tuple(ids)), set()).add(round(shift, 4))
        return ids, [[logp - shift] for logp in logps]


def make(folder, method, mode, **changes):
    trainer = tiny.trainer(allot.trl.GRPOTrainer, folder, allocation=method, **changes)
    trainer.use_vllm, trainer.vllm_mode = True, mode
    trainer.vllm_importance_sampling_mode = "token_truncate"
    trainer.vllm_importance_sampling_clip_min = None
    trainer.vllm_importance_sampling_clip_max = 3.0
    trainer._last_loaded_step = -1
    trainer.vllm_generation = StandIn(trainer, mode)
    return trainer


def seen_by_the_loss(trainer):
    seen = []
    parent = allot.trl.GRPOTrainer._compute_loss

    def watched(model, inputs):
        seen.append(inputs)
        return parent(trainer, model, inputs)

    trainer._compute_loss = watched
    return seen


@pytest.mark.parametrize("mode", ["server", "colocate"])
@pytest.mark.parametrize("method", ["grpo", "aero", "reinforce_ada", "speed", "vip"])
def test_rounds(tmp_path, method, mode):
    trainer = make(tmp_path, method, mode, max_steps=4)
    spy, seen = Spy(trainer), seen_by_the_loss(trainer)
    trainer.train()
    engine = trainer.vllm_generation
    assert engine.syncs == trainer.state.global_step == 4
    replayed, seen_before = set(), set()
    for step in spy.steps:
        for i in step.batch.rollout.tolist():
            if i in seen_before:
                rollout = step.rollouts[i]
                replayed.add((tuple(rollout.prompt_ids), tuple(rollout.completion_ids)))
        seen_before |= set(step.rollouts)
    assert bool(replayed) == (method == "speed")  # which has groups left over
    checked = 0
    for inputs in seen:
        for i in range(len(inputs["completion_ids"])):
            kept = inputs["completion_mask"][i].bool()
            if not kept.any():
                continue
            prompt = inputs["prompt_ids"][i][inputs["prompt_mask"][i].bool()].tolist()
            tokens = inputs["completion_ids"][i][kept].tolist()
            ratios = inputs["importance_sampling_ratio"][i][kept]
            shifts = engine.offset[(tuple(prompt), tuple(tokens))]
            allowed = [shift for shift in shifts]
            if (tuple(prompt), tuple(tokens)) in replayed:
                allowed.append(0.0)
            off = min((ratios.log() - shift).abs().max() for shift in allowed)
            assert off < 1e-4
            checked += 1
    assert checked >= sum(len(step.batch) for step in spy.steps) > 0


def test_one_call_per_round(tmp_path):
    trainer = make(tmp_path, "aero", "server", max_steps=2)
    trainer.train()
    rounds = tiny.history(trainer, "alloc/rounds")
    assert trainer.vllm_generation.calls == sum(rounds)


def test_rollout_func_of_the_user(tmp_path):
    """A custom rollout function is called once per round, with the rows of the round; its own
    columns reach the reward, and its token mask the loss."""
    calls = []

    def rollout(prompts, host):
        calls.append(len(prompts))
        ids = host.processing_class(prompts)["input_ids"]
        answers = [[2 + (len(calls) + i) % 10, 12, 1] for i in range(len(prompts))]
        return {
            "prompt_ids": ids,
            "completion_ids": answers,
            "logprobs": None,
            "env_mask": [[1, 0, 1]] * len(prompts),
            "turns": [float(i % 2) for i in range(len(prompts))],
        }

    def rewards(completions, turns, **columns):
        return turns

    trainer = tiny.trainer(
        allot.trl.GRPOTrainer,
        tmp_path,
        allocation="aero",
        rewards=rewards,
        rollout_func=rollout,
        max_steps=1,
    )
    seen = seen_by_the_loss(trainer)
    trainer.train()
    assert calls[0] == 16 and len(calls) == tiny.history(trainer, "alloc/rounds")[0]
    assert trainer.rollout_func is rollout
    assert tiny.history(trainer, "tokens/generated") == [2 * sum(calls)]
    for inputs in seen:
        kept = inputs["completion_mask"].sum(-1) > 0
        assert (inputs["tool_mask"][kept] == torch.tensor([1, 0, 1])).all()


def test_stand_in_speaks_trls_protocol():
    from inspect import signature

    from trl.generation.vllm_generation import VLLMGeneration

    theirs = list(signature(VLLMGeneration.generate).parameters)
    assert list(signature(StandIn.generate).parameters) == theirs
