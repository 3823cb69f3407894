"""Says when most groups of a step carry no signal, and why."""

from __future__ import annotations

import logging
from collections.abc import Mapping

PREFIX = "group/zero_cause/"
SHARE = 0.5
EVERY = 20  # steps between two warnings about one cause


class CauseWarnings:
    """`host` is the adapter that messages name."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._log = logging.getLogger(f"allot.{host}")
        self._told: dict[str, int] = {}

    def step(self, metrics: Mapping[str, float], step: int) -> None:
        """`metrics` are those of the Controller after its step."""
        for name, share in metrics.items():
            if not name.startswith(PREFIX) or not share > SHARE:
                continue
            cause = name[len(PREFIX) :]
            if step - self._told.get(cause, -EVERY) < EVERY:
                continue
            self._told[cause] = step
            self._log.warning(
                "[%s] %d %% of the groups carry no signal: %s",
                self._host,
                round(100 * share),
                cause.replace("_", " "),
            )
