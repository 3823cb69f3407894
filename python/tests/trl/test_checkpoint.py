"""A checkpoint of the program, loaded by transformers: the same tokens and the same numbers.

The run has a learning rate of 0, so the rollouts that its checkpoint holds were sampled by the very
weights beside them; the log-probabilities stored with them are the program's own.
"""

from __future__ import annotations

import json
import sqlite3
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerState

PROGRAM = Path(__file__).parents[3] / "build" / "allot"
CONFIG = """
data: {task: digit_sort, digit_sort: {digits: {min: 1, max: 3}, train: 400, test: 20}}
model: {dim: 32, layers: 2, heads: 2, kv_heads: 1, ffn: 64}
warm_start: {steps: 150, batch: 16, lr: 5.0e-3}
alloc: {method: ar3po, group_size: 4}
train: {prompts_per_step: 4, max_steps: 6}
optim: {lr: 0.0}
eval: {every: 0}
"""


class State:
    """Reads a saved state (docs/formats.md, "Saved state")."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def number(self, kind: str) -> Any:
        (value,) = struct.unpack_from("<" + kind, self.data, self.at)
        self.at += struct.calcsize("<" + kind)
        return value

    def text(self) -> str:
        length = self.number("Q")
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def numbers(self, kind: str) -> list[Any]:
        return [self.number(kind) for _ in range(self.number("Q"))]


def held_rollouts(data: bytes) -> list[tuple[int, list[int], list[float]]]:
    """(prompt, tokens, log-probabilities) of held.bin, version 2."""
    state = State(data)
    assert (state.text(), state.number("I")) == ("held rollouts", 2)
    rollouts = []
    for _ in range(state.number("Q")):
        _, prompt = state.number("Q"), state.number("Q")
        for kind in "IIIIB":  # tag, seq, round, behaviour, status
            state.number(kind)
        tokens = state.numbers("i")
        state.number("I")  # tokens not kept
        logp = state.numbers("f")
        state.number("f")  # mean entropy
        state.text()
        for kind in "Bf":  # scoring, reward
            state.number(kind)
        state.numbers("f")  # its parts
        for kind in "??":  # correct, parsed
            state.number(kind)
        for _ in ("answer", "reason"):
            state.text()
        state.number("Q")  # step
        rollouts.append((prompt, tokens, logp))
    return rollouts


pytestmark = pytest.mark.skipif(
    not PROGRAM.exists(), reason="the program is not built (scripts/build allot)"
)


def trained(folder: Path) -> Path:
    (folder / "run.yaml").write_text(CONFIG)
    subprocess.run([PROGRAM, "train", "run.yaml", "--quiet"], cwd=folder, check=True)
    return folder / "runs" / "run"


def test_transformers_computes_what_the_program_computed(tmp_path: Path) -> None:
    run = trained(tmp_path)
    folder = run / "checkpoint-6"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    database = sqlite3.connect(run / "run.sqlite")
    held = held_rollouts((folder / "held.bin").read_bytes())
    assert len(held) >= 4
    for prompt, tokens, logp in held:
        text, ids = database.execute(
            "select text, token_ids from prompts where id = ?", (prompt,)
        ).fetchone()
        start = json.loads(ids)
        assert tokenizer(text, add_special_tokens=False).input_ids == start
        with torch.no_grad():
            logits = model(torch.tensor([start + tokens])).logits[0].double()
        found = logits.log_softmax(-1)[len(start) - 1 : -1].gather(1, torch.tensor(tokens)[:, None])
        assert (found[:, 0] - torch.tensor(logp).double()).abs().max() < 1e-5


def test_the_trainer_state_is_read_by_transformers(tmp_path: Path) -> None:
    folder = trained(tmp_path) / "checkpoint-6"
    state = TrainerState.load_from_json(str(folder / "trainer_state.json"))
    assert state.global_step == 6
    assert state.epoch and state.epoch > 0
    assert [entry["step"] for entry in state.log_history] == [0, 6]
