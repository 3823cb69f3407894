"""Against a real server, over HTTP: SkyRL's, with a random transformer behind it."""

from __future__ import annotations

import allot
import allot.tinker
import decisions
import numpy as np
import pytest
import tinker
from allot.tinker.rows import Row
from fake import Killed
from proxy import Proxy, Watch
from real_server import SkyRL
from tinker_first_run import make_data, reward

STEPS = 4
RULE = allot.tinker.Rule(rows="mean", tokens="row", positions="completion", calls="pool")
SETTINGS = {
    "groups": 4,
    "group_size": 8,
    "max_tokens": 4,
    "learning_rate": 1e-2,
    "seed": 5,
    "save_every": 2,
    "timeout_s": 180,
    "retry_wait_s": 0.1,
}
SIX = ["aero", "ar3po", "reinforce_ada", "cero", "vip", "evidence"]


def run(server, watch, method="grpo", steps=STEPS, metrics=None, **changes):
    """The session, and the metrics of its steps. The probe is spared where it is not looked at."""
    metrics = [] if metrics is None else metrics

    def note(step, found):
        metrics.append({"step": step, **found})

    session = allot.tinker.train(
        Proxy(server.service(), watch),
        base_model=server.model,
        steps=steps,
        allocation=method,
        rank=8,
        **{
            "rule": RULE,
            "on_step": note,
            "data": make_data(),
            "reward": reward,
            **SETTINGS,
            **changes,
        },
    )
    return session, metrics


def weights(session):
    """Log-probabilities of fixed rows: they tell the weights apart, bit by bit."""
    rows = [Row([4 + i, 5, 2], [6, 7, 8 + i], [-1.0] * 3, 0.0) for i in range(4)]
    return np.array(session.engine.forward(rows))


def test_adapter_a_uniform_is_the_plain_loop(server):
    """Advantages by group, one update per step, the server's divisor put in by hand."""
    rows = make_data()[:4]
    session, _ = run(server, Watch(), {"method": "grpo", "ship_zero": True}, data=rows, rule=None)
    assert session.engine.rule == RULE
    trainer = server.service().create_lora_training_client(server.model, rank=8, seed=0)
    tokenizer = trainer.get_tokenizer()
    for step in range(STEPS):
        sampler = trainer.save_weights_and_get_sampling_client()
        made = []
        for row in rows:
            seed = allot.prompt_id(f"5/{step}/{row['id']}/0") % 2**31
            prompt = tokenizer.encode(row["prompt"])
            params = tinker.SamplingParams(max_tokens=4, seed=seed)
            answer = sampler.sample(tinker.ModelInput.from_ints(prompt), 8, params).result()
            texts = [tokenizer.decode(s.tokens, skip_special_tokens=True) for s in answer.sequences]
            rewards = np.array(reward(texts))
            advantages = (rewards - rewards.mean()) / (rewards.std(ddof=1) + 1e-4)
            for one, advantage in zip(answer.sequences, advantages):
                made.append((prompt, list(one.tokens), list(one.logprobs), advantage))
        batch = []
        for prompt, tokens, logps, advantage in made:  # a mean over rows of means over tokens
            every = prompt + tokens
            before = [0.0] * (len(prompt) - 1)
            columns = {
                "target_tokens": np.array(every[1:]),
                "weights": np.array(before + [1.0] * len(tokens), np.float32),
                "logprobs": np.array(before + logps, np.float32),
                "advantages": np.array(before + [advantage] * len(tokens), np.float32),
            }
            batch.append(
                tinker.Datum(
                    model_input=tinker.ModelInput.from_ints(every[:-1]),
                    loss_fn_inputs={
                        name: tinker.TensorData.from_numpy(column)
                        for name, column in columns.items()
                    },
                )
            )
        trainer.forward_backward(batch, "importance_sampling").result()
        trainer.optim_step(tinker.AdamParams(learning_rate=1e-2)).result()
    plain = allot.tinker.Engine.__new__(allot.tinker.Engine)
    plain.__dict__ = {**session.engine.__dict__, "trainer": trainer}
    wanted = weights(type("", (), {"engine": plain}))
    np.testing.assert_allclose(weights(session), wanted, rtol=0, atol=2e-4)
    assert np.abs(wanted - wanted.mean()).max() > 0.1


@pytest.mark.parametrize("method", SIX)
def test_ten_steps(server, method):
    watch = Watch()
    session, metrics = run(server, watch, method, 10)
    assert session.controller.step == 10 and len(metrics) == 10
    assert max(one.get("tinker/logprob_gap", 0) for one in metrics) < 1e-4
    generated = sum(len(sampled) for sampled in watch.samples.values())
    assert session.controller.metrics()["rollouts/generated_total"] == generated


def test_the_reward_rises(server):
    _, metrics = run(server, Watch(), "ar3po", 16, groups=8)
    curve = [one["reward/first_round"] for one in metrics]
    assert np.mean(curve[:2]) < 0.7 < 0.85 < np.mean(curve[-4:]), curve


CLIENT_ENDS = {
    ("sample", 9): "kill",
    ("forward_backward", 2): "kill after",
    ("optim_step", 3): "kill",
    ("optim_step", 4): "kill after",
    ("save_state", 1): "kill after",
    ("save_weights_and_get_sampling_client", 8): "kill",
}
BOTH_END = {("sample", 14): "kill after", ("forward_backward", 2): "kill after"}


def run_until_done(server, watch, method, folder):
    """Starts the run again after every end, and the server where it is gone; the metrics are those
    of all starts."""
    metrics, session = [], None
    while session is None:
        try:
            session, _ = run(server, watch, method, folder=folder, metrics=metrics)
        except Killed as struck:
            print("ended at", struck, "left:", watch.kill)
            if server.process.poll() is not None:
                server.start()
    assert not watch.kill
    return session, metrics


@pytest.mark.parametrize(
    ("method", "ends"), [("ar3po", CLIENT_ENDS), ("aero", BOTH_END)], ids=["client", "both"]
)
def test_adapter_d_ended_at_several_calls(server, tmp_path, logs, method, ends):
    """The client alone, or the server with it: it is started again with what it had written. The
    same decisions, samples and weights, bit by bit."""
    watch = Watch()
    whole, wanted = run(server, watch, method, folder=tmp_path / "whole")
    log, kept = logs.pop(), weights(whole)
    watch.calls.clear()
    watch.kill, watch.server = dict(ends), server if ends is BOTH_END else None
    session, metrics = run_until_done(server, watch, method, tmp_path / "run")
    assert {one["step"] for one in metrics} == set(range(STEPS))
    assert all(one == wanted[one["step"]] for one in metrics)
    assert np.array_equal(weights(session), kept)
    decisions.check_same(logs, log)


def test_a_sharded_server(tmp_path_factory):
    """Two virtual devices, ten steps of a method with several rounds: the same rule, and
    log-probabilities on which both sides agree."""
    sharded = SkyRL(tmp_path_factory.mktemp("sharded"), devices=2)
    try:
        watch = Watch()
        session, metrics = run(sharded, watch, "reinforce_ada", 10, rule=None)
        assert session.engine.rule == RULE and len(metrics) == 10
        assert max(one["alloc/rounds"] for one in metrics) > 1
        generated = sum(len(sampled) for sampled in watch.samples.values())
        assert session.controller.metrics()["rollouts/generated_total"] == generated
        assert all(one.get("tinker/logprob_gap", 0) < 1e-4 for one in metrics)
    finally:
        sharded.kill()
