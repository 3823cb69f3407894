"""Every method that the adapter serves runs; the reward of the task rises; what is asked of the
data and of the reward function is checked."""

import allot
import allot.tinker
import pytest
import world
from fake import Server

METHODS = [
    "aero",
    "ar3po",
    "reinforce_ada",
    "cero",
    "vip",
    "evidence",
    "dapo",
    "pods",
    "mopps+aero",
]


def embedded():
    return [{**row, "embedding": [float(row["floor"]), 1.0]} for row in world.data()]


@pytest.mark.parametrize("method", METHODS)
def test_ten_steps(method):
    server = Server()
    session = world.run(server, method, 10, data=embedded())
    assert session.controller.step == 10
    assert session.controller.policy == sum(one["tinker/rows"] > 0 for one in session.decisions) > 4
    generated = session.controller.metrics()["rollouts/generated_total"]
    assert generated == server.sampled == sum(one[2] for one in server.log if one[0] == "sample")


@pytest.mark.parametrize("method", ["grpo", "ar3po", "evidence"])
def test_the_reward_rises(method):
    session = world.run(Server(), method, 40, data=embedded(), groups=12, learning_rate=0.05)
    curve = [one["reward/first_round"] for one in session.decisions]
    first, last = sum(curve[:5]) / 5, sum(curve[-5:]) / 5
    assert first < 0.65 < 0.85 < last, (first, last)


@pytest.fixture
def updates(monkeypatch):
    """Of every update its batch, the rollouts that it may name, and the rows that were sent."""
    from allot.tinker import session as module

    seen = []
    update = module.update

    def spied(engine, batch, rollouts, fresh, step):
        calls = []
        forward_backward = engine.forward_backward

        def kept(rows):
            calls.extend(rows)
            return forward_backward(rows)

        engine.forward_backward = kept
        done = update(engine, batch, rollouts, fresh, step)
        engine.forward_backward = forward_backward
        seen.append((batch, rollouts, calls))
        return done

    monkeypatch.setattr(module, "update", spied)
    return seen


def test_adapter_b_rows_are_the_batch(updates):
    """Row by row: advantage, weight and normaliser of the Controller, times the divisor."""
    world.run(Server("skyrl"), "vip", 6, data=embedded(), group_size=8)
    sizes = set()
    for batch, rollouts, calls in updates:
        items = [rollouts[i] for i in batch.rollout.tolist()]
        omega = batch.token_weights([len(item.tokens) for item in items])
        assert [row.tokens for row in calls] == [item.tokens for item in items]
        for i, row in enumerate(calls):
            wanted = batch.advantage[i] * batch.weight[i] * omega[i] * len(row.tokens) * len(items)
            assert row.advantage == pytest.approx(float(wanted), rel=1e-6)
        sizes |= set(batch.groups.count.tolist())
    assert len(sizes) > 1, "groups of one size show nothing"


@pytest.mark.parametrize(("method", "norm"), [("aero", "per_group"), ("dapo", "per_token")])
def test_adapter_c_dropped_rows_count_in_no_denominator(updates, method, norm):
    """What a token comes to at the server, with the normaliser over the trained rows by hand."""
    session = world.run(Server("skyrl"), method, 6)
    for batch, rollouts, calls in updates:
        assert batch.norm == norm
        counts = [len(rollouts[i].tokens) for i in batch.rollout.tolist()]
        sizes = [n for n in batch.groups.count.tolist() for _ in range(n)]
        for i, row in enumerate(calls):
            by = {"per_token": sum(counts), "per_group": counts[i] * sizes[i] * len(batch.groups)}
            served = row.advantage / len(row.tokens) / len(calls)  # a mean of means
            assert served == pytest.approx(batch.advantage[i] * batch.weight[i] / by[norm], 1e-5)
    dropped = sum(one["rollouts/generated"] - one["tinker/rows"] for one in session.decisions)
    assert dropped > 10


