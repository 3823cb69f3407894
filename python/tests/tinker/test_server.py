"""Against a real server, over HTTP: SkyRL's, with a random transformer behind it."""

from __future__ import annotations

import allot
import allot.tinker
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


def run(server, watch, method="grpo", steps=STEPS, decisions=None, **changes):
    """The session, and what it decided. The probe is spared where it is not looked at."""
    decisions = [] if decisions is None else decisions

    def note(step, metrics):
        decisions.append({"step": step, **metrics})

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
    return session, decisions


def weights(session):
    """Log-probabilities of fixed rows: they tell the weights apart, bit by bit."""
    rows = [Row([4 + i, 5, 2], [6, 7, 8 + i], [-1.0] * 3, 0.0) for i in range(4)]
    return np.array(session.engine.forward(rows))


def test_uniform_is_the_plain_loop(server):
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
    session, decisions = run(server, watch, method, 10)
    assert session.controller.step == 10 and len(decisions) == 10
    assert max(one.get("tinker/logprob_gap", 0) for one in decisions) < 1e-4
    generated = sum(len(sampled) for sampled in watch.samples.values())
    assert session.controller.metrics()["rollouts/generated_total"] == generated


def test_the_reward_rises(server):
    _, decisions = run(server, Watch(), "ar3po", 16, groups=8)
    curve = [one["reward/first_round"] for one in decisions]
    assert np.mean(curve[:2]) < 0.7 < 0.85 < np.mean(curve[-4:]), curve


KILLS = {
    ("sample", 9): "kill",
    ("forward_backward", 2): "kill after",
    ("optim_step", 3): "kill",
    ("optim_step", 4): "kill after",
    ("save_state", 1): "kill after",
    ("save_weights_and_get_sampling_client", 8): "kill",
}


def test_the_client_is_killed(server, tmp_path):
    """At several calls of one run: the same decisions, samples and weights, bit by bit."""
    watch = Watch()
    whole, wanted = run(server, watch, "ar3po", folder=tmp_path / "whole")
    watch.calls.clear()
    watch.kill = dict(KILLS)
    decisions, session = [], None
    while session is None:
        try:
            session, _ = run(server, watch, "ar3po", folder=tmp_path / "run", decisions=decisions)
        except Killed:
            print("killed; left:", watch.kill)
    assert not watch.kill
    assert {one["step"] for one in decisions} == set(range(STEPS))
    assert all(one == wanted[one["step"]] for one in decisions)
    assert np.array_equal(weights(session), weights(whole))


def test_the_server_is_killed(server, tmp_path):
    """And started again with what it had written: the run goes on from its checkpoint."""
    watch = Watch()
    whole, wanted = run(server, watch, "aero", folder=tmp_path / "whole")
    kept = weights(whole)
    decisions = []

    def strike(step, one):
        decisions.append({"step": step, **one})
        if step == 2 and len(decisions) == 3:
            server.kill()
            raise Killed

    with pytest.raises(Killed):
        run(server, watch, "aero", folder=tmp_path / "run", on_step=strike)
    server.start()
    session, _ = run(server, watch, "aero", folder=tmp_path / "run", decisions=decisions)
    assert [one["step"] for one in decisions] == [0, 1, 2, 2, 3]
    assert all(one == wanted[one["step"]] for one in decisions)
    assert np.array_equal(weights(session), kept)


def test_a_sharded_server(tmp_path_factory):
    """Two virtual devices: the same rule, and log-probabilities on which both sides agree."""
    sharded = SkyRL(tmp_path_factory.mktemp("sharded"), devices=2)
    try:
        session, decisions = run(sharded, Watch(), "ar3po", 2, rule=None)
        assert session.engine.rule == RULE
        assert all(one["tinker/logprob_gap"] < 1e-4 for one in decisions)
    finally:
        sharded.kill()
