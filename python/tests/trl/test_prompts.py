"""Which prompts a step gets, and which rows are one prompt."""

import logging

import allot
import allot.trl
import pytest
import tiny
from allot.trl import Allocation
from datasets import Dataset
from oracle import Spy


def rows(**columns):
    return Dataset.from_dict(columns)


def make(folder, data, allocation="grpo", **changes):
    return tiny.trainer(allot.trl.GRPOTrainer, folder, allocation=allocation, rows=data, **changes)


def test_one_id_for_two_different_rows(tmp_path):
    data = rows(id=["a", "b", "a"] * 4, prompt=["1=", "2=", "3="] * 4, answer=list("123") * 4)
    message = r"rows 0 and 2 of the data set have one key .* and differ: .*1=.* and .*3=.*Hint"
    with pytest.raises(allot.DataError, match=message):
        make(tmp_path, data)


def test_uniform_goes_on_without_keys(tmp_path, caplog):
    data = rows(id=[0.5] * 20, prompt=["1="] * 20, answer=["1"] * 20)
    trainer = make(tmp_path, data, "uniform", max_steps=2)
    with caplog.at_level(logging.WARNING, "allot.trl"):
        trainer.train()
    assert trainer.state.global_step == 2
    assert caplog.text.count("nothing is counted") == 1


def test_content_is_a_key(tmp_path):
    data = rows(id=["a", "b"] * 10, prompt=[f"{i}=" for i in range(20)], answer=["1"] * 20)
    trainer = make(tmp_path, data, Allocation("grpo", key=allot.trl.content), max_steps=1)
    trainer.train()
    assert len(trainer.controller.records()) == 8


def test_one_prompt_with_two_answers(tmp_path, caplog):
    prompts = [f"{i}{j}=" for i in range(5) for j in range(4)]
    data = rows(prompt=prompts + prompts[:3], answer=["1"] * 20 + ["2"] * 3)
    with caplog.at_level(logging.WARNING, "allot.trl"):
        trainer = make(tmp_path, data)
    told = [record.getMessage() for record in caplog.records]
    assert any("3 rows have the prompt of another row" in text for text in told)
    assert any("rows 0 and 20" in text for text in told)
    trainer.train()
    assert trainer.state.global_step == 3


def test_repeated_rows_are_one_prompt(tmp_path, caplog):
    prompts = [f"{i}=" for i in range(10)] * 2
    with caplog.at_level(logging.WARNING, "allot.trl"):
        trainer = make(tmp_path, rows(prompt=prompts, answer=list("12345") * 4))
    assert "10 rows of the data set repeat another one" in caplog.text
    trainer.train()
    assert len(trainer.controller.records()) == 10


@pytest.mark.parametrize("bad", [None, 1.5, -1])
def test_ids_that_are_none(tmp_path, bad):
    data = rows(id=[bad] * 20, prompt=["1="] * 20, answer=["1"] * 20)
    with pytest.raises(allot.DataError, match=r"the key of a row is .*text or a whole number"):
        make(tmp_path, data)


def test_a_key_that_is_no_column(tmp_path):
    allocation = Allocation("grpo", key="uuid")
    message = r"the columns prompt, answer; 'uuid' was named.*Hint: leave `key` out"
    with pytest.raises(allot.ConfigError, match=message):
        make(tmp_path, tiny.data(), allocation)


def test_ids_are_the_callers(tmp_path):
    data = tiny.data(16).add_column("id", list(range(100, 116)))
    trainer = make(tmp_path, data, max_steps=2)
    trainer.train()
    assert set(trainer.controller.records().prompt.tolist()) == set(range(100, 116))
    by_text = Allocation("grpo", key=lambda row: "x" + row["prompt"])
    trainer = make(tmp_path, tiny.data(16), by_text, max_steps=2)
    trainer.train()
    known = {allot.prompt_id("x" + prompt) for prompt in tiny.data(16)["prompt"]}
    assert set(trainer.controller.records().prompt.tolist()) == known


def test_conversations(tmp_path):
    """Messages are hashed as they are, whatever the order of their keys."""
    from allot.identity import Identity

    identity = Identity(None, None, "trl")
    one = {"prompt": [{"role": "user", "content": "1="}], "answer": "1"}
    same = {"answer": "1", "prompt": [{"content": "1=", "role": "user"}]}
    other = {"prompt": [{"role": "system", "content": "1="}], "answer": "1"}
    assert identity(one) == identity(same) != identity(other)


