"""What TRL's optimizer is given against the contract's loss in double precision (oracle.py)."""

import allot
import allot.trl
import pytest
import tiny
import torch
from allot.trl import Allocation
from oracle import Spy, gradient, token_logps

SERVED = [method.name for method in allot.methods() if method.name != "optpo"]
# cispo clips at epsilon_high itself: 5 leaves a ratio near 1 alone, as the other losses do.
LOSSES = {
    "dapo": {},
    "grpo": {},
    "bnpo": {},
    "dr_grpo": {},
    "sapo": {"sapo_temperature_pos": 1.0, "sapo_temperature_neg": 1.0},
    "luspo": {},
    "cispo": {"epsilon_high": 5.0},
    "vespo": {},
}


def agree(found, expected, tolerance=2e-5):
    scale, off = float(expected.abs().max()), float((found - expected).abs().max())
    assert scale > 0 and off < tolerance * scale


def run(folder, allocation, **changes):
    trainer = tiny.trainer(allot.trl.GRPOTrainer, folder, allocation=allocation, **changes)
    spy = Spy(trainer)
    trainer.train()
    return trainer, spy


@pytest.mark.parametrize("method", SERVED)
def test_every_method(tmp_path, method):
    trainer, spy = run(tmp_path, method, max_steps=5, max_grad_norm=0)
    updates = [step for step in spy.steps if len(step.batch)]
    assert len(spy.steps) == 5 and updates
    for step in updates:
        agree(step.gradient, gradient(step))


@pytest.mark.parametrize("loss_type", LOSSES)
@pytest.mark.parametrize("method", ["grpo", "aero", "evidence"])
def test_every_loss_type(tmp_path, loss_type, method):
    changes = {"loss_type": loss_type, **LOSSES[loss_type]}
    trainer, spy = run(tmp_path, method, max_steps=2, max_grad_norm=0, **changes)
    step = spy.steps[0]
    agree(step.gradient, gradient(step))


def sizes(completions, answer, id, **columns):
    """Of prompt i the first (1, 2, 3, 8)[i % 4] of 8 rollouts have a score; one is right."""
    seen, out = {}, []
    for key in id:
        at = seen[key] = seen.get(key, -1) + 1
        out.append(float(at == 0) if at < (1, 2, 3, 8)[int(key) % 4] else None)
    return out


def uneven_rows():
    return tiny.data().add_column("id", [str(i) for i in range(40)])


@pytest.mark.parametrize("ship_zero", [False, True])
def test_groups_of_1_2_3_and_8(tmp_path, ship_zero):
    allocation = Allocation("grpo", ship_zero=ship_zero)
    trainer, spy = run(
        tmp_path,
        allocation,
        rewards=sizes,
        rows=uneven_rows(),
        num_generations=8,
        per_device_train_batch_size=32,
        max_steps=1,
        max_grad_norm=0,
    )
    step = spy.steps[0]
    counts = sorted(set(step.batch.groups.count.tolist()))
    assert counts == [2, 3, 8]  # one rollout has no baseline
    for group in step.batch.groups:
        mine = step.batch.advantage[group.first : group.first + group.count]
        # One right of n: mean 1/n, sample deviation 1/sqrt(n), as TRL's own formula has it.
        n = group.count
        expected = [(float(k == 0) - 1 / n) / (n**-0.5 + 1e-4) for k in range(n)]
        assert mine.tolist() == pytest.approx(expected, rel=1e-5)
    agree(step.gradient, gradient(step))


