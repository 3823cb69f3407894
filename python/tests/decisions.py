"""What a Controller decided, as plain values that can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def trace(event: tuple[str, Any]) -> Any:
    """What an event decided: a plan, a batch, or the policy's version after the feedback."""
    kind, value = event
    if kind in ("plan", "observe"):
        rows = [(r.prompt, r.first, r.n, r.first_seq, r.tag, r.round) for r in value.generate]
        return kind, rows, value.cancel.tolist(), value.refill, value.done
    if kind == "finalize":
        return (
            kind,
            value.rollout.tolist(),
            value.advantage.tolist(),
            value.weight.tolist(),
            value.anchor.tolist(),
            value.offsets.tolist(),
            value.hold.tolist(),
            value.norm,
        )
    return kind, value


class Log:
    """Stands in the place of a Controller and keeps all that it decides."""

    def __init__(self, controller: Any) -> None:
        self._controller = controller
        self.steps: list[tuple[int, list[Any]]] = []  # number of the step, its decisions so far

    def __getattr__(self, name: str) -> Any:
        return getattr(self._controller, name)

    def plan(self, *given: Any, **named: Any) -> Any:
        self.steps.append((self._controller.step, []))
        return self._noted("plan", self._controller.plan(*given, **named))

    def observe(self, *given: Any, **named: Any) -> Any:
        return self._noted("observe", self._controller.observe(*given, **named))

    def finalize(self) -> Any:
        return self._noted("finalize", self._controller.finalize())

    def _noted(self, kind: str, value: Any) -> Any:
        self.steps[-1][1].append(trace((kind, value)))
        return value


def check_same(logs: Sequence[Log], whole: Log) -> None:
    """Logs of a run that was stopped and went on, in order, against that of one that never was: a
    step that was cut off begins as it does there, and every step is there in full."""
    wanted, complete = dict(whole.steps), set()
    for step, found in (one for log in logs for one in log.steps):
        assert found == wanted[step][: len(found)], f"step {step} was decided differently"
        if len(found) == len(wanted[step]):
            complete.add(step)
    assert complete == set(wanted)
