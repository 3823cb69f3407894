"""A whole run over a Tinker server, from its first step or from its last checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import allot

from .. import statefile
from .engine import Engine
from .inputs import check_data, token_ids
from .probe import measure, repeats
from .rule import Rule
from .scoring import Reward
from .session import WITHOUT, Session
from .settings import Settings

log = logging.getLogger("allot.tinker")
DEFAULT = "ar3po"  # on language models ahead of GRPO or level with it (docs/language-models.md)


def train(
    service: Any,
    *,
    base_model: str,
    data: Sequence[Mapping[str, Any]],
    reward: Reward,
    steps: int,
    allocation: str | Mapping[str, Any] = DEFAULT,
    folder: statefile.Folder | None = None,
    rank: int = 32,
    init_seed: int = 0,
    tokenizer: Any = None,
    budget: allot.Budget | None = None,
    rule: Rule | None = None,
    on_step: Callable[[int, dict[str, float]], None] | None = None,
    **settings: Any,
) -> Session:
    """Trains until `steps` steps are done, and returns the session.

    Args:
        service: a tinker.ServiceClient.
        base_model: as the server calls it.
        data, reward, allocation, tokenizer, budget: see Session. Left out, the tokenizer is the
            server's model's, unless all prompts are token ids.
        steps: of the whole run, those before a checkpoint included.
        folder: where the checkpoint is kept; one that has a checkpoint goes on from it, with the
            decisions, samples and weights of a run that was never stopped.
        rank, init_seed: of the LoRA adapter.
        rule: by what the server divides its loss; left out, it is found out at the start.
        on_step: called after every step with its number and metrics.
        settings: see Settings.
    """
    chosen = Settings.of(**settings)
    check_data(data)
    saved = None
    if folder is not None and (Path(folder) / statefile.FILE).exists():
        saved = statefile.load(folder, "tinker", WITHOUT)[0]["server_state"]
    engine = Engine(service, base_model, rank, chosen, state=saved, init_seed=init_seed)
    if tokenizer is None and speaks_text(data):
        tokenizer = engine.trainer.get_tokenizer()
    session = Session(engine, data, reward, allocation, steps, tokenizer, budget)
    begin(session, saved, folder, rule)
    while session.controller.step < steps:
        step = session.controller.step
        metrics = session.step()
        if on_step is not None:
            on_step(step, metrics)
        done = session.controller.step
        if folder is not None and (done % chosen.save_every == 0 or done == steps):
            session.save(folder, engine.save(f"step-{done}"))
    return session


def begin(
    session: Session, saved: str | None, folder: statefile.Folder | None, rule: Rule | None
) -> None:
    """What comes before the first step: the probe, and the checkpoint that is read or written."""
    engine = session.engine
    tokens = session.encode(int(session.index.ids[0]))
    start = saved or engine.save("start")
    if rule is None:
        rule = measure(engine, tokens)
        engine.restore(start)  # the probe has left its moments in the optimizer
    engine.use(rule)
    if folder is None:
        return
    if not repeats(engine, tokens):
        log.warning(
            "[tinker] the server gives one seed different samples; a run that is stopped goes on, "
            "but not with the samples of one that was never stopped"
        )
    if saved is not None:
        session.load(folder)
    else:
        session.save(folder, start)


def speaks_text(data: Sequence[Mapping[str, Any]]) -> bool:
    """Whether its prompts need a tokenizer."""
    prompt = data[0].get("prompt") if len(data) else None
    return prompt is not None and not token_ids(prompt)
