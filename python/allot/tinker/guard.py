"""What the adapter needs of the tinker client: the calls it makes."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import allot

from ..adapters import missing_calls

SERVICE = {
    "create_lora_training_client": ("base_model", "rank", "seed"),
    "create_training_client_from_state_with_optimizer": ("path",),
}
TRAINER = {
    "forward": ("data", "loss_fn", "loss_fn_config"),
    "forward_backward": ("data", "loss_fn", "loss_fn_config"),
    "optim_step": ("adam_params",),
    "save_state": ("name",),
    "load_state_with_optimizer": ("path",),
    "save_weights_and_get_sampling_client": (),
}
SAMPLER = {"sample": ("prompt", "num_samples", "sampling_params")}


def check(client: Any, calls: Mapping[str, tuple[str, ...]]) -> Any:
    """The client, if it has every call that the adapter makes with the parameters it gives."""
    missing = missing_calls(client, calls)
    if missing:
        raise allot.ConfigError(
            f"[tinker] {type(client).__name__} of tinker {version('tinker')} has no "
            f"{', '.join(missing)}; the adapter needs that. "
            f"Hint: python -m allot doctor names the versions that were tested"
        )
    return client
