"""A world small enough to try RL with TRL on two cores: a transformer of 0.1 M parameters learns to
sort letters.

    pdajd=   is answered   addjp   and the end of the answer

Nothing is downloaded. The model is made here, with random weights, and warm-started on
demonstrations, most of them short: it then sorts two letters most of the time and seven almost
never, so that a fixed number of rollouts per prompt wastes many of them at either end.
"""

import os
import random

# Before torch: OpenMP threads that spin while they wait collapse when anything else is running.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import tokenizers  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

LETTERS = "abcdefghijklmnop"
LENGTHS = (2, 3, 4, 5, 6, 7)  # letters of a prompt; there are equally many of each
ANSWER_TOKENS = max(LENGTHS) + 1  # and the end of the answer
# Settings of trl.GRPOConfig for a run on the CPU that writes and reports nothing.
ON_CPU = {
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "dataloader_pin_memory": False,
}


def make_data(train=420, test=420, demonstrations=12000):
    """Three lists of rows, no prompt in two of them; of two letters there are too few to fill the
    demonstrations. Always the same."""
    draw = random.Random(0)
    splits = {"test": [], "train": [], "demonstrations": []}
    sizes = [size // len(LENGTHS) for size in (test, train, demonstrations)]
    for length in LENGTHS:
        possible = len(LETTERS) ** length
        numbers = draw.sample(range(possible), min(sum(sizes), possible))
        words = ["".join(LETTERS[n // 16**i % 16] for i in range(length)) for n in numbers]
        for rows, size in zip(splits.values(), sizes):
            rows += [make_row(word) for word in words[:size]]
            words = words[size:]
    for rows in splits.values():
        draw.shuffle(rows)
    return splits["train"], splits["test"], splits["demonstrations"]


def make_row(word):
    """The column id names the prompt for good, and answer reaches the reward function."""
    return {"id": word, "prompt": f"{word}=", "answer": "".join(sorted(word))}


def reward(completions, answer, **_):
    """1 for the right letters, else 0."""
    return [float(completion == right) for completion, right in zip(completions, answer)]


def make_tokenizer():
    """One token per character."""
    vocabulary = {token: i for i, token in enumerate(["<pad>", "<end>", "=", *LETTERS])}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<pad>"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Split(tokenizers.Regex("."), "isolated")
    inner.decoder = tokenizers.decoders.Fuse()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="<end>", padding_side="left"
    )


def make_model(tokenizer):
    """A Qwen2 with random weights."""
    torch.manual_seed(0)
    return transformers.Qwen2ForCausalLM(
        transformers.Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            intermediate_size=160,
            max_position_embeddings=64,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
    )


def answer_logprobs(model, tokenizer, rows):
    """Log-probability of the right answer with its end, [rows]."""
    texts = [row["prompt"] + row["answer"] + tokenizer.eos_token for row in rows]
    tokens = tokenizer(texts, return_tensors="pt", padding=True, return_token_type_ids=False)
    # Padding is on the left, so the answers end at the last position.
    scored = torch.zeros_like(tokens["input_ids"])
    for i, row in enumerate(rows):
        scored[i, -len(row["answer"]) - 1 :] = 1
    logprobs = model(**tokens).logits[:, :-1].log_softmax(-1)
    chosen = logprobs.gather(-1, tokens["input_ids"][:, 1:, None])[..., 0]
    return (chosen * scored[:, 1:]).sum(-1)


def warm_start(model, tokenizer, rows, steps=110, batch=64):
    """Supervised learning from demonstrations: three times fewer of every further letter."""
    draw = torch.Generator().manual_seed(1)
    share = torch.tensor([3.0 ** -len(row["answer"]) for row in rows])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, steps)
    for _ in range(steps):
        picked = torch.multinomial(share, batch, generator=draw).tolist()
        loss = -answer_logprobs(model, tokenizer, [rows[i] for i in picked]).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()


@torch.no_grad()
def accuracy(model, tokenizer, rows):
    """Expected share of right answers at temperature 1 (pass@1). Exact, without sampling: a prompt
    has one right answer, and this is the mean of its probability."""
    return answer_logprobs(model, tokenizer, rows).exp().mean().item()
