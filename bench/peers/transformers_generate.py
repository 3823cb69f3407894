"""Seconds of transformers' generate() on the shape of `bench/generate_speed --sizes 0.5B`.

A randomly initialised Qwen2 of 0.5 B parameters in bfloat16 on this CPU, sampling at temperature 1
from the full vocabulary, no stop token. Prints one JSON line.

    python bench/peers/transformers_generate.py --prompts 64 --group 1 --prompt 64 --new 64
"""

import argparse
import json
import os
import time

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--prompts", type=int, default=64)
parser.add_argument("--group", type=int, default=1, help="responses per prompt")
parser.add_argument("--prompt", type=int, default=64, help="tokens of a prompt")
parser.add_argument("--new", type=int, default=64, help="new tokens of a response")
parser.add_argument("--cache", choices=["dynamic", "static"], default="dynamic")
parser.add_argument("--attention", choices=["sdpa", "eager"], default="sdpa")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--repeats", type=int, default=1)
arguments = parser.parse_args()

# Before torch: spinning OpenMP threads collapse as soon as anything else runs on the machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", str(arguments.threads))
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import torch  # noqa: E402
import transformers  # noqa: E402

VOCAB = 151936


def random_model():
    config = transformers.Qwen2Config(
        vocab_size=VOCAB,
        hidden_size=896,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        intermediate_size=4864,
        max_position_embeddings=1024,
        rope_theta=1e6,
        tie_word_embeddings=True,
        eos_token_id=None,
        bos_token_id=None,
        pad_token_id=0,
    )
    config._attn_implementation = arguments.attention
    torch.set_default_dtype(torch.bfloat16)
    torch.manual_seed(0)
    return transformers.Qwen2ForCausalLM(config).eval()


def main():
    torch.set_num_threads(arguments.threads)
    model = random_model()
    prompts = torch.randint(0, VOCAB, (arguments.prompts, arguments.prompt))
    settings = dict(
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        num_return_sequences=arguments.group,
        use_cache=True,
        pad_token_id=0,
    )
    if arguments.cache == "static":
        settings["cache_implementation"] = "static"
    ones = torch.ones_like(prompts)

    def run(count):
        with torch.inference_mode():
            return model.generate(
                prompts, attention_mask=ones, max_new_tokens=count, min_new_tokens=count, **settings
            )

    run(2)  # warms up
    wall, processor = [], []
    for _ in range(arguments.repeats):
        wall_start, processor_start = time.perf_counter(), time.process_time()
        made = run(arguments.new)
        wall.append(time.perf_counter() - wall_start)
        processor.append(time.process_time() - processor_start)
        assert made.shape == (
            arguments.prompts * arguments.group,
            arguments.prompt + arguments.new,
        )
    tokens = arguments.prompts * arguments.group * arguments.new
    print(
        json.dumps(
            {
                "peer": "transformers",
                "wall_s": round(min(wall), 3),
                "processor_s": round(min(processor), 3),
                "tokens_per_s": round(tokens / min(wall), 1),
                "cache": arguments.cache,
                "attention": arguments.attention,
                "versions": {m.__name__: m.__version__ for m in (transformers, torch)},
            }
        )
    )


main()