def test_rows_seen_by_the_loss_are_the_batch(tmp_path):
    """Advantage by advantage, and nothing but fillers beside them; rows that are not chosen are
    not there at all."""
    trainer = tiny.trainer(allot.trl.GRPOTrainer, tmp_path, allocation="pods", max_steps=1)
    spy = Spy(trainer)
    seen = []
    parent = allot.trl.GRPOTrainer.__mro__[1]._compute_loss

    def watched(self, model, inputs):
        seen.append(inputs)
        return parent(self, model, inputs)

    patch = pytest.MonkeyPatch()
    patch.setattr(allot.trl.GRPOTrainer.__mro__[1], "_compute_loss", watched)
    trainer.train()
    patch.undo()
    batch, rollouts = spy.steps[0].batch, spy.steps[0].rollouts
    rows = []
    for inputs in seen:
        for i in range(len(inputs["completion_ids"])):
            kept = inputs["completion_mask"][i].bool()
            if kept.any():
                raw = inputs["advantages"][i].item()
                tokens = inputs["completion_ids"][i][kept].tolist()
                prompt = inputs["prompt_ids"][i][inputs["prompt_mask"][i].bool()].tolist()
                rows.append((prompt, tokens, raw > 0))
    expected = [
        (rollouts[i].prompt_ids, rollouts[i].completion_ids, a > 0)
        for i, a in zip(batch.rollout.tolist(), batch.advantage.tolist())
    ]
    assert sorted(rows) == sorted(expected)
    total = sum(len(inputs["completion_ids"]) for inputs in seen)
    assert len(batch) <= total < len(batch) + 2  # filled up to a multiple of two parts
    assert total < len(rollouts)


