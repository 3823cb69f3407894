"""Whole runs of verl's V1 trainer with the plugin, over the small model of world.py."""

import allot
import numpy as np
import pytest
import ray
import torch
import world
from allot.verl.manager import AllotManager
from allot.verl.trainer import AllotTrainer
from loops import MortalManager, NumberedManager
from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage
from verl.trainer.ppo.v1 import AgentLoopManagerTQ, PPOTrainerSync

ONE_WORKER = "actor_rollout_ref.rollout.agent.num_workers=1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    world.make(folder)
    world.start_ray()
    yield folder
    ray.shutdown()


class Recording(AllotTrainer):
    """Keeps what every row was worth to the method."""

    def _compute_advantage(self, batch, metrics):
        self.tables = [*getattr(self, "tables", []), self.session.table(list(batch.keys))]
        return super()._compute_advantage(batch, metrics)


class Bold(Recording):
    learning_rate = 100.0


def run(folder, *changes, kind=Recording, manager=AllotManager):
    return world.run(kind, manager, world.configured(folder, *changes))


def groups(update):
    """Rows by prompt, padding left out."""
    found = {}
    for i, uid in enumerate(update["uid"]):
        if not update["padding"][i]:
            found.setdefault(uid, []).append(i)
    return found


def test_adapter_a_uniform_is_verls_own_grpo(folder):
    """Advantages row by row, the loss of every mini-batch, the weights."""
    ours = run(folder, "+allot={method: grpo, ship_zero: true, normalizer: host, adv_eps: 1e-6}")
    stock = run(
        folder,
        "algorithm.adv_estimator=grpo",
        "trainer.v1.trainer_mode=sync",
        kind=PPOTrainerSync,
        manager=AgentLoopManagerTQ,
    )
    assert len(ours.actor_rollout_wg.updates) == len(stock.actor_rollout_wg.updates) == 3
    for update, other in zip(ours.actor_rollout_wg.updates, stock.actor_rollout_wg.updates):
        expected, _ = compute_grpo_outcome_advantage(
            update["rm_scores"].clone(), update["response_mask"], np.array(update["uid"])
        )
        assert torch.allclose(update["advantages"], expected, atol=1e-5)
        assert sorted(update["prompt"]) == sorted(other["prompt"])
        assert float(update["rm_scores"].sum()) == float(other["rm_scores"].sum())
    weights = [one.actor_rollout_wg.table.logits.detach() for one in (ours, stock)]
    assert torch.allclose(*weights, atol=1e-4) and weights[0].abs().max() > 0.1
    losses = [one.actor_rollout_wg.losses for one in (ours, stock)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6) and len(losses[0]) == 3
    assert ours.left == {} == stock.left


@pytest.fixture(scope="module")
def aero(folder):
    """Two explored, more for prompts without success, wrong ones dropped."""
    return run(
        folder,
        "+allot={method: aero, explore: 2, normalizer: host}",
        "trainer.total_training_steps=12",
        "trainer.test_freq=6",
        kind=Bold,
    )


def batches(trainer):
    """What the Controller shipped, as it logged it: by rollout, advantage times weight."""
    for _, events in trainer.decided:
        for kind, *batch in (event for event in events if event[0] == "finalize"):
            rollouts, advantages, weights = batch[:3]
            yield {i: a * w for i, a, w in zip(rollouts, advantages, weights)}


def test_adapter_b_every_row_has_the_advantage_that_was_decided(aero):
    """Groups of different sizes, over two ranks; rows that fill up the mini-batches have none."""
    sizes, padding = set(), 0
    updates = aero.actor_rollout_wg.updates
    for update, table, worth in zip(updates, aero.tables, batches(aero), strict=True):
        assert update["keys"] == list(table.keys)
        found = set()
        for i, key in enumerate(update["keys"]):
            item = table.items.get(key.rsplit("_", 1)[0])
            assert (item is None) == update["padding"][i]
            row = update["advantages"][i, : update["lengths"][i]]
            mask = update["response_mask"][i, : update["lengths"][i]]
            assert torch.allclose(row, (worth[item.rollout] if item else 0.0) * mask)
            found |= {item.rollout} if item else set()
        assert found == set(worth)
        sizes |= {len(rows) for rows in groups(update).values()}
        padding += sum(update["padding"])
        assert len(update["keys"]) % 32 == 0  # lcm of two ranks and mini-batches of 8 x 4
    assert len(sizes) > 1 and padding > 0