def test_conversations_are_trained_on(tmp_path):
    """Messages go through TRL's chat template, and the reward sees messages."""
    text = tiny.data(16)
    rows_of = [[{"role": "user", "content": prompt}] for prompt in text["prompt"]]
    data = rows(prompt=rows_of, answer=text["answer"])

    def rewards(completions, answer, **columns):
        return tiny.above([completion[0]["content"] for completion in completions], answer)

    trainer = make(tmp_path, data, "aero", rewards=rewards, max_steps=2)
    template = "{% for message in messages %}{{ message.content }}{% endfor %}"
    trainer.processing_class.chat_template = template
    spy = Spy(trainer)
    trainer.train()
    rollouts = [rollout for step in spy.steps for rollout in step.rollouts.values()]
    assert all(len(rollout.prompt_ids) == 3 for rollout in rollouts)
    assert all(rollout.completion[0]["role"] == "assistant" for rollout in rollouts)
    assert any(len(step.batch) for step in spy.steps)


def drawn(trainer):
    spy = Spy(trainer)
    trainer.train()
    return [
        sorted({rollout.prompt for rollout in step.rollouts.values() if rollout.id >= 0})
        for step in spy.steps
    ]


def test_stream_shows_every_prompt_once_per_pass(tmp_path):
    """DAPO draws candidates itself: over a pass none comes twice."""
    trainer = make(tmp_path, tiny.data(40), "dapo", max_steps=1)
    trainer.train()
    candidates = trainer._allot._candidates
    candidates.load({"pass": 5, "cursor": 0})
    first = [prompt.id for prompt in candidates.first([], 9, 0)]
    while len(first) < 40:
        found = [prompt.id for prompt in candidates.more(7)]
        assert len(found) == min(7, 40 - len(first))
        first += found
    assert len(set(first)) == 40
    assert candidates.more(5) == []  # none comes twice in one step


def test_state_of_the_stream(tmp_path):
    one = make(tmp_path, tiny.data(40), "dapo")._allot._candidates
    other = make(tmp_path, tiny.data(40), "dapo")._allot._candidates
    for step in range(7):
        one.first([], step, 0)
        one.more(5)
    other.load(one.state())
    for step in range(7, 12):
        mine, theirs = one.first([], step, 0), other.first([], step, 0)
        assert [p.id for p in mine] == [p.id for p in theirs]
        assert [p.epoch for p in mine] == [p.epoch for p in theirs]


def test_pool_and_uniform_draws(tmp_path):
    pool = make(tmp_path, tiny.data(40), "cero")._allot._candidates
    assert len(pool.first([], 0, 0)) == 40
    uniform = make(tmp_path, tiny.data(400), "mopps")._allot._candidates
    first, second = ([p.id for p in uniform.first([], step, 0)] for step in (0, 1))
    assert len(first) == len(set(first)) == 8 * 16
    assert first != second
    assert first == [p.id for p in uniform.first([], 0, 0)]


def test_stream_of_rows_without_an_index(tmp_path):
    """An IterableDataset serves methods that ask every prompt they see; others say why not."""
    stream = tiny.data(40).to_iterable_dataset()
    trainer = make(tmp_path, stream, "aero", max_steps=2)
    trainer.train()
    assert len(trainer.controller.records()) == 16
    message = r"chooses among more prompts than it asks.*Hint: load it without streaming"
    with pytest.raises(allot.ConfigError, match=message):
        make(tmp_path, stream, "cero")


def test_fewer_prompts_than_a_step_wants(tmp_path):
    """Six prompts where sixteen candidates are wanted: a smaller step, no error."""
    trainer = make(tmp_path, tiny.data(8), "dapo", max_steps=3)
    trainer.train()
    assert trainer.state.global_step == 3
    assert max(tiny.history(trainer, "alloc/admitted")) <= 8


def test_a_run_of_epochs_has_a_horizon(tmp_path):
    """CERO spreads its budget over the run, whose length TRL gives in epochs here: two passes of
    five generations."""
    trainer = make(tmp_path, tiny.data(40), "cero", max_steps=-1, num_train_epochs=2)
    trainer.train()
    assert trainer.state.global_step == trainer.controller.step == 10


def test_embeddings(tmp_path):
    allocation = Allocation("evidence", prior="embedding")
    with pytest.raises(allot.DataError, match=r"no[a-z ]* in the column 'embedding'|embedding"):
        make(tmp_path, tiny.data(), allocation, max_steps=1).train()
    data = tiny.data().add_column("embedding", [[i / 40, 1 - i / 40] for i in range(40)])
    trainer = make(tmp_path, data, allocation, max_steps=2)
    trainer.train()
    assert trainer.state.global_step == 2


def test_group_of_one_prompt_over_two_batches(tmp_path):
    """TRL's rows are repeated prompts; a prompt is planned once however they are cut."""
    trainer = make(
        tmp_path,
        tiny.data(),
        "aero",
        per_device_train_batch_size=2,
        max_steps=2,
        gradient_accumulation_steps=16,
        num_generations=4,
    )
    for prompts in drawn(trainer):
        assert len(prompts) == 8