@pytest.mark.parametrize(("method", "behaviour"), [("ar3po", False), ("dapo", True)])
def test_held_rollouts(monkeypatch, method, behaviour):
    """Answers of earlier steps stand against the policy that gave them, or against the one of the
    step's start, as the method says."""
    from allot.tinker import update as module

    found = []
    anchors = module.anchors

    def spied(engine, chosen):
        out = anchors(engine, chosen)
        model = engine.trainer.model.weights
        old = [(one, logps) for one, logps in zip(chosen, out) if not one.fresh]
        found.extend((one, list(logps), logps_of(model, one.rollout)) for one, logps in old)
        return out

    def logps_of(weights, rollout):
        row = rollout.prompt_ids + rollout.tokens
        at = len(rollout.prompt_ids) - 1
        every = Server().logps(weights, row[:-1])[at:]
        return [every[t, token] for t, token in enumerate(rollout.tokens)]

    monkeypatch.setattr(module, "anchors", spied)
    rows = [row for row in world.data() if row["floor"] > 3]
    world.run(Server(), method, 20, data=rows)
    assert found and all(one.behaviour == behaviour for one, _, _ in found)
    for one, logps, now in found:
        wanted = one.rollout.logps if behaviour else now
        assert logps == pytest.approx(wanted, abs=1e-6)
    assert any(abs(logps[0] - now[0]) > 1e-3 for _, logps, now in found) == behaviour


def test_rewards_of_every_kind():
    """None, NaN, an exception and a pair; an exception for all ends the run."""

    def reward(completions, floor, prompts, completion_ids, **_):
        assert len(prompts) == len(completion_ids) == len(completions)
        kinds = [None, float("nan"), ValueError("no unit"), (0.2, True), (0.9, False), 1, 0, 0.3]
        return [kinds[(sum(ids) + i) % 8] for i, ids in enumerate(completion_ids)]

    server = Server()
    session = world.run(server, "grpo", 3, reward=reward, group_size=8)
    total = {name: sum(one[name] for one in session.decisions) for name in session.decisions[0]}
    assert total["verifier/error"] > 0 and total["verifier/not_scorable"] > 0
    records = session.controller.records()
    assert 0 < records.successes.sum() < records.trials.sum() < 3 * 48

    def broken(completions, **_):
        raise ZeroDivisionError("of nothing")

    with pytest.raises(allot.DataError, match=r"failed for all \d+ rollouts.*ZeroDivisionError"):
        world.run(Server(), "grpo", reward=broken)
    with pytest.raises(allot.DataError, match=r"returned 1 rewards for \d+ completions"):
        world.run(Server(), "grpo", reward=lambda completions, **_: [1.0])


def test_what_is_worth_a_warning(caplog, monkeypatch):
    """Groups without signal, a constant reward, a sampler that is not the trainer's policy."""
    from fake import Sampler

    sequence = Sampler._sequence

    def tempered(self, prompt, params, i):
        made = sequence(self, prompt, params, i)
        made.logprobs = [logp * 1.5 for logp in made.logprobs]
        return made

    world.run(Server(), "aero", 1)
    assert not caplog.records
    monkeypatch.setattr(Sampler, "_sequence", tempered)
    world.run(Server(), "aero", 3)
    assert caplog.text.count("the sampler's log-probabilities and the trainer's differ") == 1
    caplog.clear()
    world.run(Server(), "grpo", 25, reward=lambda completions, **_: [1.0] * len(completions))
    assert caplog.text.count("[tinker] 100 % of the groups carry no signal: all right") == 2
    assert caplog.text.count("gave 1 to every completion of the first steps") == 1


def test_an_async_reward():
    async def reward(completions, floor, **_):
        return world.reward(completions, floor)

    plain = world.run(Server(), "aero")
    assert world.same(world.run(Server(), "aero", reward=reward).weights, plain.weights)


