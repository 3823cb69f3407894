"""The program trains a published model's folder, and transformers continues with what it saved.

A tiny Qwen2 of random weights with the real Qwen2 tokenizer on GSM8K: three steps, chat template,
verifier and save. The saved folder must generate in transformers what it generates in the program,
token by token.
"""

import json
import subprocess
from pathlib import Path

import peft
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "build" / "allot"
DATA = ROOT.parent / "shared" / "data"
INSTRUCTION = 'Let\'s think step by step and output the final answer after "####".'

pytestmark = pytest.mark.skipif(
    not (DATA.is_dir() and PROGRAM.is_file()), reason="needs ../shared/data and build/allot"
)

CONFIG = """
model: {{path: "{model}"}}
data:
  task: jsonl
  train: "{data}/gsm8k/train.jsonl"
  eval: "{data}/gsm8k/test.jsonl"
  template: chat
  jsonl: {{preset: gsm8k}}
# Random weights solve nothing; lengths differ, and so does this reward.
reward: {{functions: [task, soft_overlong], overlong_buffer: 30}}
warm_start: {{steps: 0}}
rollout: {{max_new_tokens: 32}}
alloc: {{group_size: 4}}
train: {{max_steps: 3, prompts_per_step: 4, output: "{output}"}}
eval: {{prompts: 6, every: 0}}
optim: {{lr: 1.0e-3}}
"""


def allot(*arguments: str) -> str:
    run = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Of the model before training."""
    path = tmp_path_factory.mktemp("models") / "tiny qwen2"
    tokenizer = AutoTokenizer.from_pretrained(DATA / "tokenizers" / "qwen2")
    torch.manual_seed(0)
    shape = Qwen2Config(
        vocab_size=151936,
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
    )
    model = Qwen2ForCausalLM(shape)
    # Of random weights one token in fifty ends a response, so that lengths differ.
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, *range(3000)]
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory) -> tuple[Path, Path]:
    """The configuration and the checkpoint of three steps."""
    output = tmp_path_factory.mktemp("runs")
    config = output / "gsm8k.yaml"
    config.write_text(CONFIG.format(model=folder, data=DATA, output=output))
    allot("train", str(config), "--quiet")
    return config, output / "gsm8k" / "checkpoint-3"


def test_three_steps_change_the_weights(folder, trained):
    before = AutoModelForCausalLM.from_pretrained(folder).state_dict()
    after = AutoModelForCausalLM.from_pretrained(trained[1]).state_dict()
    assert before.keys() == after.keys()
    assert not torch.equal(
        before["model.layers.0.mlp.up_proj.weight"], after["model.layers.0.mlp.up_proj.weight"]
    )


def assert_generated_alike(config, checkpoint, model, tmp_path):
    """Prompts and greedy responses of `allot eval` are those of a model of transformers."""
    samples = tmp_path / "samples.jsonl"
    allot("eval", str(config), "--checkpoint", str(checkpoint), "--samples", str(samples),
          "--set", "eval.temperature=0", "--quiet")  # fmt: skip
    rows = [json.loads(line) for line in samples.read_text().splitlines()[1:]]
    assert len(rows) == 6
    questions = {}
    for line in (DATA / "gsm8k" / "test.jsonl").read_text().splitlines():
        question = json.loads(line)["question"]
        questions[question] = question
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    for row in rows:
        question = next(q for q in questions if q in row["prompt"])
        messages = [{"role": "user", "content": f"{question}\n{INSTRUCTION}"}]
        prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert row["prompt"] == prompt
        ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        made = model.generate(**ids, do_sample=False, max_new_tokens=32)
        made = made[0, ids["input_ids"].shape[1] :].tolist()
        assert row["completion_ids"] == made
        assert row["completion"] == tokenizer.decode(made, skip_special_tokens=True)


def test_transformers_generates_the_same(trained, tmp_path):
    config, checkpoint = trained
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    assert_generated_alike(config, checkpoint, model, tmp_path)


def test_peft_generates_the_same_with_an_adapter(folder, trained, tmp_path):
    config, _ = trained
    allot("train", str(config), "--quiet", "--name", "lora", "--set", "model.lora.r=4",
          "--set", "optim.lr=0.01")  # fmt: skip
    checkpoint = config.parent / "lora" / "checkpoint-3"
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    adapted = peft.PeftModel.from_pretrained(base, checkpoint)
    assert any(
        parameter.abs().max() > 0
        for name, parameter in adapted.named_parameters()
        if "lora_B" in name
    )
    assert_generated_alike(config, checkpoint, adapted, tmp_path)
