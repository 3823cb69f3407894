"""What the adapter needs of TRL: the private names it uses."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import allot

from ..adapters import missing_calls

# Methods of GRPOTrainer with the parameters the adapter gives them or takes over from them.
METHODS = {
    "_generate_and_score_completions": ("inputs",),
    "_generate": ("prompts",),
    "_calculate_rewards": ("inputs", "prompts", "completions", "completion_ids_list"),
    "_compute_loss": ("model", "inputs"),
    "_get_per_token_logps_and_entropies": (
        "model",
        "input_ids",
        "attention_mask",
        "logits_to_keep",
        "batch_size",
        "compute_entropy",
    ),
    "_save_checkpoint": ("model", "trial"),
    "_load_optimizer_and_scheduler": ("checkpoint",),
}
# Attributes of a trainer that is ready.
ATTRIBUTES = (
    "accelerator",
    "args",
    "beta",
    "eos_token_ids",
    "loss_type",
    "mask_truncated_completions",
    "max_completion_length",
    "model",
    "multi_objective_aggregation",
    "num_generations",
    "num_iterations",
    "reward_func_names",
    "reward_funcs",
    "reward_weights",
    "rollout_func",
    "scale_rewards",
    "state",
    "tools",
    "use_vllm",
    "_entropy_bonus_enabled",
    "_logs",
    "_metrics",
    "_pending_extra_logs",
    "_step",
    "_tokenizer",
)


def check_class(trainer: type) -> None:
    """Refuses a TRL that lacks a name the adapter uses, or a trainer somebody else has patched."""
    missing = missing_calls(trainer, METHODS)
    if missing:
        raise allot.ConfigError(
            f"[trl] TRL {version('trl')} has no {', '.join(missing)} in {trainer.__name__}; the "
            f"adapter needs that. Hint: python -m allot doctor names the versions that were tested"
        )
    patched = [base.__name__ for base in trainer.__mro__ if "unsloth" in base.__module__.lower()]
    if patched or "unsloth" in trainer.__name__.lower():
        raise allot.ConfigError(
            "[trl] GRPOTrainer was replaced by Unsloth's, which ignores parts that the adapter "
            "uses; the trainer of TRL itself is needed. Hint: import allot.trl before unsloth, in "
            "a process without it"
        )


def check_ready(trainer: Any) -> None:
    missing = [name for name in ATTRIBUTES if not hasattr(trainer, name)]
    if missing:
        raise allot.ConfigError(
            f"[trl] the trainer of TRL {version('trl')} has no {', '.join(missing)}; the adapter "
            f"needs that. Hint: python -m allot doctor names the versions that were tested"
        )
