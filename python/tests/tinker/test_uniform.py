"""Uniform allocation through the adapter is the plain loop that anybody would write."""

from typing import Any

import allot
import numpy as np
import pytest
import tinker
import world
from fake import Server, Service

STEPS = 5


def plain_loop(server: Server, loss: str, rows: list[dict[str, Any]]) -> np.ndarray:
    """GRPO without allot: n answers of every prompt, advantages by group over the deviation of the
    sample, one update per step. The loss is the mean over groups of the mean over answers of the
    mean over tokens; written down for a server that sums, with the divisor of the "skyrl" server
    put in by hand."""
    n, size = world.SETTINGS["group_size"], len(rows)
    trainer = Service(server).create_lora_training_client("fake", 32, 0)
    for step in range(STEPS):
        sampler = trainer.save_weights_and_get_sampling_client()
        data = []
        for row in rows:
            seed = allot.prompt_id(f"{world.SETTINGS['seed']}/{step}/{row['id']}/0") % 2**31
            params = tinker.SamplingParams(max_tokens=world.SETTINGS["max_tokens"], seed=seed)
            prompt = tinker.ModelInput.from_ints(row["prompt"])
            group = sampler.sample(prompt, n, params).result().sequences
            rewards = np.array([float(one.tokens[0] >= row["floor"]) for one in group])
            advantages = (rewards - rewards.mean()) / (rewards.std(ddof=1) + 1e-4)
            for one, advantage in zip(group, advantages):
                tokens = row["prompt"] + one.tokens
                before, count = len(row["prompt"]) - 1, len(one.tokens)
                size_of_token = advantage / count / n / size
                if server.divisor == "skyrl":
                    size_of_token *= count * n * size
                columns = {
                    "target_tokens": np.array(tokens[1:]),
                    "weights": np.array([0] * before + [1] * count, np.float32),
                    "logprobs": np.array([0] * before + one.logprobs, np.float32),
                    "advantages": np.array([0] * before + [size_of_token] * count, np.float32),
                }
                data.append(
                    tinker.Datum(
                        model_input=tinker.ModelInput.from_ints(tokens[:-1]),
                        loss_fn_inputs={
                            name: tinker.TensorData.from_numpy(column)
                            for name, column in columns.items()
                        },
                    )
                )
        trainer.forward_backward(data, loss).result()
        trainer.optim_step(tinker.AdamParams(learning_rate=0.02)).result()
    return trainer.model.weights


@pytest.mark.parametrize("loss", ["importance_sampling", "ppo"])
@pytest.mark.parametrize("divisor", ["sum", "skyrl"])
def test_adapter_a_uniform_is_the_plain_loop(divisor, loss):
    """The same losses, row by row, and the same weights."""
    rows = world.data(6)  # as many as a step wants: every prompt, in every step
    plain, server = Server(divisor), Server(divisor)
    wanted = plain_loop(plain, loss, rows)
    uniform = {"method": "grpo", "ship_zero": True}
    session = world.run(server, uniform, STEPS, data=rows, loss=loss)
    np.testing.assert_allclose(session.weights, wanted, rtol=0, atol=1e-5)
    assert np.abs(wanted).max() > 0.05
    of_the_run = server.losses[-STEPS:]  # those before are the probe's
    for found, losses in zip(of_the_run, plain.losses, strict=True):
        np.testing.assert_allclose(sorted(found), sorted(losses), rtol=0, atol=1e-6)
        assert max(losses) > 0.01


def test_the_divisor_of_the_server_does_not_show():
    """One method, one loss, whatever the server divides by and however the calls are cut."""
    for method in ("aero", "ar3po"):
        runs = [world.run(Server("sum"), method).weights]
        for divisor in ("skyrl", "batch", "rows"):
            runs.append(world.run(Server(divisor), method).weights)
            runs.append(world.run(Server(divisor), method, rows_per_call=5).weights)
        runs.append(world.run(Server("sum", takes_weights=False), method).weights)
        for weights in runs[1:]:
            np.testing.assert_allclose(weights, runs[0], rtol=0, atol=2e-5)


def test_adapter_j_evaluation_between_steps_changes_nothing():
    alone = world.run(Server(), "aero")
    steps = []

    def evaluate(step, metrics):
        prompt = tinker.ModelInput.from_ints([1, 1, 3])
        params = tinker.SamplingParams(max_tokens=3, seed=step)
        holder[0].save_weights_and_get_sampling_client().sample(prompt, 4, params).result()
        steps.append(metrics)

    holder: list[Any] = []
    server = Server()

    class Seen(world.Watched):
        def _client(self, call, model):
            holder.append(super()._client(call, model))
            return holder[-1]

    service = Seen(server)
    allot.tinker.train(
        service,
        base_model="fake",
        steps=4,
        allocation="aero",
        on_step=evaluate,
        data=world.data(),
        reward=world.reward,
        **world.SETTINGS,
    )
    assert world.same(service.trainer.model.weights, alone.weights)
    assert [{**one} for one in steps] == [
        {name: value for name, value in one.items() if name != "step"} for one in alone.decisions
    ]