def test_adapter_f_failed_verifiers_reach_no_update(updates):
    """Their rollouts are in no baseline and in no row."""

    def reward(completions, floor, **_):
        scored = world.reward(completions, floor)
        return [TimeoutError("judge") if i % 4 == 3 else one for i, one in enumerate(scored)]

    server = Server()
    session = world.run(server, {"method": "grpo", "ship_zero": True}, 3, reward=reward)
    for (batch, rollouts, calls), one in zip(updates, session.decisions, strict=True):
        failed = {i for i, rollout in rollouts.items() if rollout.error}
        assert len(failed) == 6 == one["verifier/error"] and one["rollouts/generated"] == 24
        assert len(calls) == len(batch) == 18 and not failed & set(batch.rollout.tolist())
        for begin, end in zip(batch.offsets.tolist(), batch.offsets.tolist()[1:]):
            rewards = [rollouts[i].reward for i in batch.rollout.tolist()[begin:end]]
            mean = sum(rewards) / len(rewards)  # of the three that have one
            assert all((a > 0) == (r > mean) for a, r in zip(batch.advantage[begin:end], rewards))


def test_adapter_i_two_rows_with_one_key_are_refused():
    rows = [{"id": 1, "prompt": [1]}, {"id": 1, "prompt": [2]}]
    said = r"rows 0 and 1 .* have one key \(1\) and differ.*Hint: .*allot\.tinker\.content"
    with pytest.raises(allot.DataError, match=said):
        world.run(Server(), data=rows)


class Tokenizer:
    """Letters a to g are the tokens 1 to 7."""

    def encode(self, text):
        return [ord(letter) - 96 for letter in text]

    def decode(self, tokens, skip_special_tokens):
        return "".join(chr(96 + token) for token in tokens if token)

    def apply_chat_template(self, messages, add_generation_prompt, tokenize, return_dict):
        return self.encode("".join(message["content"] for message in messages))


def test_text_and_messages():
    def text(ids):
        return Tokenizer().decode(ids, True)

    def reward(completions, floor, **_):
        assert all(isinstance(completion, str) for completion in completions)
        return [float(ord((one or "`")[0]) - 96 >= least) for one, least in zip(completions, floor)]

    rows = world.data()
    plain = world.run(Server(), "aero", data=rows)
    texts = [{**row, "prompt": text(row["prompt"])} for row in rows]
    chats = [{**row, "prompt": [{"role": "user", "content": text(row["prompt"])}]} for row in rows]
    for data in (texts, chats):
        said = world.run(Server(), "aero", data=data, reward=reward, tokenizer=Tokenizer())
        assert [one["rollouts/generated"] for one in said.decisions] == [
            one["rollouts/generated"] for one in plain.decisions
        ]
    engine = allot.tinker.Engine(
        world.Watched(Server()), "fake", 8, allot.tinker.Settings(groups=2)
    )
    session = allot.tinker.Session(engine, texts, reward, "grpo")
    with pytest.raises(allot.DataError, match=r"there is no tokenizer; token ids, or a tokenizer"):
        session.encode(0)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"data": []}, allot.DataError, r"has no rows"),
        ({"data": ["1 + 1"]}, allot.DataError, r"first row of the data is '1 \+ 1'; a mapping is"),
        ({"data": [{"prompt": []}]}, allot.DataError, r"a prompt has no token"),
        ({"data": [{"text": [1]}]}, allot.DataError, r"columns text; 'prompt' is needed"),
        ({"method": "optpo"}, allot.ConfigError, r"optpo"),
        ({"method": {"explore": 2}}, allot.ConfigError, r"has explore and no 'method'"),
        ({"method": {"method": "grpo", "group_size": 2}}, allot.ConfigError, r"are one thing"),
        ({"method": "none"}, allot.ConfigError, r"none"),
        ({"loss": "cispo"}, allot.ConfigError, r"loss is 'cispo'; one of importance_sampling, ppo"),
        (
            {"grops": 3},
            allot.ConfigError,
            r"grops is neither .* a setting. Hint: did you mean groups",
        ),
        ({"groups": 0}, allot.ConfigError, r"groups is 0; 1 or more is needed"),
        ({"timeout_s": 0}, allot.ConfigError, r"timeout_s is 0"),
    ],
)
def test_refusals(changes, error, said):
    with pytest.raises(error, match=said):
        world.run(Server(), **changes)
