"""The Controller, typed: the four verbs that a host calls, and what surrounds them."""

from __future__ import annotations

from . import _core

TYPE_CHECKING = False  # importing typing at run time would take longer than the rest of allot
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .arguments import OutcomesLike, PromptsLike


class Controller:
    """Decides how the rollouts of a run are spent, by one method.

    Args:
        method: a name of `allot.methods()`, or a combination like "mopps+aero", whose first part
            chooses the prompts and whose second does the rest.
        budget: what a step may spend, unless `plan` is given one of its own. Without one a step
            wants a group per prompt shown and `group_size` rollouts per group.
        host: what the host can serve; everything if left out. A method that needs more is refused.
        seed: of the method's own random draws.
        data_size: prompts in the data set, for the metric ledger/unseen; 0 = unknown.
        success_threshold: where outcomes bring no `correct`, a larger reward counts as correct.
        options: the method's options (`allot.method("aero").options`) and those of all methods
            (`allot.shared_options()`), e.g. explore=8, group_size=16, adv={"scale": "none"}.

    Decisions depend on seed, prompts and outcomes alone, not on time or on the order of outcomes.
    One thread at a time may be inside; other Python threads run meanwhile.
    """

    __slots__ = ("_core",)

    def __init__(
        self,
        method: str,
        *,
        budget: _core.Budget | None = None,
        host: _core.Host | None = None,
        seed: int = 0,
        data_size: int = 0,
        success_threshold: float = 0.5,
        **options: object,
    ) -> None:
        self._core = _core.Controller(
            method, budget, host, seed, data_size, success_threshold, options
        )

    def plan(
        self,
        prompts: PromptsLike,
        *,
        budget: _core.Budget | None = None,
        policy: int | None = None,
        lost: Sequence[int] | None = None,
    ) -> _core.Plan:
        """Opens a step and says what to generate first.

        Args:
            prompts: the candidates: ids below 2**63 (a sequence or an array), strings (hashed by
                `allot.prompt_id`) or `allot.Prompt`; distinct. `needs` says how many to show:
                candidate_factor per group wanted, or all (draw "pool").
            budget: of this step.
            policy: version of the policy that generates, in optimizer updates so far. Left out, it
                is counted from `feedback`.
            lost: held rollouts that the host could not keep.
        """
        return self._core.plan(prompts, budget, policy, lost)

    def observe(
        self,
        outcomes: OutcomesLike | None = None,
        *,
        more_prompts: PromptsLike | None = None,
        deadline: bool = False,
    ) -> _core.Plan:
        """Reports outcomes, in any order, and says what to do next.

        Args:
            outcomes: a mapping of columns [rollouts] or `allot.Outcomes`, or a sequence of
                `allot.Outcome` or of dicts; each rollout that was asked for exactly once.
                Columns: id, reward (None or NaN: not scorable; an exception: the verifier failed),
                prompt, correct, tokens, status, scoring, parsed, answer_class, mean_logprob,
                mean_entropy, behaviour, parts; all but id and reward may be left out.
            more_prompts: the answer to `plan.refill`, at most that many; none says that there are
                no more.
            deadline: nothing more is waited for; the plan returned is done.
        """
        return self._core.observe(outcomes, more_prompts, bool(deadline))

    def finalize(self) -> _core.Batch:
        """Closes generation and says what to train on; legal at any time after `plan`."""
        return self._core.finalize()

    def feedback(
        self,
        updated: bool,
        *,
        policy: int | None = None,
        mean_reward: float = 0.0,
        mean_entropy: float = 0.0,
        items: Mapping[str, object] | None = None,
    ) -> None:
        """Ends the step, also one whose update was skipped.

        Args:
            updated: whether the optimizer made a step.
            policy: version of the policy now; left out: one more if updated.
            mean_reward: of the step's rollouts.
            mean_entropy: of the policy over them.
            items: columns rollout, ratio and clip_fraction [items], for methods that use them.
        """
        self._core.feedback(
            bool(updated), policy, mean_reward, mean_entropy, None if items is None else dict(items)
        )

    def metrics(self) -> dict[str, float]:
        """Metrics of the last finalized step, and the method's own under alloc/<method>/."""
        return self._core.metrics()

    def records(self) -> _core.Records:
        """What is known of every prompt asked so far, as columns [prompts], by prompt id."""
        return self._core.records()

    def record(self, prompt: int | str) -> _core.PromptRecord | None:
        """What is known of one prompt; None before its first finalized request."""
        return self._core.record(prompt)

    def save(self, dataset_hash: int = 0) -> bytes:
        """All state, at any event. `dataset_hash`: any number that stands for the data."""
        return self._core.save(dataset_hash)

    def load(self, blob: bytes, dataset_hash: int = 0) -> None:
        """Continues from `save`; of another method, seed or data set it is a ModelError."""
        self._core.load(blob, dataset_hash)

    @property
    def needs(self) -> _core.Needs:
        """What the method asks of its host."""
        return self._core.needs

    @property
    def method(self) -> str:
        """Name of the method."""
        return self._core.method

    @property
    def step(self) -> int:
        """Number of the open step, else of the one that waits for its feedback, else the next."""
        return self._core.step

    @property
    def policy(self) -> int:
        """Version of the policy, as far as it was told."""
        return self._core.policy

    def __repr__(self) -> str:
        return f"allot.Controller({self.method!r}, step={self.step})"