def test_rounds_and_drops_and_it_learns(aero):
    assert any(step["alloc/rounds"] > 1 for step in aero.history)
    assert sum(step["rollouts/discarded"] for step in aero.history) > 0
    before, after = world.accuracy(world.Table()), world.accuracy(aero.actor_rollout_wg.table)
    assert before < 0.4 and after > before + 0.2, (before, after)
    assert aero.left == {}


def test_adapter_j_evaluation_is_verls_own(aero):
    """With its own n and temperature, and nothing else is generated than what was decided."""
    accuracies = [
        value
        for step in aero.history
        for name, value in step.items()
        if name.startswith("val-core/") and "mean@1" in name
    ]
    assert len(accuracies) == 2
    decided = sum(
        n
        for _, events in aero.decided
        for kind, *plan in events
        if kind != "finalize"
        for _, _, n, *_ in plan[0]
    )
    assert aero.asked == decided + 2 * 4  # four prompts, an answer each


def test_filter_groups_fills_the_batch_and_keeps_the_surplus(folder):
    trainer = run(
        folder,
        "+allot={method: grpo, ship_zero: true, max_staleness: 2}",
        "algorithm.filter_groups={enable: true, metric: acc}",
        "trainer.total_training_steps=4",
        ONE_WORKER,
    )
    stale = 0
    for update, table in zip(trainer.actor_rollout_wg.updates, trainer.tables):
        found = groups(update)
        assert len(found) == 8
        for rows in found.values():
            rewards = update["rm_scores"][rows].sum(1)
            assert rewards.min() < rewards.max() and len(rows) == 4
        for i, key in enumerate(update["keys"]):
            item = table.items.get(key.rsplit("_", 1)[0])
            if item is not None and item.anchored:
                stale += 1
                assert torch.equal(update["old"][i], update["rollout"][i])
    assert stale > 0 and any(step["replay/staleness_max"] > 0 for step in trainer.history)
    assert any(step["allot/waves"] > 1 for step in trainer.history)
    assert trainer.left == {}


@pytest.mark.parametrize("method", ["dapo", "speed"])
def test_all_that_a_method_ships_is_trained_on(folder, method):
    """Also groups of nothing but rollouts that it held: dapo's surplus, speed's queue."""
    trainer = run(folder, f"+allot.method={method}", "trainer.total_training_steps=4")
    shipped = [worth for worth in batches(trainer) if worth]
    trained = [
        {
            table.items[key.rsplit("_", 1)[0]]
            for key, padding in zip(update["keys"], update["padding"])
            if not padding
        }
        for update, table in zip(trainer.actor_rollout_wg.updates, trainer.tables, strict=True)
    ]
    rows = [{item.rollout: item.advantage * item.weight for item in items} for items in trained]
    assert list(map(len, rows)) == list(map(len, shipped)) and rows == shipped
    assert any(item.replayed for items in trained for item in items), "nothing was held"
    assert trainer.left == {}


def test_filter_groups_by_a_metric_that_the_reward_does_not_have_is_an_error(folder):
    said = "metric is 'accuracy'.*the reward of 32 rollouts .*Hint: .*metric=reward"
    with pytest.raises(allot.DataError, match=said):
        run(
            folder,
            "+allot.method=grpo",
            "algorithm.filter_groups={enable: true, metric: accuracy}",
            ONE_WORKER,
        )


# Little memory: some of the answers that the method keeps are lost.
AR3PO = "+allot={method: ar3po, replay_mib: 0.02}"
AGAIN = (AR3PO, "trainer.save_freq=2", "trainer.total_training_steps=4")


@pytest.fixture(scope="module")
def again(folder):
    """The world with a verifier that fails for some prompts, and every prompt in two steps."""
    again = folder / "again"
    again.mkdir()
    world.make(again, prompts=16, raise_on="4")
    return again


@pytest.fixture(scope="module")
def whole(again):
    """A method that keeps answers of earlier steps; with checkpoints."""
    return run(again, *AGAIN, ONE_WORKER, manager=NumberedManager)


