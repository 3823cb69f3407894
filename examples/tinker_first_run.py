"""A first run over a Tinker server, with everything made here: model, server, task.

    python examples/tinker_first_run.py [--method ar3po] [--steps 16] [--folder runs/tinker]

A random transformer of some ten thousand weights learns to begin its answers with one of eight of
its sixteen characters. A few minutes on two cores the first time, most of them for compiling; the
same command goes on where it was stopped. Needs what tinker_server.py needs.
"""

import argparse
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

VOCABULARY = ["<pad>", "<end>", "=", "?", *"abcdefgh", *"0123"]
RIGHT = tuple("abcd0123")


def make_model(folder):
    """A Qwen3 with random weights and a tokenizer of single characters; the same every time."""
    import torch
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    inner = Tokenizer(models.WordLevel({t: i for i, t in enumerate(VOCABULARY)}, unk_token="?"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    inner.decoder = decoders.Fuse()
    PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="<end>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(VOCABULARY),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=16,
            intermediate_size=64,
            max_position_embeddings=128,
            tie_word_embeddings=False,
            pad_token_id=0,
            eos_token_id=1,
            bos_token_id=None,
            dtype="float32",
        )
    )
    # LoRA leaves the head alone, and the norm before it fixes the size of what it reads: with the
    # usual small weights no adapter could move the policy far from the uniform one.
    with torch.no_grad():
        model.lm_head.weight *= 8
    model.save_pretrained(folder)


def make_data():
    """The embedding is for methods that want one."""
    prompts = [f"{one}{other}=" for one in "abcdefgh" for other in "ab"]
    return [{"id": i, "prompt": one, "embedding": [i % 2, 1.0]} for i, one in enumerate(prompts)]


def reward(completions, **_):
    return [float(completion[:1] in RIGHT) for completion in completions]


def start_server(model, folder, port):
    program = Path(__file__).with_name("tinker_server.py")
    command = [sys.executable, str(program), str(model), "--folder", str(folder)]
    with open(folder / "log", "ab") as log:
        server = subprocess.Popen(
            [*command, "--port", str(port)], stdout=log, stderr=subprocess.STDOUT
        )
    for _ in range(600):
        if server.poll() is not None:
            sys.exit(f"the server did not start; {folder / 'log'} says why")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/healthz", timeout=2).close()
            break
        except OSError:
            time.sleep(0.2)
    return server


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", default="ar3po", help="a name of allot.methods()")
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--folder", type=Path, default=Path("runs/tinker"))
    parser.add_argument("--port", type=int, default=8471)
    given = parser.parse_args()

    import tinker

    import allot.tinker

    given.folder.mkdir(parents=True, exist_ok=True)
    model = given.folder / "model"
    if not model.exists():
        make_model(model)
    server = start_server(model, given.folder, given.port)
    try:
        allot.tinker.train(
            tinker.ServiceClient(base_url=f"http://127.0.0.1:{given.port}", api_key="tml-none"),
            base_model=str(model),
            data=make_data(),
            reward=reward,
            steps=given.steps,
            allocation=given.method,
            folder=given.folder / given.method,
            rank=8,
            groups=8,
            group_size=8,
            max_tokens=4,
            learning_rate=1e-2,
            on_step=lambda step, metrics: print(
                f"step {step:3}: reward {metrics['reward/first_round']:.2f}, "
                f"{metrics['rollouts/generated']:.0f} rollouts, {metrics['tinker/rows']:.0f} rows",
                flush=True,
            ),
        )
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
