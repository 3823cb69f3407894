"""A service whose calls are watched: counted, checked, and ended by a kill where one is wanted."""

from __future__ import annotations

import functools
import threading
from collections import Counter
from typing import Any

from allot.tinker.probe import SEED
from fake import Killed

CREATES = (
    "create_lora_training_client",
    "create_training_client_from_state_with_optimizer",
    "save_weights_and_get_sampling_client",
)
ANSWERS = (
    "sample",
    "forward",
    "forward_backward",
    "optim_step",
    "save_state",
    "load_state_with_optimizer",
)


class Watch:
    """`kill`: {(call, number): "kill" or "kill after"}; taken from it when it strikes.
    `server`: what is killed at the same moment."""

    def __init__(self, server: Any = None) -> None:
        self.kill: dict[tuple[str, int], str] = {}
        self.server = server
        self.calls: Counter[str] = Counter()
        self.samples: dict[int, Any] = {}  # by seed: what was sampled, the same every time
        self.lock = threading.Lock()

    def before(self, call: str, arguments: dict[str, Any]) -> bool:
        """Whether the process ends when the answer is there."""
        assert arguments.get("num_samples", 1) > 0, "never answered by a server"
        with self.lock:
            place = call, self.calls[call]
            self.calls[call] += 1
            kind = self.kill.pop(place, None)
        if kind == "kill":
            self.strike(call)
        return kind == "kill after"

    def strike(self, call: str) -> None:
        if self.server is not None:
            self.server.kill()
        raise Killed(call)

    def sampled(self, seed: int, answer: Any) -> None:
        found = [(list(one.tokens), list(one.logprobs)) for one in answer.sequences]
        if seed == SEED:  # of the start-up, under whatever weights
            return
        with self.lock:
            assert self.samples.setdefault(seed, found) == found, "another answer to one seed"


class Proxy:
    def __init__(self, target: Any, watch: Watch) -> None:
        self._target, self._watch = target, watch

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)
        if name not in CREATES + ANSWERS:
            return method

        @functools.wraps(method)
        def watched(*arguments: Any, **named: Any) -> Any:
            ends = self._watch.before(name, named)
            answer = method(*arguments, **named)
            if name == "sample":
                self._watch.sampled(named["sampling_params"].seed, answer.result(timeout=120))
            if ends:
                if name in ANSWERS:
                    answer.result(timeout=120)
                self._watch.strike(name)
            return Proxy(answer, self._watch) if name in CREATES else answer

        return watched
