"""What a run is given, as its parts want it: rows by prompt, the Controller, token ids and text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import allot

from ..identity import Identity, Index
from .settings import Settings


def check_data(data: Any) -> None:
    if not hasattr(data, "__len__") or not hasattr(data, "__getitem__") or not len(data):
        raise allot.DataError(
            "[tinker] the data cannot be indexed or has no rows; a list of rows, or a data set "
            "with length and index, is needed"
        )
    if not isinstance(data[0], Mapping):
        raise allot.DataError(
            f"[tinker] the first row of the data is {str(data[0])[:80]!r}; a mapping is needed. "
            f"Hint: {{'prompt': .., 'answer': ..}}, with any columns that the reward wants"
        )


def index_of(data: Sequence[Mapping[str, Any]], settings: Settings) -> Index:
    check_data(data)
    columns = getattr(data, "column_names", None) or list(data[0])
    return Index(data, Identity(settings.key, columns, "tinker"))


def keywords_of(allocation: str | Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Of the Controller: its method and the method's options."""
    given: dict[str, Any] = (
        {"method": allocation} if isinstance(allocation, str) else dict(allocation)
    )
    if "method" not in given:
        raise allot.ConfigError(
            f"[tinker] allocation has {', '.join(map(str, given)) or 'nothing'} and no 'method'; "
            f"one is needed. Hint: allocation={{'method': 'aero', 'explore': 4}}"
        )
    if given.setdefault("group_size", settings.group_size) != settings.group_size:
        raise allot.ConfigError(
            f"[tinker] allocation has group_size {given['group_size']} and the settings "
            f"{settings.group_size}; they are one thing. Hint: set it in the settings"
        )
    return given


def controller_of(
    keywords: Mapping[str, Any],
    settings: Settings,
    prompts: int,
    steps: int,
    budget: allot.Budget | None,
) -> allot.Controller:
    rollouts = settings.groups * settings.group_size
    planned = {"run_steps": steps} if steps else {}
    return allot.Controller(
        budget=budget
        or allot.Budget(
            groups=settings.groups, rollouts=rollouts, max_tokens=settings.max_tokens, **planned
        ),
        host=allot.Host(
            grain="round",
            cancel=False,
            exemplar=False,
            entropy=False,
            answer_class=False,
            max_tokens=settings.max_tokens,
        ),
        seed=settings.seed,
        data_size=prompts,
        success_threshold=settings.success_threshold,
        **keywords,
    )


def token_ids(prompt: Any) -> bool:
    return isinstance(prompt, (list, tuple)) and all(isinstance(token, int) for token in prompt)


def encoded(prompt: Any, tokenizer: Any) -> list[int]:
    """A prompt as token ids: ids as they are, text and messages by the tokenizer."""
    if token_ids(prompt):
        ids = list(prompt)
    elif tokenizer is None:
        raise allot.DataError(
            f"[tinker] a prompt is {str(prompt)[:80]!r} and there is no tokenizer; token ids, or a "
            f"tokenizer, are needed. Hint: tokenizer=training_client.get_tokenizer()"
        )
    elif isinstance(prompt, str):
        ids = list(tokenizer.encode(prompt))
    else:
        ids = tokenizer.apply_chat_template(
            list(prompt), add_generation_prompt=True, tokenize=True, return_dict=False
        )
    if not ids:
        raise allot.DataError("[tinker] a prompt has no token; one or more is needed")
    return ids


def decoder(tokenizer: Any) -> Callable[[list[int]], str] | None:
    if tokenizer is None:
        return None
    return lambda tokens: tokenizer.decode(tokens, skip_special_tokens=True)
