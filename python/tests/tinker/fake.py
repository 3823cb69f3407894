"""A Tinker server in this process: a small softmax policy, honest gradients, and faults on call.

The policy: logits of the next token are E[last token] + F[first token]. The losses are written here
position by position, with the divisors that servers were seen to have; nothing is shared with the
adapter but the client's own types. A fault is what `server.fault(call, number)` returns for the
number-th call of its kind (from 0), see FAULTS. Answers that do not come take no time: CLOCK says
how long they were waited for.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import tinker
from allot.tinker.probe import SEED

VOCABULARY = 8
END = 0
FAULTS = (
    "drop",  # no answer, ever
    "late",  # an answer after the client has given up
    "error",  # an exception in its place
    "refuse",  # one with status 400
    "double",  # every sequence twice
    "fewer",  # one sequence less
    "nan",  # a log-probability that is no number
    "short",  # one log-probability less than tokens
    "copies",  # all sequences are the first one
    "kill",  # the client's process ends before the call
    "kill after",  # the server has carried it out, and the client's process ends
    "die",  # the server ends before it has carried it out, and answers nobody until start()
    "die after",  # after it has carried it out, and before anybody is told
)
PATIENCE_S = 20.0  # of clients in the tests: when they have given up, late answers come


class Killed(BaseException):
    """Stands for the end of the client's process."""


class Refused(Exception):
    status_code = 400


class Gone(ConnectionError):
    """There is no server."""


class Clock:
    """Passes, for each thread alone, while it waits for an answer that does not come: limits are
    kept in no time, and no answer is late because the machine is busy."""

    def __init__(self) -> None:
        self._here = threading.local()

    def monotonic(self) -> float:
        return getattr(self._here, "now", 0.0)

    def wait(self, seconds: float) -> None:
        self._here.now = self.monotonic() + seconds


CLOCK = Clock()


class Unanswered(Future[Any]):
    """`late`: its result after PATIENCE_S; None: it has none, ever."""

    def __init__(self, late: Any = None) -> None:
        super().__init__()
        self._late, self._waited = late, 0.0

    def result(self, timeout: float | None = None) -> Any:
        if timeout is None or self.done():
            return super().result(timeout)
        CLOCK.wait(timeout)
        self._waited += timeout
        if self._late is not None and self._waited >= PATIENCE_S:
            self.set_result(self._late)
        raise TimeoutError


@dataclass
class Model:
    weights: np.ndarray  # [2, vocabulary, vocabulary]
    m: np.ndarray
    v: np.ndarray
    steps: int = 0
    gradient: np.ndarray | None = None
    rows: int = 0

    def copy(self) -> Model:
        return Model(self.weights.copy(), self.m.copy(), self.v.copy(), self.steps)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


@dataclass
class Server:
    """
    divisor: "sum"; "skyrl": mean over rows of the mean over a row's weighted positions; "batch":
    mean over all weighted positions of a call; "rows": mean over the rows of a call; "whiten": a
    sum after the advantages were scaled to a largest one of 1, which no rule covers.
    """

    divisor: str = "skyrl"
    takes_weights: bool = True
    names_norm: bool = True
    fault: Callable[[str, int], str | None] = lambda call, number: None
    saved: dict[str, Model] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    log: list[tuple[Any, ...]] = field(default_factory=list)
    most_in_flight: int = 0
    losses: list[list[float]] = field(default_factory=list)  # of every call, by row
    sampled: int = 0
    answers: dict[tuple[int, ...], Any] = field(default_factory=dict)  # by prompt and seed
    late: list[Unanswered] = field(default_factory=list)
    up: bool = True
    life: int = 0  # how often it was started again; it knows no client of an earlier life

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight = self._models = 0

    def start(self) -> None:
        """After it has died, with what was saved and nothing else."""
        self.up, self.life = True, self.life + 1

    def answer(
        self, call: str, work: Callable[[str | None], Any], life: int | None = None
    ) -> Future[Any]:
        """A future of work(fault), done or not as the fault has it. `life`: that in which the
        client was made; None: it is being made."""
        with self._lock:
            up = self.up
            fault = self.fault(call, self.calls[call]) if up else None
            self.calls[call] += up
            self._in_flight += call == "sample"
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
        if fault == "kill":
            raise Killed(call)
        future: Future[Any] = Future()
        try:
            if not up or fault == "die":
                self.up = False
                raise Gone(call)
            if life not in (None, self.life):
                raise Refused("no such model")
            if fault in ("error", "refuse"):
                raise {"error": RuntimeError, "refuse": Refused}[fault]("the server says no")
            with self._lock:
                value = work(fault)
            if fault == "kill after":
                raise Killed(call)
            if fault == "die after":
                self.up = False
                raise Gone(call)
            if fault == "late":
                future = Unanswered(value)
                self.late.append(future)
            elif fault == "drop":
                future = Unanswered()
            else:
                future.set_result(value)
        except Exception as error:
            future.set_exception(error)
        finally:
            with self._lock:
                self._in_flight -= call == "sample"
        return future

    def keep(self, prompt: list[int], seed: int, made: list[Any]) -> None:
        """One seed has one answer, however often it is asked for; but that of the start-up, which
        is asked for under other weights."""
        found = [(list(one.tokens), list(one.logprobs)) for one in made]
        if seed != SEED:
            assert self.answers.setdefault((*prompt, seed), found) == found

    def logps(self, weights: np.ndarray, tokens: list[int]) -> np.ndarray:
        """[positions, vocabulary] of the token after each."""
        return log_softmax(weights[0][tokens] + weights[1][tokens[0]])


