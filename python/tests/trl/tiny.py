"""A world in which TRL takes a step in a fraction of a second: a random Qwen2 of some thousand
weights, a tokenizer of single characters, and rewards of prompt and completion alone."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

from pathlib import Path
from typing import Any

import torch
import trl
from datasets import Dataset
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

DIGITS = "0123456789"
VOCABULARY = ["<pad>", "<eos>", *DIGITS, "?", "="]


def tokenizer() -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.WordLevel({t: i for i, t in enumerate(VOCABULARY)}, unk_token="<pad>"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    inner.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="<eos>", padding_side="left"
    )


def model(seed: int = 0) -> Qwen2ForCausalLM:
    torch.manual_seed(seed)
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(VOCABULARY),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            intermediate_size=32,
            max_position_embeddings=64,
            pad_token_id=0,
            eos_token_id=1,
            bos_token_id=None,
        )
    )


def data(count: int = 40) -> Dataset:
    """Prompts "d=": the reward asks for a digit above d, so 0 is easy and 9 is hopeless."""
    rows = [f"{i // 10}{i % 10}=" for i in range(count)]
    return Dataset.from_dict({"prompt": rows, "answer": [row[-2] for row in rows]})


def above(completions: list[str], answer: list[str], **columns: Any) -> list[float | None]:
    """1 if the first digit of the completion is above the answer."""
    out: list[float | None] = []
    for completion, floor in zip(completions, answer):
        digits = [c for c in completion if c in DIGITS]
        out.append(float(bool(digits) and digits[0] > floor))
    return out


def config(folder: Any, **changes: Any) -> trl.GRPOConfig:
    settings: dict[str, Any] = dict(
        output_dir=str(folder),
        use_cpu=True,
        bf16=False,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
        logging_steps=1,
        max_steps=3,
        learning_rate=1e-2,
        lr_scheduler_type="constant",
        seed=1,
        per_device_train_batch_size=16,
        gradient_accumulation_steps=2,
        num_generations=4,
        max_completion_length=3,
        gradient_checkpointing=False,
        dataloader_pin_memory=False,
    )
    return trl.GRPOConfig(**{**settings, **changes})


PASSED_ON = ("allocation", "rollout_func", "eval_dataset")


def trainer(
    kind: type, folder: Any, *, rewards: Any = above, rows: Any = None, **changes: Any
) -> Any:
    own = {name: changes.pop(name) for name in PASSED_ON if name in changes}
    policy = model()
    if changes.get("beta"):  # TRL loads its reference model from where the policy came from
        path = Path(folder) / "model"
        policy.save_pretrained(path)
        policy = Qwen2ForCausalLM.from_pretrained(path)
    return kind(
        model=policy,
        reward_funcs=rewards,
        args=config(folder, **changes),
        train_dataset=data() if rows is None else rows,
        processing_class=tokenizer(),
        **own,
    )


def weights(trained: Any) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trained.model.parameters()])


def history(trained: Any, name: str) -> list[float]:
    return [entry[name] for entry in trained.state.log_history if name in entry]
