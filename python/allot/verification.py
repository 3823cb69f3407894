"""The verifiers of the built-in tasks, and the math verifier."""

from __future__ import annotations

from . import _core


def verify(task: str, response: str, *, answer: str, prompt: str = "") -> _core.Verdict:
    """Scores one response as the built-in task does.

    Args:
        task: a name of `allot.tasks()`; "jsonl" compares response and answer as text, "math" as
            mathematics (the answer is looked for in the response; docs/verifier.md).
        response: what the model wrote.
        answer: the reference answer; for countdown a solution, from which target and numbers are
            taken.
        prompt: what the model saw, for the reason of a refusal.
    """
    return _core.verify(task, response, answer, prompt)
