"""The fake server's gradients are those of its losses, by finite differences."""

import numpy as np
import pytest
import tinker
from fake import Server, Service, log_softmax, slopes

PROMPT, TOKENS = [2, 3], [4, 1, 5]


def surrogate(weights, loss, old, advantage):
    """Of the sum over tokens, written without the server."""
    row, total = PROMPT + TOKENS, 0.0
    for t, token in enumerate(TOKENS):
        last = row[len(PROMPT) - 1 + t]
        logp = log_softmax(weights[0][last] + weights[1][row[0]])[token]
        ratio = np.exp(logp - old[t])
        clipped = ratio if loss == "importance_sampling" else np.clip(ratio, 0.8, 1.2)
        total += min(ratio * advantage, clipped * advantage)
    return total


@pytest.mark.parametrize("loss", ["importance_sampling", "ppo"])
@pytest.mark.parametrize("advantage", [0.7, -1.3])
def test_gradient(loss, advantage):
    trainer = Service(Server("sum")).create_lora_training_client("fake", 8, 1)
    old = np.array([-1.9, -2.1, -3.5])  # ratios near 1 and far from it
    columns = {
        "target_tokens": np.array((PROMPT + TOKENS)[1:]),
        "logprobs": np.array([0, *old], np.float64),
        "advantages": np.array([0, *[advantage] * 3]),
    }
    datum = tinker.Datum(
        model_input=tinker.ModelInput.from_ints((PROMPT + TOKENS)[:-1]),
        loss_fn_inputs={
            name: tinker.TensorData.from_numpy(
                column if name == "target_tokens" else column.astype(np.float32)
            )
            for name, column in columns.items()
        },
    )
    trainer.forward_backward([datum], loss).result()
    found, weights = trainer.model.gradient, trainer.model.weights
    for place in [(0, 3, 4), (0, 4, 1), (0, 1, 5), (0, 3, 2), (1, 2, 1), (1, 2, 7), (1, 3, 1)]:
        up, down = weights.copy(), weights.copy()
        up[place] += 1e-5
        down[place] -= 1e-5
        slope = (surrogate(up, loss, old, advantage) - surrogate(down, loss, old, advantage)) / 2e-5
        assert found[place] == pytest.approx(slope, abs=1e-6), place


def test_clipped_tokens_have_no_slope():
    ratio, advantage = np.array([0.5, 1.0, 1.5]), np.array([1.0, 1.0, 1.0])
    assert slopes(ratio, advantage, "ppo").tolist() == [0.5, 1.0, 0.0]
    assert slopes(ratio, -advantage, "ppo").tolist() == [0.0, -1.0, -1.5]
