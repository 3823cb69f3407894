"""The one owner of the Controller, between the trainer and all agent-loop workers.

verl's workers run a prompt each, from its first rollout to its last, on several processes; a method
decides over all of them together. So every worker reports what became of a prompt's rollouts here
and waits for an answer: more of them, or no more. The trainer asks here which prompts to submit.
Nothing depends on the order in which anybody calls: outcomes reach the method in the order they
were asked for, and a round is decided when all of it is in.

An actor of Ray runs it; every method is one asyncio task at a time between two awaits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import allot
import numpy as np
from numpy.typing import NDArray

from ..replay import ReadyGroup, groups_of

if TYPE_CHECKING:
    from .candidates import Shown


@dataclass(frozen=True)
class Wanted:
    """Rollouts of one prompt, with the sequence numbers first .. first + n - 1 of the step."""

    first: int
    n: int
    temperature: float  # below 0: verl's setting


@dataclass(frozen=True)
class Start:
    """A prompt to be submitted; its worker fetches what is wanted of it."""

    uid: str
    prompt: int
    n: int


@dataclass(frozen=True)
class Wish:
    """What the trainer does next."""

    starts: tuple[Start, ...] = ()
    refill: int = 0  # further prompts to be shown
    done: bool = False  # nothing is running any more; finalize() comes next


@dataclass(frozen=True)
class Made:
    """A rollout, as far as decisions need it."""

    session: str  # "{uid}_{sequence number}": its rows in the transfer queue begin with that
    prompt: int
    version: int  # of the policy that generated it
    tokens: int
    reward: float | None
    metric: float | None  # what verl's filter_groups looks at


@dataclass(frozen=True)
class Shipment:
    """A finalized step."""

    groups: list[ReadyGroup]
    made: dict[int, Made]  # of every rollout that is trained on or held
    hold: NDArray[np.int64]
    release: NDArray[np.int64]
    flat: set[int]  # prompts of several rollouts whose metric has one value, failures left out
    unmeasured: int  # rollouts of the step that have a reward and no value of the metric
    metrics: dict[str, float]


class Owner:
    """Args: those of allot.Controller; `host`: fields of allot.Host, `options`: the method's."""

    def __init__(
        self, method: str, options: Mapping[str, Any], host: Mapping[str, Any], **arguments: Any
    ) -> None:
        self.controller = allot.Controller(method, host=allot.Host(**host), **arguments, **options)
        self._changed = asyncio.Condition()
        self._held: dict[int, Made] = {}
        self._reset()

    def _reset(self) -> None:
        self._ids: dict[tuple[str, int], int] = {}  # (uid, sequence number): rollout
        self._made: dict[int, Made] = {}  # of the step, as far as reported
        self._failures: list[str] = []  # why rollouts of the step have no score
        self._wanted: dict[str, list[Wanted]] = {}  # not fetched by their worker yet
        self._starts: list[Start] = []  # not fetched by the trainer yet
        self._running: dict[str, int] = {}  # uid: its prompt
        self._waiting: list[dict[str, Any]] = []  # outcomes that wait for further prompts
        self._outstanding: set[int] = set()
        self._refill = 0
        self._done = False
        self._error: Exception | None = None

    # ---------------------------------------------------------------------------- the trainer

    async def plan(
        self,
        prompts: Sequence[Shown],
        budget: Mapping[str, int],
        lost: Sequence[int],
    ) -> None:
        """Opens a step. prompts: id, epoch, embedding, prior pass rate."""
        self._reset()
        for one in lost:
            self._held.pop(one, None)
        self._take(
            self.controller.plan(
                shown(prompts), budget=allot.Budget(**budget) if budget else None, lost=lost
            )
        )

    async def wait(self) -> Wish:
        """Until there is something to do for the trainer."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: (
                    self._error
                    or self._starts
                    or self._refill
                    or (self._done and not self._running)
                )
            )
        if self._error:
            raise self._error
        starts, self._starts = tuple(self._starts), []
        return Wish(starts, self._refill, self._done and not self._running and not starts)

    async def more(self, prompts: Sequence[Shown]) -> None:
        """Answers a refill wish; fewer prompts, or none, say that the data set has no more."""
        self._refill = 0
        rows, self._waiting = self._waiting, []
        async with self._changed:
            self._decide(columns(rows), shown(prompts))
            self._changed.notify_all()

    async def finalize(self) -> Shipment:
        """Raises DataError where every rollout of the step failed."""
        if self._made and len(self._failures) == len(self._made):
            raise allot.DataError(
                f"[verl] none of the {len(self._made)} rollouts of the step could be generated and "
                f"scored: {self._failures[0]}; a score for some of them is needed"
            )
        batch = self.controller.finalize()
        everything = {**self._held, **self._made}
        hold, release = batch.hold.copy(), batch.release.copy()
        shipment = Shipment(
            groups_of(
                batch,
                lambda i: everything[i].tokens,
                lambda i: everything[i].version,
                lambda i: i not in self._made,
            ),
            {i: everything[i] for i in {*batch.rollout.tolist(), *hold.tolist()}},
            hold,
            release,
            flat_prompts({**{i: everything[i] for i in batch.rollout.tolist()}, **self._made}),
            sum(one.reward is not None and one.metric is None for one in self._made.values()),
            self.controller.metrics(),
        )
        for one in release.tolist():
            self._held.pop(one, None)
        self._held.update((one, everything[one]) for one in hold.tolist())
        return shipment

    async def feedback(self, updated: bool) -> None:
        rewards = [one.reward for one in self._made.values() if one.reward is not None]
        mean = sum(rewards) / len(rewards) if rewards else 0.0
        self.controller.feedback(updated, mean_reward=mean)

    async def needs(self) -> dict[str, Any]:
        names = [name for name in dir(allot.Needs) if not name.startswith("_")]
        return {name: getattr(self.controller.needs, name) for name in names}

    async def step(self) -> tuple[int, int]:
        """Number of the step, version of the policy."""
        return self.controller.step, self.controller.policy

    async def records(self) -> dict[int, tuple[float, float]]:
        """Successes and trials of every prompt asked so far."""
        return {one.prompt: (one.successes, one.trials) for one in self.controller.records()}

    async def save(self, dataset_hash: int) -> dict[str, Any]:
        return {
            "controller": self.controller.save(dataset_hash),
            "held": {i: vars(one) for i, one in self._held.items()},
        }

    async def load(self, state: dict[str, Any], dataset_hash: int) -> None:
        self.controller.load(state["controller"], dataset_hash)
        self._reset()
        self._held = {i: Made(**one) for i, one in state["held"].items()}

    # ---------------------------------------------------------------------------- the workers

    async def start(self, uid: str) -> list[Wanted]:
        """What a worker begins a prompt with."""
        return self._wanted.pop(uid, [])

    async def observe(self, uid: str, outcomes: Sequence[Mapping[str, Any]]) -> list[Wanted]:
        """Reports rollouts of a prompt; returns what else is wanted of it, in time; none: no more.

        outcomes: seq, tokens, status, scoring, reward, metric, correct, mean_logprob; failure: why
        it was not generated, or not scored.
        """
        rows = [self._row(uid, one) for one in outcomes]
        async with self._changed:
            self._report(rows)
            self._changed.notify_all()
            await self._changed.wait_for(lambda: uid in self._wanted or self._done)
        return self._wanted.pop(uid, [])

    async def close(self, uid: str) -> None:
        """The worker has nothing to do with the prompt any more. What it has not reported has
        failed; if the method then wants more of the prompt, the trainer submits it anew."""
        async with self._changed:
            rows = [self._row(uid, failed(seq)) for seq in self._unreported(uid)]
            self._wanted.pop(uid, None)
            self._running.pop(uid, None)
            self._report(rows)
            self._changed.notify_all()

    # ---------------------------------------------------------------------------- inside

    def _unreported(self, uid: str) -> list[int]:
        """Sequence numbers of a prompt's rollouts that nobody has said anything about."""
        if uid not in self._running:
            return []
        waits = self._outstanding.difference(self._made)
        return [seq for (of, seq), rollout in self._ids.items() if of == uid and rollout in waits]

    def _report(self, rows: list[dict[str, Any]]) -> None:
        if self._refill:  # the next observe() of the Controller has to answer that
            self._waiting += rows
        elif rows and not self._done:
            self._decide(columns(rows))

    def _row(self, uid: str, outcome: Mapping[str, Any]) -> dict[str, Any]:
        rollout = self._ids[uid, outcome["seq"]]
        self._made[rollout] = Made(
            f"{uid}_{outcome['seq']}",
            self._running[uid],
            self.controller.policy,
            outcome["tokens"],
            outcome["reward"],
            outcome["metric"],
        )
        row = {"id": rollout, **outcome}
        del row["seq"], row["metric"]
        failure = row.pop("failure", None)
        self._failures += [failure] if failure else []
        return row

    def _decide(self, outcomes: Any, more: list[allot.Prompt] | None = None) -> None:
        """Raises nothing: an error in here is the trainer's, not that of the worker who calls."""
        try:
            self._outstanding.difference_update(outcomes["id"] if outcomes else ())
            self._take(self.controller.observe(outcomes, more_prompts=more))
        except Exception as error:
            self._error, self._done = error, True

    def _take(self, plan: allot.Plan) -> None:
        uids = {prompt: uid for uid, prompt in self._running.items()}
        for request in plan.generate:
            uid = uids.get(request.prompt)
            if uid is None:
                uid = f"allot{self.controller.step:x}p{request.prompt:016x}"
                uids[request.prompt] = uid
                self._running[uid] = request.prompt
                self._starts.append(Start(uid, request.prompt, request.n))
            wanted = Wanted(request.first_seq, request.n, request.temperature)
            self._wanted.setdefault(uid, []).append(wanted)
            for i in range(request.n):
                self._ids[uid, request.first_seq + i] = request.first + i
            self._outstanding.update(range(request.first, request.first + request.n))
        self._refill, self._done = plan.refill, plan.done
        if not plan.done and not self._refill and not self._outstanding:
            raise allot.InternalError("[verl] the plan asks for nothing and is not done")


def flat_prompts(made: Mapping[int, Made]) -> set[int]:
    """Of rollouts of a step and earlier ones that are trained on with them."""
    values: dict[int, list[float | None]] = {}
    for one in made.values():
        values.setdefault(one.prompt, []).append(one.metric)
    return {
        prompt
        for prompt, found in values.items()
        if len(found) > 1 and len(set(found) - {None}) <= 1
    }


def failed(seq: int) -> dict[str, Any]:
    """The outcome of a rollout whose worker has gone."""
    return {
        "seq": seq,
        "status": "failed",
        "scoring": "scored",
        "tokens": 0,
        "reward": None,
        "metric": None,
        "mean_logprob": 0.0,
        "failure": "its agent loop ended without a report",
    }


def shown(prompts: Sequence[Shown]) -> list[allot.Prompt]:
    return [
        allot.Prompt(i, epoch=epoch, embedding=embedding, prior_pass_rate=rate)
        for i, epoch, embedding, rate in prompts
    ]


def columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Outcomes as allot.Controller.observe() takes them; None where there are none. Those of
    rollouts that nobody reported do not say whether they are correct, and are not."""
    if not rows:
        return None
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name, False) for row in rows] for name in names}
