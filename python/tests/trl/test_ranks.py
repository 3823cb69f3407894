"""Two processes with gloo: one plan on both, one gradient, no rank that waits for the other."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

METHODS = [
    "grpo",
    "dapo",
    "aero",
    "cero",
    "vip",
    "ar3po",
    "reinforce_ada",
    "pods",
    "speed",
    "evidence",
]
SCENARIOS = [
    *(f"method:{method}" for method in METHODS),
    "split",
    "parts",
    "second_empty",
    "silent",
    "failing",
    "short",
    "unlike",
    "resume:aero",
    "resume:ar3po",
]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What both ranks saw in every scenario: name -> (rank 0, rank 1). One launch for all."""
    folder = tmp_path_factory.mktemp("ranks")
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2",
        "--rdzv_backend", "c10d", "--rdzv_endpoint", "localhost:0",
        str(Path(__file__).with_name("ranks.py")), str(folder), *SCENARIOS,
    ]  # fmt: skip
    said = subprocess.run(command, capture_output=True, text=True, timeout=600)
    ranks = [
        [json.loads(line) for line in (folder / f"rank{rank}.jsonl").read_text().splitlines()]
        for rank in (0, 1)
    ]
    names = [entry["name"] for entry in ranks[0]]
    assert said.returncode == 0 and names == SCENARIOS, said.stderr[-3000:]
    return {name: pair for name, *pair in zip(names, *ranks)}


def equal(pair):
    one, other = pair
    for key in ("decisions", "rollouts", "weights", "prompts", "generated"):
        assert one[key] == other[key], key


@pytest.mark.parametrize("name", [f"method:{m}" for m in METHODS] + ["split", "parts"])
def test_ranks_agree(found, name):
    equal(found[name])
    one = found[name][0]
    assert one["steps"] == 3 and one["updates"] >= 1
    assert one["gradient_errors"] and max(one["gradient_errors"]) < 2e-5
    assert one["distinct"] > 20  # the ranks draw different texts


def test_a_step_without_signal(found):
    equal(found["silent"])
    assert found["silent"][0]["updates"] == 0
    assert found["silent"][0]["gradient_errors"] == []


def test_an_empty_generation_behind_one_with_signal(found):
    """Both share an optimizer step: the ranks still exchange the gradients of the first."""
    equal(found["second_empty"])
    assert found["second_empty"][0]["steps"] == 4
    assert found["second_empty"][0]["updates"] == 2


def test_a_function_that_fails_on_one_rank(found):
    """Its rollouts are lost, those of the other rank train both."""
    equal(found["failing"])
    assert found["failing"][0]["updates"] >= 1


@pytest.mark.parametrize(
    "name, message",
    [
        ("short", "reward function short_on_one_rank returned 15 rewards for 16 completions"),
        ("unlike", "the ranks have different plans"),
    ],
)
def test_both_ranks_stop_with_one_message(found, name, message):
    one, other = found[name]
    assert message in one["error"] and one["error"] == other["error"]


@pytest.mark.parametrize("method", ["aero", "ar3po"])
def test_resume(found, method):
    one, other = found[f"resume:{method}"]
    assert one["whole"] == one["again"] == other["whole"] == other["again"]
    assert one["steps"] == 2