class Service:
    def __init__(self, server: Server) -> None:
        self.server = server

    def get_server_capabilities(self) -> Any:
        found = SimpleNamespace(supported_models=[SimpleNamespace(model_name="fake")])
        return self.server.answer("capabilities", lambda _: found).result()

    def create_lora_training_client(self, base_model: str, rank: int, seed: int) -> Trainer:
        draw = np.random.Generator(np.random.PCG64(seed))
        weights = draw.normal(0, 0.3, (2, VOCABULARY, VOCABULARY))
        model = Model(weights, np.zeros_like(weights), np.zeros_like(weights))
        return self._client("create", model)

    def create_training_client_from_state_with_optimizer(self, path: str) -> Trainer:
        return self._client("resume", self.server.saved[path].copy())

    def _client(self, call: str, model: Model) -> Trainer:
        with self.server._lock:
            self.server._models += 1
            name = f"model-{self.server._models}"
        return self.server.answer(call, lambda _: Trainer(self.server, name, model)).result()


class Trainer:
    def __init__(self, server: Server, name: str, model: Model) -> None:
        self.server, self.name, self.model = server, name, model
        self.life = server.life

    def _answer(self, call: str, work: Callable[[str | None], Any]) -> Future[Any]:
        return self.server.answer(call, work, self.life)

    def save_weights_and_get_sampling_client(self) -> Sampler:
        weights = self.model.weights.copy()
        return self._answer("sampler", lambda _: Sampler(self.server, weights)).result()

    def save_state(self, name: str) -> Future[Any]:
        def work(fault: str | None) -> Any:
            path = f"tinker://{self.name}/weights/{name}"
            assert path not in self.server.saved, "a state is never overwritten"
            self.server.saved[path] = self.model.copy()
            return SimpleNamespace(path=path)

        return self._answer("save_state", work)

    def load_state_with_optimizer(self, path: str) -> Future[Any]:
        def work(fault: str | None) -> Any:
            self.model = self.server.saved[path].copy()
            return SimpleNamespace(path=path)

        return self._answer("load_state", work)

    def forward(self, data: Any, loss_fn: str, loss_fn_config: Any = None) -> Future[Any]:
        return self._answer("forward", lambda fault: self._pass(data, loss_fn, fault, False))

    def forward_backward(self, data: Any, loss_fn: str, loss_fn_config: Any = None) -> Future[Any]:
        return self._answer(
            "forward_backward", lambda fault: self._pass(data, loss_fn, fault, True)
        )

    def optim_step(self, adam_params: Any) -> Future[Any]:
        return self._answer("optim_step", lambda fault: self._step(adam_params, fault))

    def _pass(self, data: Any, loss_fn: str, fault: str | None, backward: bool) -> Any:
        assert data, "no rows"
        server, weights = self.server, self.model.weights
        if not server.takes_weights and any("weights" in one.loss_fn_inputs for one in data):
            raise Refused("unknown input weights")
        rows = [{key: value.tolist() for key, value in one.loss_fn_inputs.items()} for one in data]
        masks = [np.array(row.get("weights", np.ones(len(row["target_tokens"])))) for row in rows]
        total, outputs, losses = np.zeros_like(weights), [], list[float]()
        largest = max(np.abs(row["advantages"]).max() for row in rows) or 1
        for one, row, mask in zip(data, rows, masks):
            tokens, targets = one.model_input.to_ints(), np.array(row["target_tokens"])
            every = server.logps(weights, tokens)
            logps = every[np.arange(len(targets)), targets]
            advantage = np.array(row["advantages"]) * mask
            if server.divisor == "whiten":
                advantage = advantage / largest
            if server.divisor == "skyrl":
                advantage = advantage / mask.sum()
            if server.divisor == "batch":
                advantage = advantage / sum(m.sum() for m in masks)
            if server.divisor == "rows":
                advantage = advantage / len(rows)
            ratio = np.exp(logps - row["logprobs"])
            losses.append(-surrogates(ratio, advantage, loss_fn).sum())
            slope = slopes(ratio, advantage, loss_fn)
            for t, token in enumerate(tokens):
                push = -np.exp(every[t])
                push[targets[t]] += 1
                total[0, token] += slope[t] * push
                total[1, tokens[0]] += slope[t] * push
            logps = np.full_like(logps, np.nan) if fault == "nan" else logps
            logps = logps[: -1 if fault == "short" else None].astype(np.float32)
            outputs.append({"logprobs": tinker.TensorData.from_numpy(logps)})
        if backward:
            before = 0 if self.model.gradient is None else self.model.gradient
            self.model.gradient = before + total  # of what is maximised
            self.model.rows += len(rows)
            server.losses.append(losses)
            server.log.append(("rows", len(rows)))
        return SimpleNamespace(loss_fn_outputs=outputs[: -1 if fault == "fewer" else None])

    def _step(self, adam: Any, fault: str | None) -> Any:
        """AdamW as torch has it; the mean over all rows since the last step under "skyrl"."""
        model = self.model
        zero = np.zeros_like(model.weights)
        gradient = -(zero if model.gradient is None else model.gradient)
        if self.server.divisor == "skyrl":
            gradient = gradient / max(model.rows, 1)
        model.gradient, model.rows = None, 0
        model.steps += 1
        model.m = adam.beta1 * model.m + (1 - adam.beta1) * gradient
        model.v = adam.beta2 * model.v + (1 - adam.beta2) * gradient**2
        m = model.m / (1 - adam.beta1**model.steps)
        v = model.v / (1 - adam.beta2**model.steps)
        model.weights = model.weights - adam.learning_rate * m / (np.sqrt(v) + adam.eps)
        self.server.log.append(("step", adam.learning_rate))
        size = np.nan if fault == "nan" else float(np.sqrt((gradient**2).sum()))
        norm = {"fake/grad_norm": size}
        return SimpleNamespace(metrics=norm if self.server.names_norm else {})


