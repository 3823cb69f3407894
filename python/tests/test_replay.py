"""The buffer of ready groups: ages, limits, anchors, and the normaliser over what is taken."""

import json

import allot
import numpy as np
import pytest
from allot.replay import Ready, ReadyGroup, Replay, groups_of


def group(prompt, *versions, norm="per_group", share=1.0, total=1.0):
    items = tuple(Ready(100 * prompt + i, 1.0, 1.0, 0.5, v, False) for i, v in enumerate(versions))
    return ReadyGroup(prompt, items, norm, share, total)


def prompts(groups):
    return [one.prompt for one in groups]


def finalized(seed=0, prompts=6, method="grpo", version=0, **options):
    """A batch of uneven groups, lengths by rollout, and the rollouts' rewards."""
    draw = np.random.default_rng(seed)
    controller = allot.Controller(method, seed=seed, group_size=4, **options)
    plan = controller.plan(range(prompts), policy=version)
    lengths, rewards = {}, {}
    while not plan.done:
        ids = plan.generate.ids().tolist()
        for i in ids:
            lengths[i] = int(draw.integers(1, 9))
            rewards[i] = float(draw.random() < 0.5)
        plan = controller.observe(
            {
                "id": ids,
                "reward": [rewards[i] for i in ids],
                "tokens": [lengths[i] for i in ids],
            }
        )
    return controller.finalize(), lengths


def test_surplus_is_kept_and_taken_oldest_first():
    replay = Replay(max_staleness=2)
    replay.add([group(1, 5, 5), group(2, 4, 5), group(3, 5)])
    assert prompts(replay.take(policy=5, groups=2)) == [2, 1]
    assert len(replay) == 1 and replay.take_evicted() == []
    replay.add([group(4, 6)])
    assert prompts(replay.take(policy=6)) == [3, 4]
    assert replay.take(policy=6) == []


@pytest.mark.parametrize("limit", [0, 1, 3, None])
def test_groups_older_than_the_limit_are_evicted(limit):
    replay = Replay(max_staleness=limit)
    replay.add(group(version, version, version + 1) for version in range(10))
    taken = replay.take(policy=9)
    fresh = [v for v in range(10) if limit is None or 9 - v <= limit]
    assert prompts(taken) == fresh
    assert prompts(replay.take_evicted()) == [v for v in range(10) if v not in fresh]
    assert replay.take_evicted() == []


def test_the_oldest_go_where_too_many_wait():
    replay = Replay(max_staleness=None, max_groups=2)
    replay.add([group(1, 3), group(2, 1), group(3, 2)])
    assert replay.expire(policy=3) == 2
    assert prompts(replay.take_evicted()) == [2] and prompts(replay.take(3)) == [3, 1]


def test_older_rollouts_are_anchored_to_the_policy_that_generated_them():
    replay = Replay(max_staleness=5)
    replay.add([group(1, 4, 6, 7)])
    (taken,) = replay.take(policy=6)
    assert [item.anchored for item in taken.items] == [True, False, False]


@pytest.mark.parametrize("aggregation", ["per_group", "per_rollout", "per_token"])
def test_taken_whole_a_batch_has_its_own_normaliser(aggregation):
    batch, lengths = finalized(3, method="grpo" if aggregation == "per_group" else "dapo")
    wanted = batch.token_weights([lengths[i] for i in batch.rollout.tolist()])
    replay = Replay()
    replay.add(groups_of(batch, lengths.__getitem__, lambda rollout: 0))
    found = [item for one in replay.take(policy=0) for item in one.items]
    assert [item.rollout for item in found] == batch.rollout.tolist()
    assert np.allclose([item.omega for item in found], wanted, rtol=1e-12)
    assert np.allclose([item.advantage for item in found], batch.advantage)


def omega_by_definition(norm, groups, lengths):
    """The contract's table, item by item: mean over tokens where norm is not by token."""
    items = [item for one in groups for item in one.items]
    tokens = sum(lengths[item.rollout] for item in items)
    out = []
    for one in groups:
        for item in one.items:
            length = lengths[item.rollout]
            out.append(
                {
                    "per_token": 1 / tokens,
                    "per_rollout": 1 / len(items) / length,
                    "per_group": 1 / len(groups) / len(one.items) / length,
                }[norm]
            )
    return out


