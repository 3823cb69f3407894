"""A random Qwen3 of some thousand weights and a tokenizer of single characters, in a folder."""

from __future__ import annotations

from pathlib import Path

VOCABULARY = ["<pad>", "<end>", "=", "?", *"abcdefgh", *"0123"]


def write(folder: Path) -> Path:
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
    return folder