@pytest.mark.parametrize("parts", [1, 2, 4, 8])
def test_several_updates_per_generation(tmp_path, parts):
    """The parts of a generation together are the batch, however it is cut: with weights that stay
    (lr 0) the gradients of its updates add up to as many times the method's."""
    accumulation = 2
    trainer = tiny.trainer(
        allot.trl.GRPOTrainer,
        tmp_path,
        allocation="aero",
        per_device_train_batch_size=32 // parts,
        steps_per_generation=parts,
        gradient_accumulation_steps=accumulation,
        learning_rate=0.0,
        max_steps=max(1, parts // accumulation),
        max_grad_norm=0,
    )
    spy = Spy(trainer)
    gradients = []

    class Sum(type(spy).__mro__[1]):
        def on_pre_optimizer_step(self, args, state, control, **others):
            found = [p.grad.flatten() for p in trainer.model.parameters()]
            gradients.append(torch.cat(found).double())

    trainer.add_callback(Sum())
    trainer.train()
    if parts < accumulation:  # one update over several generations: their mean
        assert len(spy.steps) == accumulation // parts
        expected = sum(gradient(step) for step in spy.steps) / len(spy.steps)
        agree(gradients[0], expected)
    else:
        updates = parts // accumulation
        assert len(gradients) == updates and len(spy.steps) == 1
        agree(sum(gradients), updates * gradient(spy.steps[0]))


@pytest.mark.parametrize(
    "allocation, accumulation",
    [
        (Allocation("ar3po", reuse_mode="behaviour"), 2),
        (Allocation("speed", recompute=False), 2),
        (Allocation("dapo"), 2),
        (Allocation("ar3po", reuse_mode="behaviour"), 4),
    ],
)
def test_replayed_rows_stand_against_their_own_policy(tmp_path, allocation, accumulation):
    """AR3PO's few prompts come again and often have no right answer; SPEED and DAPO have groups
    left over."""
    trainer, spy = run(
        tmp_path,
        allocation,
        rows=tiny.data(10 if allocation.method == "ar3po" else 40),
        rewards=rarely if allocation.method == "ar3po" else tiny.above,
        max_steps=12,
        learning_rate=0.03,
        gradient_accumulation_steps=accumulation,
        per_device_train_batch_size=32 // accumulation,
        max_grad_norm=0,
    )
    replayed = 0
    for step in spy.steps:
        if len(step.batch) == 0:
            continue
        agree(step.gradient, gradient(step))
        for i in step.batch.rollout[step.batch.anchor == 1].tolist():
            now = token_logps(step.policy, step.rollouts[i]).detach().numpy()
            replayed += bool(abs(now - step.rollouts[i].logps).max() > 1e-2)
    assert replayed >= 3


def rarely(completions, answer, **columns):
    """Right where the first digit is just above the answer: often no rollout of a group is."""
    return [float(text[:1] == str(int(at) + 1)) for text, at in zip(completions, answer)]


@pytest.mark.parametrize("normalizer", ["method", "host"])
@pytest.mark.parametrize("loss_type", ["grpo", "dr_grpo", "sapo", "luspo", "dapo"])
def test_fillers_count_in_no_loss(tmp_path, loss_type, normalizer):
    """The same rows in 1, 8 and 32 parts: one gradient, KL against another model included."""
    found = []
    for parts in (1, 8, 32):
        trainer = tiny.trainer(
            allot.trl.GRPOTrainer,
            tmp_path,
            allocation=Allocation("grpo", normalizer=normalizer),
            rewards=seldom,
            per_device_train_batch_size=32 // parts,
            gradient_accumulation_steps=parts,
            loss_type=loss_type,
            beta=0.5,
            max_steps=1,
            max_grad_norm=0,
        )
        draw = torch.Generator().manual_seed(3)
        for weight in trainer.model.parameters():
            weight.data += 0.05 * torch.randn(weight.shape, generator=draw)
        trainer._allot._sampler._most_at_once = lambda share: 32  # the same texts in all
        spy = Spy(trainer)
        trainer.train()
        assert 0 < len(spy.steps[0].batch) <= 16
        found.append(spy.steps[0].gradient)
    agree(found[1], found[0], 2e-4)
    agree(found[2], found[0], 2e-4)


def seldom(completions, answer, **columns):
    """Only prompts of a low digit can be answered: most groups have no signal."""
    return [float(text[:1] > at and at < "4") for text, at in zip(completions, answer)]


@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_the_hosts_normaliser(tmp_path, beta):
    """TRL divides by trained tokens; fillers are none, whatever their number."""
    allocation = Allocation("dynamic_pruning", normalizer="host")
    settings = {"beta": beta, "max_steps": 4, "max_grad_norm": 0, "learning_rate": 0.05}
    trainer, spy = run(
        tmp_path,
        allocation,
        per_device_train_batch_size=8,
        gradient_accumulation_steps=4,
        **settings,
    )
    assert any(len(step.batch) % 4 for step in spy.steps)
    for step in spy.steps:
        expected = gradient(step, beta=beta, reference=spy.steps[0].policy, host=True)
        agree(step.gradient, expected)


@pytest.mark.parametrize("normalizer", ["method", "host"])
@pytest.mark.parametrize("loss_type", ["dapo", "grpo", "bnpo", "dr_grpo", "luspo"])
def test_passes_never_exceed_the_batch_size(tmp_path, loss_type, normalizer):
    """SPEED trains on twice the rows that TRL has places for: in pieces, and the update is that of
    places enough, KL and entropy terms included. (A mean over a micro-batch's tokens, as TRL takes
    for the entropy and for all of "bnpo", becomes a mean of the pieces' means.)"""
    allocation = Allocation("speed", normalizer=normalizer)
    settings = {"beta": 0.3, "entropy_coef": 0.1, "loss_type": loss_type, "max_grad_norm": 0}
    found = []
    for places in (8, 64):
        trainer = tiny.trainer(
            allot.trl.GRPOTrainer,
            tmp_path,
            allocation=allocation,
            per_device_train_batch_size=16,
            optim="sgd",  # Adam makes large differences of small ones
            learning_rate=0.3,
            max_steps=2,
            **settings,
        )
        trainer.args.per_device_train_batch_size = places
        trainer._allot._sampler._most_at_once = lambda share: 32  # the same texts in both
        spy = Spy(trainer)
        rows = []
        parent = trainer._get_per_token_logps_and_entropies

        def watched(model, ids, *args, parent=parent, rows=rows, **named):
            if torch.is_grad_enabled():
                rows.append(len(ids))
            return parent(model, ids, *args, **named)

        trainer._get_per_token_logps_and_entropies = watched
        trainer.train()
        assert max(rows) <= places and sum(rows) == 128
        found.append([step.gradient for step in spy.steps] + [tiny.weights(trainer)])
        losses = tiny.history(trainer, "loss")
        found[-1].append(torch.tensor(losses))
    for mine, theirs in zip(*found):
        agree(mine, theirs, 1e-2 if loss_type == "bnpo" else 2e-3)


@pytest.mark.parametrize("method", ["grpo", "aero"])
def test_kl_is_trls_own(tmp_path, method):
    trainer, spy = run(tmp_path, method, beta=0.5, max_steps=3, learning_rate=0.05, max_grad_norm=0)
    assert tiny.history(trainer, "kl")[-1] > 0
    reference = spy.steps[0].policy  # the weights the run began with
    without = gradient(spy.steps[2])
    expected = gradient(spy.steps[2], beta=0.5, reference=reference)
    assert (without - expected).abs().max() > 1e-3 * without.abs().max()
    agree(spy.steps[2].gradient, expected)
