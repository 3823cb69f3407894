"""Seconds of one optimizer step of TRL's GRPOTrainer, at the shape of bench/step.

64 prompts x 16 completions, prompt 16 + 48 new tokens, float32 weights, a randomly initialised
Qwen2 of the same size, every completion trained. Prints one JSON line.

    python bench/peers/trl_step.py --size S --steps 5
"""

import argparse
import json
import os
import statistics
import tempfile
import time

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--size", choices=["S", "M", "L"], default="S")
parser.add_argument("--steps", type=int, default=5)
parser.add_argument("--micro", type=int, default=128, help="completions per forward and backward")
parser.add_argument("--chunk", type=int, default=1024, help="completions per generate() call")
parser.add_argument(
    "--dtype",
    choices=["float32", "bfloat16"],
    default="float32",
    help="of matrix products: float32, or bfloat16 by autocast",
)
parser.add_argument("--threads", type=int, default=2)
arguments = parser.parse_args()

# Before torch: spinning OpenMP threads collapse as soon as anything else runs on the machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", str(arguments.threads))
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import torch  # noqa: E402
import transformers  # noqa: E402
import trl  # noqa: E402
from datasets import Dataset  # noqa: E402
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers  # noqa: E402

PROMPTS, GROUP, PROMPT_TOKENS, NEW_TOKENS = 64, 16, 16, 48
ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz:=> ,.;?+-*/()[]{}<_#@&%"
SHAPES = {  # dim, layers, heads, kv heads, ffn: those of model.size
    "S": (96, 3, 4, 2, 256),
    "M": (192, 4, 6, 2, 512),
    "L": (320, 6, 10, 2, 832),
}


def character_tokenizer():
    special = ["<pad>", "<end>"]
    vocabulary = {token: i for i, token in enumerate(special + list(ALPHABET))}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    inner.decoder = decoders.Fuse()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="<end>", padding_side="left"
    )


def random_model(tokenizer):
    dim, layers, heads, kv_heads, ffn = SHAPES[arguments.size]
    torch.manual_seed(0)
    return transformers.Qwen2ForCausalLM(
        transformers.Qwen2Config(
            vocab_size=64,
            hidden_size=dim,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=kv_heads,
            intermediate_size=ffn,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
    )


class StepTimer(transformers.TrainerCallback):
    """Seconds from the end of one optimizer step to the end of the next."""

    def __init__(self):
        self.marks = []

    def on_train_begin(self, *_, **__):
        self.marks.append(time.perf_counter())

    def on_step_end(self, *_, **__):
        self.marks.append(time.perf_counter())

    def seconds(self):
        return [b - a for a, b in zip(self.marks[1:], self.marks[2:])]  # the first step warms up


def main():
    torch.set_num_threads(arguments.threads)
    tokenizer = character_tokenizer()
    digits = torch.randint(0, 10, (PROMPTS * (arguments.steps + 2), PROMPT_TOKENS - 7)).tolist()
    data = Dataset.from_dict({"prompt": ["sort:" + "".join(map(str, d)) + "=>" for d in digits]})
    completions = PROMPTS * GROUP
    timer = StepTimer()
    with tempfile.TemporaryDirectory() as output:
        config = trl.GRPOConfig(
            output_dir=output,
            use_cpu=True,
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            max_steps=arguments.steps + 1,
            learning_rate=3e-4,
            lr_scheduler_type="constant",
            per_device_train_batch_size=arguments.micro,
            gradient_accumulation_steps=completions // arguments.micro,
            steps_per_generation=arguments.chunk // arguments.micro,
            num_generations=GROUP,
            max_completion_length=NEW_TOKENS,
            generation_kwargs={"min_new_tokens": NEW_TOKENS},
            temperature=1.0,
            beta=0.0,
            gradient_checkpointing=False,
            bf16=arguments.dtype == "bfloat16",
            dataloader_pin_memory=False,
        )
        trainer = trl.GRPOTrainer(
            model=random_model(tokenizer),
            # Alternating rewards: every group is mixed, so every completion is trained.
            reward_funcs=lambda completions, **_: [float(i % 2) for i in range(len(completions))],
            args=config,
            train_dataset=data,
            processing_class=tokenizer,
            callbacks=[timer],
        )
        trainer.train()
    print(
        json.dumps(
            {
                "peer": "trl",
                "size": arguments.size,
                "micro": arguments.micro,
                "chunk": arguments.chunk,
                "dtype": arguments.dtype,
                "step_s": round(statistics.median(timer.seconds()), 4),
                "steps": len(timer.seconds()),
                "versions": {m.__name__: m.__version__ for m in (trl, transformers, torch)},
            }
        )
    )


main()