def test_adapter_d_saved_and_resumed_it_is_as_if_never_stopped(again, whole):
    """Decisions, rows, weights and what the method still has, whatever the order in which two
    answers of a prompt arrive. Answers from before the stop are trained on after it, and one that
    was lost just before it is known to be lost."""
    saved = torch.load(again / "checkpoints" / "global_step_2" / "allot.pt", weights_only=False)
    before = {*saved["held"], *saved["lost"]}
    assert saved["held"] and saved["lost"]
    other = run(
        again,
        *AGAIN,
        ONE_WORKER,
        "trainer.resume_mode=resume_path",
        f"trainer.resume_from_path={again}/checkpoints/global_step_2",
        manager=NumberedManager,
    )
    sizes = [[step["alloc/ar3po/buffer_size"] for step in one.history] for one in (whole, other)]
    assert sizes[0][2:] == sizes[1]
    reused = {i.rollout for table in other.tables for i in table.items.values() if i.replayed}
    assert reused & before
    assert requests(other) == requests(whole)[2:] and len(other.decided) == 2
    assert len(other.actor_rollout_wg.updates) == 2
    for update, same in zip(other.actor_rollout_wg.updates, whole.actor_rollout_wg.updates[2:]):
        assert worth(update) == pytest.approx(worth(same))
    weights = [one.actor_rollout_wg.table.logits.detach() for one in (other, whole)]
    assert torch.allclose(*weights, atol=1e-5)


def test_adapter_f_failed_verifiers_reach_no_update(whole):
    prompts = [p for update in whole.actor_rollout_wg.updates for p in update["prompt"]]
    assert prompts and not any(prompt.endswith("4=") for prompt in prompts)
    assert sum(step["verifier/error"] for step in whole.history) > 0


def requests(trainer):
    """What was asked for in every step, in whatever order two workers reported: without the ids of
    rollouts, which are given in that order."""
    return [
        sorted(
            (prompt, *rest)
            for kind, *plan in events
            if kind in ("plan", "observe")
            for prompt, _, *rest in plan[0]
        )
        for _, events in trainer.decided
    ]


def worth(update):
    """The advantages of every prompt's rows in ascending order, as a mapping from the prompt and
    the place in that order: which of two answers of a prompt came first names the rows only."""
    largest = [max(row.tolist(), key=abs) for row in update["advantages"]]
    return {
        (uid, place): value
        for uid, rows in groups(update).items()
        for place, value in enumerate(sorted(largest[i] for i in rows))
    }


def test_adapter_g_two_ranks_have_equal_plans(again, whole):
    """One owner decides for two agent-loop workers and two ranks: the plans are those of one
    worker, and every batch can be halved."""
    both = run(again, AR3PO, "trainer.total_training_steps=2", manager=NumberedManager)
    assert (whole.workers, both.workers) == (1, 2)
    assert requests(both) == requests(whole)[:2] and len(requests(both)) == 2
    for update, same in zip(both.actor_rollout_wg.updates, whole.actor_rollout_wg.updates):
        assert worth(update) == pytest.approx(worth(same)) and len(update["keys"]) % 2 == 0
        assert len(worth(update)) < len(update["keys"]), "no row was added"


def test_adapter_e_a_step_without_signal_makes_no_update_and_does_not_hang(folder):
    hopeless = folder / "hopeless"
    hopeless.mkdir()
    world.make(hopeless, prompts=40)
    (hopeless / "reward.py").write_text(
        "def score(data_source, solution_str, ground_truth, **others):\n"
        "    return {'score': 0.0, 'acc': 0.0}\n"
    )
    trainer = run(hopeless, "+allot.method=grpo", "trainer.total_training_steps=2", ONE_WORKER)
    assert trainer.actor_rollout_wg.updates == []
    assert [step["allot/updated"] for step in trainer.history] == [0, 0]
    for step in trainer.history:  # answers of four tokens are cut, and that is named first
        causes = ("all_wrong", "truncated")
        assert sum(step[f"group/zero_cause/{cause}"] for cause in causes) == pytest.approx(1)
    assert trainer.left == {}


def test_a_worker_that_dies_ends_the_run_and_does_not_hang(folder, monkeypatch):
    monkeypatch.setattr("allot.verl.session.PATIENCE", 2.0)
    with pytest.raises(allot.InternalError, match="worker died within a step.*resume_mode=auto"):
        run(folder, "+allot.method=grpo", ONE_WORKER, manager=MortalManager)