@pytest.mark.parametrize("norm", ["per_group", "per_rollout", "per_token"])
def test_groups_of_several_batches_share_one_normaliser(norm):
    """Against the definition in the contract, over whatever was taken together."""
    draw = np.random.default_rng(1)
    replay, lengths = Replay(max_staleness=9), {}
    for step in range(3):
        made, ids = [], iter(range(1000 * step, 1000 * step + 999))
        for prompt in range(int(draw.integers(2, 5))):
            members = [next(ids) for _ in range(int(draw.integers(1, 5)))]
            lengths.update((i, int(draw.integers(1, 9))) for i in members)
            made.append([Ready(i, 1.0, 1.0, 0.0, step, False) for i in members])
        shares = {
            "per_token": [float(sum(lengths[i.rollout] for i in one)) for one in made],
            "per_rollout": [float(len(one)) for one in made],
            "per_group": [1.0 for _ in made],
        }[norm]
        plain = [ReadyGroup(p, tuple(one), norm, 0, 0) for p, one in enumerate(made)]
        omega = iter(omega_by_definition(norm, plain, lengths))
        replay.add(
            ReadyGroup(
                p,
                tuple(Ready(i.rollout, 1.0, 1.0, next(omega), step, False) for i in one),
                norm,
                share,
                sum(shares),
            )
            for p, (one, share) in enumerate(zip(made, shares))
        )
    taken = replay.take(policy=3, groups=5)
    assert len({item.behaviour for one in taken for item in one.items}) > 1
    found = [item.omega for one in taken for item in one.items]
    assert np.allclose(found, omega_by_definition(norm, taken, lengths), rtol=1e-12)


def test_a_constant_divisor_stays():
    replay = Replay(max_staleness=None)
    replay.add([group(p, 0, norm="fixed", share=0.0, total=0.0) for p in range(4)])
    assert [i.omega for one in replay.take(0, groups=2) for i in one.items] == [0.5, 0.5]


def test_what_the_method_itself_replays_does_not_make_a_group_old():
    """Neither beside fresh rollouts nor alone: a method that ships a surplus group of an earlier
    step has decided that it is trained."""
    replay = Replay(max_staleness=0)
    kept = Ready(1, 1.0, 1.0, 0.5, 2, False, replayed=True)
    replay.add([ReadyGroup(1, (Ready(2, 1.0, 1.0, 0.5, 7, False), kept), "per_group", 1, 1)])
    (taken,) = replay.take(policy=7)
    assert [item.anchored for item in taken.items] == [False, False]  # as the method has said
    replay.add([ReadyGroup(1, (kept,), "per_group", 1, 1)])
    assert prompts(replay.take(policy=7)) == [1] and replay.take_evicted() == []


def test_a_group_ages_by_its_own_rollouts_beside_replayed_ones():
    replay = Replay(max_staleness=1)
    kept = Ready(1, 1.0, 1.0, 0.5, 9, False, replayed=True)
    replay.add([ReadyGroup(1, (Ready(2, 1.0, 1.0, 0.5, 7, False), kept), "per_group", 1, 1)])
    assert replay.take(policy=9) == [] and prompts(replay.take_evicted()) == [1]


def test_restored_it_goes_on_as_if_never_stopped():
    batch, lengths = finalized(5)
    one = Replay(max_staleness=1)
    one.add(groups_of(batch, lengths.__getitem__, lambda rollout: 3))
    one.take(policy=3, groups=1)
    other = Replay(max_staleness=1)
    other.load(json.loads(json.dumps(one.state())))
    assert len(other) == len(one) > 0
    assert other.take(policy=4) == one.take(policy=4)


def test_what_cannot_be_is_refused():
    with pytest.raises(allot.ConfigError, match="max_staleness is -1"):
        Replay(max_staleness=-1)
    replay = Replay()
    replay.add([group(1, 0)])
    with pytest.raises(allot.DataError, match="one normaliser"):
        replay.add([group(2, 0, norm="per_token")])
