"""Groups that are ready to train and wait: the buffer between a host that generates ahead of its
updates, or more than one update takes, and those updates.

A batch of the Controller goes in whole, as groups, each with the policy versions that generated its
rollouts. An update takes the oldest groups that are still fresh enough; what it leaves is surplus
and is kept; what has become too old is thrown away and counted. Nothing is trained on twice.

A version counts optimizer updates. The staleness of a rollout is the version of the policy that an
update starts from, minus the version that generated it: 0 is on-policy. A rollout that is older
than the update's policy has its importance ratio against the policy that generated it, whose
log-probabilities the host has to keep with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import allot

BEHAVIOUR = allot.ANCHORS.index("behaviour")


@dataclass(frozen=True)
class Ready:
    """A rollout to train on."""

    rollout: int
    advantage: float
    weight: float  # the method's, apart from the advantage
    omega: float  # the normaliser, per trained token: Batch.token_weights
    behaviour: int  # version of the policy that generated it
    anchored: bool  # the ratio is against that policy
    replayed: bool = False  # the method itself took it from an earlier step


@dataclass(frozen=True)
class ReadyGroup:
    """The rollouts of one prompt that are trained together, never apart."""

    prompt: int
    items: tuple[Ready, ...]
    norm: str  # of the batch it comes from
    share: float  # its part of what that norm divides by: tokens, items, 1 group; 0: a constant
    total: float  # the whole of it, over the batch

    @property
    def oldest(self) -> int:
        """The lowest version among its rollouts, which says who goes first. Those that the method
        itself took from earlier steps count only where there are no others."""
        own = self._own()
        return min(own) if own else max(item.behaviour for item in self.items)

    def staleness(self, policy: int) -> int:
        """Updates that it lies behind. What the method itself took from earlier steps is as old as
        the method wants it to be (it has a limit of its own): a group of nothing else is fresh."""
        own = self._own()
        return policy - min(own) if own else 0

    def _own(self) -> list[int]:
        return [item.behaviour for item in self.items if not item.replayed]


def groups_of(
    batch: allot.Batch,
    tokens: Callable[[int], int],
    behaviour: Callable[[int], int],
    replayed: Callable[[int], bool] = lambda rollout: False,
) -> list[ReadyGroup]:
    """A finalized batch as groups. Of a rollout: its trained tokens, the version that generated it,
    whether it is of an earlier step."""
    ids = batch.rollout.tolist()
    lengths = [tokens(rollout) for rollout in ids]
    omega = batch.token_weights(lengths).tolist() if ids else []
    columns = zip(
        ids, batch.advantage.tolist(), batch.weight.tolist(), omega, batch.anchor.tolist()
    )
    items = [
        Ready(i, a, w, o, behaviour(i), anchor == BEHAVIOUR, replayed(i))
        for i, a, w, o, anchor in columns
    ]
    bounds = batch.offsets.tolist()
    cuts = list(zip(bounds, bounds[1:]))
    shares = [share_of(batch.norm, lengths[begin:end]) for begin, end in cuts]
    return [
        ReadyGroup(prompt, tuple(items[begin:end]), batch.norm, share, sum(shares))
        for prompt, (begin, end), share in zip(batch.groups.prompt.tolist(), cuts, shares)
        if end > begin
    ]


def share_of(norm: str, lengths: Sequence[int]) -> float:
    """A group's part of the normaliser of its batch; an item of no token counts nowhere."""
    trained = [length for length in lengths if length > 0]
    if norm == "per_token":
        return float(sum(trained))
    if norm == "per_rollout":
        return float(len(trained))
    return float(bool(trained)) if norm == "per_group" else 0.0


class Replay:
    """Ready groups, oldest first.

    Args:
        max_staleness: updates that a rollout may lie behind; older groups are evicted. What the
            method itself took from earlier steps is not counted. None: any.
        max_groups: most groups that wait; the oldest go first. None: any number.
    """

    def __init__(self, *, max_staleness: int | None = 0, max_groups: int | None = None) -> None:
        for name, value in (("max_staleness", max_staleness), ("max_groups", max_groups)):
            if value is not None and value < 0:
                raise allot.ConfigError(
                    f"[replay] {name} is {value}; 0 or more, or None for no limit, is needed"
                )
        self._max_staleness = max_staleness
        self._max_groups = max_groups
        self._groups: list[ReadyGroup] = []
        self._evicted: list[ReadyGroup] = []

    def __len__(self) -> int:
        """Groups that wait."""
        return len(self._groups)

    def __iter__(self) -> Any:
        return iter(self._groups)

    def add(self, groups: Iterable[ReadyGroup]) -> None:
        """Of one batch or several; they are taken in this order among those of equal age."""
        self._groups += groups
        norms = {group.norm for group in self._groups}
        if len(norms) > 1:
            raise allot.DataError(
                f"[replay] groups are normalised {' and '.join(sorted(norms))}; those of one "
                f"update need one normaliser. Hint: a buffer for each method"
            )

    def expire(self, policy: int) -> int:
        """Evicts what an update from version `policy` may not use any more, and what is beyond
        `max_groups`; returns how many groups are left."""
        limit = self._max_staleness
        keep = sorted(self._groups, key=lambda group: group.oldest)  # stable: order of arrival
        if limit is not None:
            self._evicted += [group for group in keep if group.staleness(policy) > limit]
            keep = [group for group in keep if group.staleness(policy) <= limit]
        if self._max_groups is not None and len(keep) > self._max_groups:
            cut = len(keep) - self._max_groups
            self._evicted += keep[:cut]
            keep = keep[cut:]
        self._groups = keep
        return len(keep)

    def take(self, policy: int, groups: int | None = None) -> list[ReadyGroup]:
        """What an update that starts from version `policy` trains on: the oldest groups within the
        limits, at most `groups`, with normaliser and anchors as they are for this update."""
        self.expire(policy)
        count = len(self._groups) if groups is None else groups
        taken, self._groups = self._groups[:count], self._groups[count:]
        return [for_update(group, taken, policy) for group in taken]

    def take_evicted(self) -> list[ReadyGroup]:
        """What was evicted since the last call; its rollouts can be forgotten."""
        evicted, self._evicted = self._evicted, []
        return evicted

    def state(self) -> dict[str, Any]:
        """Everything that waits, as JSON can hold it."""
        return {"groups": [asdict(group) for group in self._groups]}

    def load(self, state: dict[str, Any]) -> None:
        self._groups = [
            ReadyGroup(**{**group, "items": tuple(Ready(**item) for item in group["items"])})
            for group in state["groups"]
        ]
        self._evicted = []


def for_update(group: ReadyGroup, taken: Sequence[ReadyGroup], policy: int) -> ReadyGroup:
    """The group among those it is trained with: its normaliser was that of the batch it came from,
    and what has become older than `policy` is anchored to the policy that generated it. How a
    rollout that the method took from an earlier step is anchored, the method has said."""
    total = sum(one.share for one in taken)
    scale = group.total / total if total > 0 else 1.0
    items = tuple(
        replace(
            item,
            omega=item.omega * scale,
            anchored=item.anchored or (item.behaviour < policy and not item.replayed),
        )
        for item in group.items
    )
    return replace(group, items=items, total=total)