def surrogates(ratio: np.ndarray, advantage: np.ndarray, loss: str) -> np.ndarray:
    """What is maximised, [positions]."""
    clipped = ratio if loss == "importance_sampling" else ratio.clip(0.8, 1.2)
    return np.minimum(ratio * advantage, clipped * advantage)


def slopes(ratio: np.ndarray, advantage: np.ndarray, loss: str) -> np.ndarray:
    """Derivative of the surrogate by the log-probability, [positions]."""
    if loss == "importance_sampling":
        return ratio * advantage
    assert loss == "ppo"
    outside = np.where(advantage > 0, ratio > 1.2, ratio < 0.8)
    return np.where(outside, 0.0, ratio * advantage)


class Sampler:
    def __init__(self, server: Server, weights: np.ndarray) -> None:
        self.server, self.weights, self.life = server, weights, server.life

    def sample(self, prompt: Any, num_samples: int, sampling_params: Any) -> Future[Any]:
        assert num_samples > 0, "a real server never answers this"
        tokens = prompt.to_ints()

        def work(fault: str | None) -> Any:
            made = [self._sequence(tokens, sampling_params, i) for i in range(num_samples)]
            self.server.keep(tokens, sampling_params.seed, made)
            made = [made[0]] * num_samples if fault == "copies" else made
            made = made * 2 if fault == "double" else made
            made = made[1:] if fault == "fewer" else made
            if fault in ("nan", "short"):
                made[0].logprobs = [*made[0].logprobs[:-1], *([np.nan] if fault == "nan" else [])]
            self.server.sampled += len(made)
            self.server.log.append(("sample", tuple(tokens), num_samples, sampling_params.seed))
            return SimpleNamespace(sequences=made)

        return self.server.answer("sample", work, self.life)

    def _sequence(self, prompt: list[int], params: Any, i: int) -> Any:
        draw = np.random.Generator(np.random.PCG64([params.seed, i]))
        tokens: list[int] = []
        logps: list[float] = []
        while len(tokens) < params.max_tokens and END not in tokens:
            logp = self.server.logps(self.weights, prompt + tokens)[-1]
            token = int(draw.choice(VOCABULARY, p=np.exp(logp) / np.exp(logp).sum()))
            tokens.append(token)
            logps.append(float(logp[token]))
        reason = "stop" if END in tokens else "length"
        return SimpleNamespace(tokens=tokens, logprobs=logps, stop_reason=reason)
