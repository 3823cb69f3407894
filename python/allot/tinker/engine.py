"""The model on the server: one training client, the sampler of its present weights, and the calls
of the adapter to both, each with its time limit and its answer checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import allot
import numpy as np
import tinker
from numpy.typing import NDArray

from ..adapters import check_version
from ..deadline import Deadline
from . import guard
from .rows import Row, datum
from .rule import Rule
from .settings import Settings

Logps = NDArray[np.float32]
FIRST_ANSWER_S = 30.0  # a server that has nothing to do yet
AGAIN = "the run goes on from its last checkpoint when it is started again"


class Engine:
    """
    Args:
        service: a tinker.ServiceClient.
        base_model: as the server calls it.
        rank: of the LoRA adapter.
        state: a path of `save` to go on from; None: fresh weights from `init_seed`.

    Training calls are never repeated: one that timed out may still be carried out, and its gradient
    would count twice. They raise SamplerError, and the caller goes back to a saved state.
    """

    def __init__(
        self,
        service: Any,
        base_model: str,
        rank: int,
        settings: Settings,
        state: str | None = None,
        init_seed: int = 0,
    ) -> None:
        check_version("tinker", settings.untested, "untested=True")
        guard.check(service, guard.SERVICE)
        reach(service, base_model, settings.timeout_s)
        self.settings = settings
        self._deadline = Deadline(settings.timeout_s)
        self.rule: Rule | None = None  # by what the server divides its loss
        self.with_weights = True  # whether the server is sent weights
        self._sampler: Any = None
        if state is None:
            create = partial(
                service.create_lora_training_client,
                base_model=base_model,
                rank=rank,
                seed=init_seed,
            )
        else:
            create = partial(service.create_training_client_from_state_with_optimizer, path=state)
        self.trainer = guard.check(self._client(create), guard.TRAINER)

    @property
    def known_rule(self) -> Rule:
        if self.rule is None:
            raise allot.InternalError(
                "[tinker] by what the server divides its loss is not known. "
                "Hint: engine.use(allot.tinker.measure(engine, tokens))"
            )
        return self.rule

    def use(self, rule: Rule) -> None:
        """From now on the rule of the server's loss."""
        self.rule, self.with_weights = rule, rule.weights

    def sampler(self) -> Any:
        """The sampling client of the present weights, the same object until they change."""
        if self._sampler is None:
            create = self.trainer.save_weights_and_get_sampling_client
            made = guarded(create.__name__, lambda: self._deadline.call(create))
            self._sampler = guard.check(made, guard.SAMPLER)
        return self._sampler

    def forward(self, rows: Sequence[Row]) -> list[Logps]:
        """Log-probabilities of the rows' tokens under the present weights."""
        return self._pass("forward", rows)

    def forward_backward(self, rows: Sequence[Row]) -> list[Logps]:
        """Adds the gradient of one call; returns what `forward` would have."""
        return self._pass("forward_backward", rows)

    def optim_step(self, learning_rate: float) -> dict[str, float]:
        """The metrics that the server returns with it."""
        self._sampler = None
        adam = tinker.AdamParams(learning_rate=learning_rate, **self.settings.adam)
        answer = self._result("optim_step", lambda: self.trainer.optim_step(adam))
        metrics = {name: float(value) for name, value in (answer.metrics or {}).items()}
        if not all(map(math.isfinite, metrics.values())):
            raise allot.SamplerError(
                f"[tinker] optim_step returned {metrics}; finite numbers are needed, or the "
                f"weights are lost. Hint: {AGAIN}"
            )
        return metrics

    def save(self, name: str) -> str:
        """Weights and optimizer; returns the server's path of them."""
        return str(self._result("save_state", lambda: self.trainer.save_state(name)).path)

    def restore(self, state: str) -> None:
        self._sampler = None
        self._result("load_state", lambda: self.trainer.load_state_with_optimizer(state))

    def _pass(self, call: str, rows: Sequence[Row]) -> list[Logps]:
        if not rows:
            raise allot.InternalError(f"[tinker] {call} was given no rows; one or more is needed")
        data = [datum(row, self.with_weights) for row in rows]
        settings = self.settings
        config = None if settings.loss_config is None else dict(settings.loss_config)
        answer = self._result(
            call, lambda: getattr(self.trainer, call)(data, settings.loss, config)
        )
        outputs = answer.loss_fn_outputs
        if len(outputs) != len(rows):
            raise allot.SamplerError(
                f"[tinker] {call} answered {len(rows)} rows with {len(outputs)} outputs; one for "
                f"each is needed. Hint: {AGAIN}"
            )
        return [self._logps(call, row, output) for row, output in zip(rows, outputs)]

    def _logps(self, call: str, row: Row, output: Any) -> Logps:
        found = np.asarray(output["logprobs"].data, np.float32) if "logprobs" in output else None
        if found is None or len(found) != row.positions:
            raise allot.SamplerError(
                f"[tinker] {call} returned {0 if found is None else len(found)} log-probabilities "
                f"for a row of {row.positions} positions; one for each is needed. "
                f"Hint: {AGAIN}"
            )
        found = found[row.positions - len(row.tokens) :]
        if not np.isfinite(found).all():
            raise allot.SamplerError(
                f"[tinker] {call} returned log-probabilities that are no finite numbers; the "
                f"weights on the server are not usable. Hint: {AGAIN}"
            )
        return found

    def _client(self, create: Any) -> Any:
        """A training client, from a call that has no time limit of its own."""
        try:
            return self._deadline.call(create)
        except Exception as error:
            given = ", ".join(f"{name}={value!r}" for name, value in create.keywords.items())
            raise allot.SamplerError(
                f"[tinker] {create.func.__name__}({given}) failed: {described(error)}; a training "
                f"client is needed. Hint: does the server know what was named, allow that rank, "
                f"and have a place free? Those of ended clients are freed after some minutes"
            ) from error

    def _result(self, call: str, submit: Any) -> Any:
        return guarded(call, lambda: submit().result(timeout=self.settings.timeout_s))


def reach(service: Any, base_model: str, timeout_s: float) -> None:
    """Refuses a server that does not answer, or that names its models and this one is none of them;
    a server that does not know the question is taken as it is."""
    ask = getattr(service, "get_server_capabilities", None)
    if ask is None:
        return
    try:
        found = Deadline(min(timeout_s, FIRST_ANSWER_S)).call(ask)
    except Exception as error:
        if getattr(error, "status_code", None) is not None:
            return
        raise allot.SamplerError(
            f"[tinker] the server does not answer: {described(error)}; one that runs is needed. "
            f"Hint: base_url and api_key of the ServiceClient; a local server is asked by "
            f"curl URL/api/v1/healthz"
        ) from error
    names = [one.model_name for one in found.supported_models if one.model_name]
    if names and base_model not in names:
        raise allot.ConfigError(
            f"[tinker] base_model is {base_model!r}; one of {', '.join(names)} is needed. "
            f"Hint: it is spelled as it was for the server"
        )


def guarded(call: str, make: Any) -> Any:
    """What make() returns; whatever the client raises becomes a SamplerError."""
    try:
        return make()
    except Exception as error:
        raise allot.SamplerError(
            f"[tinker] {call} failed: {described(error)}; it is not repeated, because it may have "
            f"been carried out. Hint: {AGAIN}"
        ) from error


def described(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300].rstrip(": ")
