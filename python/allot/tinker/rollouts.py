"""Rollouts of a round: bounded requests in flight, repeated until their answer is whole.

A sampling request changes nothing on the server and carries its own seed, so it can be repeated; an
answer that comes after its request was given up is thrown away. Rollouts are filed by the id that
the Controller gave them, once each and in the order of the requests, whatever came first.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import allot
import numpy as np
import tinker

from .engine import AGAIN, described
from .settings import Settings

log = logging.getLogger("allot.tinker")
# A group whose rollouts are all alike is taken for a fault of the server below this probability.
LEAST_CHANCE = 1e-9
LOOK_UP_S = 1.0
FINAL = range(400, 500)  # answers that a repetition does not change, but for these:
TRANSIENT = (408, 409, 425, 429)


@dataclass
class Rollout:
    """One response. `logps` are those of the policy that sampled it."""

    id: int
    prompt: int
    round: int
    prompt_ids: list[int]
    tokens: list[int]
    logps: list[float]
    truncated: bool
    completion: Any = None  # as the reward function sees it
    reward: float | None = None  # None: not scorable
    correct: bool = False
    error: str | None = None  # its verifier failed


@dataclass(frozen=True)
class Piece:
    """A request to the server: rollouts first .. first + n - 1 of one prompt."""

    first: int
    n: int
    prompt: int
    round: int
    prompt_ids: list[int]
    temperature: float
    seed: int


class Sampler:
    """Serves the requests of a plan with one sampling client."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.repeated = 0  # requests sent once more, so far
        self._counting = threading.Lock()

    def round(self, client: Any, requests: allot.Requests, step: int, encode: Any) -> list[Rollout]:
        """All rollouts of the requests, in their order; encode(prompt) gives its tokens. Raises
        SamplerError when a request has failed for good."""
        pieces = list(self._pieces(requests, step, encode))
        over = threading.Event()
        pool = ThreadPoolExecutor(self._settings.in_flight, thread_name_prefix="allot sampling")
        try:
            answers = list(pool.map(lambda piece: self._serve(client, piece, over), pieces))
        finally:
            over.set()
            pool.shutdown(wait=False, cancel_futures=True)
        return [rollout for answer in answers for rollout in answer]

    def _pieces(self, requests: allot.Requests, step: int, encode: Any) -> Any:
        most = self._settings.samples_per_request
        for request in requests:
            ids = encode(request.prompt)
            temperature = request.temperature
            if temperature < 0:
                temperature = self._settings.temperature
            # A server may wait for ever for the first of no samples: such requests end here.
            for at in range(0, request.n, most):
                seq = request.first_seq + at
                yield Piece(
                    first=request.first + at,
                    n=min(most, request.n - at),
                    prompt=request.prompt,
                    round=request.round,
                    prompt_ids=ids,
                    temperature=temperature,
                    seed=seed_of(self._settings.seed, step, request.prompt, seq),
                )

    def _serve(self, client: Any, piece: Piece, over: threading.Event) -> list[Rollout]:
        """`over`: the round has ended, by its success or by the failure of another request."""
        settings = self._settings
        for attempt in range(settings.retries + 1):
            try:
                found = rollouts_of(piece, self._answer(client, piece, over), settings.max_tokens)
                if self._plain and piece.temperature >= 1:
                    check_different(found)
                return found
            except Exception as error:
                if attempt == settings.retries or is_final(error) or over.is_set():
                    raise allot.SamplerError(
                        f"[tinker] sample failed for prompt {piece.prompt} ({piece.n} rollouts, "
                        f"{attempt + 1} attempts): {described(error)}. Hint: {AGAIN}"
                    ) from error
                with self._counting:
                    self.repeated += 1
                log.warning("[tinker] sample is repeated: %s", described(error))
                over.wait(settings.retry_wait_s * 2**attempt)
        raise AssertionError("unreachable")

    @property
    def _plain(self) -> bool:
        """The log-probabilities are those that the tokens were drawn with."""
        return self._settings.top_p == 1 and self._settings.top_k == -1

    def _answer(self, client: Any, piece: Piece, over: threading.Event) -> Any:
        settings = self._settings
        params = tinker.SamplingParams(
            max_tokens=settings.max_tokens,
            seed=piece.seed,
            temperature=piece.temperature,
            top_p=settings.top_p,
            top_k=settings.top_k,
            stop=settings.stop,
        )
        future = client.sample(
            prompt=tinker.ModelInput.from_ints(piece.prompt_ids),
            num_samples=piece.n,
            sampling_params=params,
        )
        return patient(future, settings.timeout_s, over)


def seed_of(seed: int, step: int, prompt: int, seq: int) -> int:
    """Of the samples seq, seq + 1, .. of a prompt in a step; one prompt's number of rollouts does
    not change another's text."""
    return allot.prompt_id(f"{seed}/{step}/{prompt}/{seq}") % 2**31


def patient(future: Any, timeout_s: float, over: threading.Event) -> Any:
    """The future's result, or TimeoutError; looks up from time to time whether it is still wanted,
    so that an interrupted process ends soon."""
    end = time.monotonic() + timeout_s
    while True:
        left = end - time.monotonic()
        try:
            return future.result(timeout=max(0.0, min(left, LOOK_UP_S)))
        except TimeoutError:
            if future.done() or left <= LOOK_UP_S or over.is_set():
                raise


def is_final(error: Exception) -> bool:
    status = getattr(error, "status_code", None)
    return isinstance(status, int) and status in FINAL and status not in TRANSIENT


def rollouts_of(piece: Piece, answer: Any, max_tokens: int) -> list[Rollout]:
    """The answer as rollouts. Raises ValueError where it is not what was asked for."""
    sequences = list(answer.sequences)
    if len(sequences) != piece.n:
        raise ValueError(f"{len(sequences)} sequences for {piece.n} rollouts")
    out = []
    for i, sequence in enumerate(sequences):
        tokens, logps = list(sequence.tokens), sequence.logprobs
        check_sequence(tokens, logps, max_tokens)
        out.append(
            Rollout(
                id=piece.first + i,
                prompt=piece.prompt,
                round=piece.round,
                prompt_ids=piece.prompt_ids,
                tokens=tokens,
                logps=[float(np.float32(logp)) for logp in logps],
                truncated=sequence.stop_reason == "length",
            )
        )
    return out


def check_sequence(tokens: list[int], logps: Sequence[float] | None, max_tokens: int) -> None:
    if logps is None or len(logps) != len(tokens):
        found = "no" if logps is None else len(logps)
        raise ValueError(f"{found} log-probabilities for {len(tokens)} tokens")
    if len(tokens) > max_tokens:
        raise ValueError(f"{len(tokens)} tokens; at most {max_tokens} were asked for")
    for logp in logps:
        if not math.isfinite(logp) or logp > 1e-3:
            raise ValueError(f"a log-probability of {logp}")


def check_different(rollouts: list[Rollout]) -> None:
    """Samples of one request come from one seed; a server that starts each of them afresh with it
    returns copies."""
    first = rollouts[0]
    if any(rollout.tokens != first.tokens for rollout in rollouts[1:]):
        return
    if sum(first.logps) * (len(rollouts) - 1) < math.log(LEAST_CHANCE):
        raise ValueError(f"{len(rollouts)} samples that are copies of one")
