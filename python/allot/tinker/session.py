"""The steps of a run: plan, rounds of rollouts, batch, update, feedback; saved and continued."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import allot

from .. import statefile
from ..causes import CauseWarnings
from ..draws import Draws
from ..held import Held
from ..watch import ConstantRewards
from .engine import Engine
from .inputs import controller_of, decoder, encoded, index_of, keywords_of
from .rollouts import Rollout, Sampler
from .scoring import Reward, Scorer, outcomes_of
from .update import update

log = logging.getLogger("allot.tinker")
WIDE = 0.1  # a difference of log-probabilities that rounding does not explain
WITHOUT = "an empty folder begins a new run"


class Session:
    """Decides with a Controller what an Engine samples and trains.

    Args:
        engine: the model; its rule must be known before the first step.
        data: rows with "prompt" (text, messages or token ids) and any columns for the reward; to be
            indexed.
        reward: see Scorer.
        allocation: a method's name, or {"method": name, option: value, ..}.
        steps: the run is planned for, for methods that plan ahead; 0: unknown.
        tokenizer: with encode, decode and, for messages, apply_chat_template; None: prompts are
            token ids, and completions are, too.
        budget: of a step, in the place of groups x group_size rollouts.
    """

    def __init__(
        self,
        engine: Engine,
        data: Sequence[Mapping[str, Any]],
        reward: Reward,
        allocation: str | Mapping[str, Any],
        steps: int = 0,
        tokenizer: Any = None,
        budget: allot.Budget | None = None,
    ) -> None:
        settings = engine.settings
        self.engine, self._tokenizer = engine, tokenizer
        self.index = index_of(data, settings)
        keywords = keywords_of(allocation, settings)
        self.controller = controller_of(keywords, settings, len(self.index), steps, budget)
        # What a checkpoint is compared with.
        self._same = {
            **statefile.in_force("allocation", keywords.pop("method"), keywords),
            **settings.same_when_resumed(),
            "budget": None if budget is None else repr(budget),
        }
        needs = self.controller.needs
        self._draws = Draws(
            needs, self.index, settings.groups, settings.seed, settings.embedding, "tinker"
        )
        self._rounds = Sampler(settings)
        self._scorer = Scorer(reward, settings, decoder(tokenizer))
        self._held: Held[Rollout] = Held(settings.replay_mib, size_of)
        self._causes = CauseWarnings("tinker")
        self._constant = ConstantRewards([getattr(reward, "__name__", "reward")])
        self._gap_told = False
        self._broken = False

    @property
    def sampler(self) -> Any:
        """The sampling client of the present weights, for evaluation too."""
        return self.engine.sampler()

    def step(self) -> dict[str, float]:
        """One step; returns its metrics. After an error the session is of no more use: the step is
        half done here or on the server."""
        if self._broken:
            raise allot.InternalError(
                "[tinker] the step before this one was not finished; a session that is loaded from "
                "its last checkpoint is needed"
            )
        self._broken = True
        controller, repeated = self.controller, self._rounds.repeated
        step, fresh = controller.step, list[Rollout]()
        plan = controller.plan(self._draws.draw(step), lost=self._held.take_lost())
        while not plan.done:
            found = self._round(plan.generate, step) if len(plan.generate) else []
            if not found and plan.refill == 0:
                raise allot.InternalError("[tinker] the plan asks for nothing and is not done")
            fresh += found
            more = self._draws.more(plan.refill) if plan.refill else None
            outcomes = outcomes_of(found) if found else None
            plan = controller.observe(outcomes, more_prompts=more)
        batch = controller.finalize()
        rollouts = {**self._held.held, **{rollout.id: rollout for rollout in fresh}}
        done = update(self.engine, batch, rollouts, {rollout.id for rollout in fresh}, step)
        controller.feedback(done.made, mean_reward=mean_reward(fresh), items=done.items)
        self._held.update(batch, rollouts)
        self._broken = False
        self._causes.step(controller.metrics(), step)
        self._warn(fresh, done.metrics.get("tinker/logprob_gap", 0.0))
        requests = {"tinker/requests_repeated": float(self._rounds.repeated - repeated)}
        return {**controller.metrics(), **done.metrics, **requests}

    def save(self, folder: statefile.Folder, server_state: str) -> None:
        """The file that goes with `server_state`, what Engine.save returned."""
        header = {
            "server_state": server_state,
            "settings": self._same,
            "draws": self._draws.state(),
            "held": [described(rollout) for rollout in self._held.held.values()],
            "lost": self._held.lost,
        }
        statefile.save(folder, header, self.controller.save(self.index.hash))

    def load(self, folder: statefile.Folder) -> None:
        """Everything but the model, which the Engine was made from."""
        header, controller = statefile.load(folder, "tinker", WITHOUT)
        statefile.refuse_changes(folder, "tinker", header["settings"], self._same, WITHOUT)
        self.controller.load(controller, self.index.hash)
        self._draws.load(header["draws"])
        held = {one["id"]: self._rollout(one) for one in header["held"]}
        self._held.load(held, header["lost"])

    # ------------------------------------------------------------------ its parts

    def encode(self, prompt: int) -> list[int]:
        """Token ids of a prompt of the data, by its id."""
        return encoded(self._draws.row(prompt)["prompt"], self._tokenizer)

    def _round(self, requests: allot.Requests, step: int) -> list[Rollout]:
        found = self._rounds.round(self.engine.sampler(), requests, step, self.encode)
        if found:
            self._scorer.score(found, self._draws.row)
        return found

    def _warn(self, fresh: list[Rollout], gap: float) -> None:
        rewards = ([float("nan") if one.reward is None else one.reward] for one in fresh)
        for warning in self._constant.step(rewards):
            log.warning("[tinker] %s", warning)
        if gap > WIDE and not self._gap_told:
            self._gap_told = True
            log.warning(
                "[tinker] the sampler's log-probabilities and the trainer's differ by up to %.2g; "
                "the importance ratio begins at another value than 1",
                gap,
            )

    def _rollout(self, saved: dict[str, Any]) -> Rollout:
        return Rollout(prompt_ids=self.encode(saved["prompt"]), **saved)


def mean_reward(rollouts: list[Rollout]) -> float:
    scored = [one.reward for one in rollouts if one.reward is not None and not one.error]
    return sum(scored) / len(scored) if scored else 0.0


def size_of(rollout: Rollout) -> int:
    """Bytes, roughly: Python's lists of numbers and the text."""
    tokens = len(rollout.prompt_ids) + 2 * len(rollout.tokens)
    return 40 * tokens + 4 * len(str(rollout.completion)) + 1024


def described(rollout: Rollout) -> dict[str, Any]:
    """As JSON; the prompt's tokens are made again from the data."""
    names = ("id", "prompt", "round", "tokens", "logps", "truncated", "reward", "correct")
    return {name: getattr(rollout, name) for name in names}
