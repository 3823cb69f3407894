"""allot decides how the rollouts of RL post-training are spent.

    controller = allot.Controller("aero", explore=8)
    plan = controller.plan(prompts)
    while not plan.done:
        plan = controller.observe(outcomes, more_prompts=fetch(plan.refill))
    batch = controller.finalize()
    controller.feedback(updated=True)

`allot.methods()` lists the methods and their options, `allot.simulate()` compares them without a
language model. The manual is docs/python.md.
"""

from . import objective
from ._core import (
    Batch,
    Budget,
    Group,
    Groups,
    Host,
    Method,
    Needs,
    Option,
    Outcome,
    Outcomes,
    Plan,
    Prompt,
    PromptRecord,
    Records,
    Report,
    Reports,
    Request,
    Requests,
    Task,
    Verdict,
    anchors,
    method,
    methods,
    prompt_id,
    shared_options,
    tasks,
    zero_causes,
)
from ._core import version as __version__
from .controller import Controller
from .errors import ConfigError, DataError, Error, InternalError, ModelError, SamplerError
from .simulation import simulate
from .verification import verify

# What the codes in the columns `anchor` of a batch and `cause` of its reports stand for.
ANCHORS: tuple[str, ...] = tuple(anchors())
ZERO_CAUSES: tuple[str, ...] = tuple(zero_causes())

__all__ = [
    "ANCHORS",
    "Batch",
    "Budget",
    "ConfigError",
    "Controller",
    "DataError",
    "Error",
    "Group",
    "Groups",
    "Host",
    "InternalError",
    "Method",
    "ModelError",
    "Needs",
    "Option",
    "Outcome",
    "Outcomes",
    "Plan",
    "Prompt",
    "PromptRecord",
    "Records",
    "Report",
    "Reports",
    "Request",
    "Requests",
    "SamplerError",
    "Task",
    "Verdict",
    "ZERO_CAUSES",
    "__version__",
    "method",
    "methods",
    "objective",
    "prompt_id",
    "shared_options",
    "simulate",
    "tasks",
    "verify",
]
