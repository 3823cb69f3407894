"""What is refused at the start, and why."""

import allot
import pytest
import torch
import world
from allot import adapters
from allot.verl import guard
from allot.verl.candidates import Candidates, view
from allot.verl import session as sessions
from allot.verl.session import Session, options_of, same_when_resumed
from allot.verl.settings import Settings
from omegaconf import OmegaConf


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    world.make(folder)
    return folder


def test_our_settings_and_the_methods_options_share_a_section():
    settings = Settings.of({"method": "aero", "explore": 2, "normalizer": "host"})
    assert (settings.method, settings.normalizer) == ("aero", "host")
    assert settings.options == {"explore": 2}
    assert Settings.of(None).method == "ar3po"


@pytest.mark.parametrize(
    "section,message",
    [
        ({"normalizer": "both"}, "one of method, host"),
        ({"max_staleness": -1}, "0 or more"),
        ({"replay_mib": "much"}, "replay_mib is 'much'; 0 or more"),
        ("aero", r"section allot is 'aero'; keys are needed. Hint: \+allot.method=aero"),
        ({"normaliser": "host"}, "allot.normalizer is"),
    ],
)
def test_settings_that_cannot_be(section, message):
    with pytest.raises(allot.ConfigError, match=message):
        Settings.of(section)


@pytest.mark.parametrize(
    "change,message",
    [
        ("algorithm.adv_estimator=grpo", "adv_estimator"),
        ("critic.enable=true", "critic"),
        ("algorithm.use_kl_in_reward=true", "use_kl_in_reward"),
        ("reward.reward_model.enable=true", "colocated"),
        ("trainer.v1.sampler.sync_refill_failed_groups=true", "sync_refill"),
        ("trainer.v1.sampler.custom_sampler.path=x.py", "custom_sampler"),
        ("algorithm.rollout_correction.bypass_mode=true", "rollout_correction.bypass_mode"),
        ("algorithm.rollout_correction.rollout_rs=seq_mean_k1", "rollout_rs=seq_mean_k1"),
        ("actor_rollout_ref.actor.policy_loss.loss_mode=bypass_mode", "loss_mode=bypass_mode"),
    ],
)
def test_settings_of_verl_that_would_change_the_method(folder, change, message):
    guard.refuse_settings(world.configured(folder))
    with pytest.raises(allot.ConfigError, match=message):
        guard.refuse_settings(world.configured(folder, change))


def test_filter_groups_needs_log_probabilities(folder):
    changes = ["algorithm.filter_groups.enable=true"]
    guard.refuse_settings(world.configured(folder, *changes))
    with pytest.raises(allot.ConfigError, match="without algorithm.filter_groups.metric"):
        guard.refuse_settings(
            world.configured(folder, *changes, "algorithm.filter_groups.metric=null")
        )
    changes.append("actor_rollout_ref.rollout.calculate_log_probs=false")
    with pytest.raises(allot.ConfigError, match="calculate_log_probs"):
        guard.refuse_settings(world.configured(folder, *changes))


def test_adapter_h_another_version_is_refused_with_a_hint(folder, monkeypatch):
    from allot.verl.trainer import AllotTrainer

    monkeypatch.setattr(adapters, "installed", lambda name: "0.10.0")
    said = r"verl 0\.10\.0 is installed; >=0\.9\.1,<0\.9\.2 is what.*allot\.untested=true"
    with pytest.raises(allot.ConfigError, match=said):
        AllotTrainer(world.configured(folder))
    assert AllotTrainer(world.configured(folder, "+allot.untested=true"))


def test_a_missing_name_is_named():
    class Changed:
        def prepare_step(self):
            pass

        def _submit_batch_to_rollout(self, rows):
            pass

    with pytest.raises(allot.ConfigError) as caught:
        guard.check_class(Changed, guard.TRAINER)
    assert "_submit_batch_to_rollout(batch)" in str(caught.value)
    assert "_step_once" in str(caught.value) and "prepare_step" not in str(caught.value)


def test_a_method_that_verl_cannot_serve_is_refused_before_anything_starts():
    from allot.verl.owner import Owner

    with pytest.raises(allot.ConfigError, match="optpo.*cancel|cancel.*optpo"):
        Owner("optpo", {}, {"cancel": False, "grain": "request"})


@pytest.mark.parametrize("mode", ["sync", "colocate_async", "separate_async"])
def test_our_agent_loops_under_another_trainer_are_refused_before_anything_starts(folder, mode):
    from allot.verl.manager import AllotManager

    overlaps = ".*steps that overlap" if "async" in mode else ""
    said = f"trainer_mode is '{mode}'{overlaps}.*Hint: trainer.v1.trainer_mode=allot"
    with pytest.raises(allot.ConfigError, match=said):
        AllotManager(config=world.configured(folder, f"trainer.v1.trainer_mode={mode}"))


def test_our_trainer_with_other_agent_loops_is_refused():
    from allot.verl.trainer import AllotTrainer

    with pytest.raises(allot.ConfigError, match="those of object; AllotManager is needed. Hint: "):
        AllotTrainer.fit(AllotTrainer.__new__(AllotTrainer), object())


def test_a_group_of_one_and_held_rollouts_without_log_probabilities(folder):
    config = world.configured(folder, "actor_rollout_ref.rollout.n=1")
    with pytest.raises(
        allot.ConfigError, match=r"rollout\.n is 1; 2 or more.*Hint: .*rollout\.n=8"
    ):
        options_of(config, Settings())
    assert options_of(config, Settings.of({"group_size": 4}))["group_size"] == 4
    config.actor_rollout_ref.rollout.calculate_log_probs = False
    guard.refuse_held(config, "aero", {})
    with pytest.raises(allot.ConfigError, match="ar3po .*Hint: .*calculate_log_probs=true"):
        guard.refuse_held(config, "ar3po", {})


def test_weights_of_verl_are_not_for_rollouts_of_earlier_steps(folder):
    plain = world.configured(folder)
    weighted = world.configured(folder, "algorithm.rollout_correction.rollout_is=token")
    for config, method in ((plain, "ar3po"), (weighted, "grpo")):
        guard.refuse_held(config, method, {})
    with pytest.raises(
        allot.ConfigError, match="ar3po .*rollout_is=token.*Hint: .*rollout_is=null"
    ):
        guard.refuse_held(weighted, "ar3po", {})


# ---- prompts


def rows(count=6):
    return [
        {
            "prompt": [{"role": "user", "content": f"{i}="}],
            "reward_model": {"ground_truth": str(i)},
            "data_source": "digits",
            "extra_info": {"index": i, "name": f"row-{i}"},
        }
        for i in range(count)
    ]


def candidates(data, method="grpo", key=None, fetch=lambda: []):
    needs = allot.Controller(method).needs
    names = [name for name in dir(allot.Needs) if not name.startswith("_")]
    settings = Settings.of({"method": method, "key": key})
    plain = {name: getattr(needs, name) for name in names}
    return Candidates(plain, data, 3, settings, "prompt", fetch)


def fetched(row):
    """As verl's data set gives it: messages under another name, an index that may say nothing."""
    return {**row, "raw_prompt": row["prompt"], "index": 0, "uid": "1-2-3"}


def test_a_prompt_is_known_by_messages_and_answer_and_not_by_its_index():
    data = rows()
    again = [{**data[2], "extra_info": {"index": 77}}]
    found = candidates(data + again, fetch=lambda: [fetched(row) for row in again + data[:3]])
    assert len(found.index) == len(data)
    first = found.first(0, 0, 3)
    assert [found.index.position(prompt) for prompt, *_ in first] == [2, 0, 1]


def test_a_prior_pass_rate_comes_along_and_changes_no_id():
    data = rows()
    rated = [{**row, "prior_pass_rate": 0.25 * (i % 2)} for i, row in enumerate(data)]
    found = candidates(rated, fetch=lambda: [fetched(row) for row in rated[:3]])
    assert [rate for *_, rate in found.first(0, 0, 3)] == [0.0, 0.25, 0.0]
    assert found.index.ids.tolist() == candidates(data).index.ids.tolist()
    assert {rate for *_, rate in candidates(data, "dapo").first(0, 0, 3)} == {None}


def test_the_same_question_with_another_answer_is_another_prompt():
    data = rows(2)
    other = {**data[0], "reward_model": {"ground_truth": "other"}}
    assert len(candidates([*data, other]).index) == 3


def test_adapter_i_a_key_that_two_different_rows_share_is_refused():
    data = rows(3)
    assert len(candidates(data, key="extra_info.name").index) == 3
    data[2]["extra_info"]["name"] = "row-0"
    with pytest.raises(allot.DataError, match="one key.*Hint: without allot.key, messages, "):
        candidates(data, key="extra_info.name")


def test_a_method_that_chooses_draws_from_the_data_itself():
    def never():
        raise AssertionError("the data loader was asked")

    found = candidates(rows(), "dapo", fetch=never)
    shown = found.first(0, 0, 3)
    more = found.further(3)
    ids = [prompt for prompt, *_ in [*shown, *more]]
    assert len(set(ids)) == len(ids) == 6 and found.further(3) == []


def test_rows_of_configurations_and_arrays_are_the_same_prompt():
    row = rows(1)[0]
    other = {**row, "prompt": OmegaConf.create(row["prompt"])}
    other["prompt"] = OmegaConf.to_container(other["prompt"])
    assert view(row, "prompt", ()) == view(fetched(other), "prompt", ())


BEFORE = {"method": "aero", "explore": 2, "budget": {"hard_rollouts": 64}}


def resumed(folder, section):
    """A session with these settings loads a checkpoint of one with BEFORE, as far as needs no
    actor."""
    found = [Settings.of(one) for one in (BEFORE, section)]
    before, now = (same_when_resumed(one, one.options) for one in found)
    state = {"version": sessions.VERSION, "step": 3, "settings": before}
    torch.save(state, folder / sessions.FILE)
    session = Session.__new__(Session)
    session._same = now
    session.load(str(folder), 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "grpo"}, r"allot\.method: 'aero' -> 'grpo'"),
        (
            {"explore": 4},
            r"settings: allot\.explore: 2 -> 4; a run goes on only .* Hint: trainer\.",
        ),
        ({"group_size": 4}, r"allot\.group_size: 8 -> 4; a run"),
        ({"adv": {"scale": "none"}}, r"allot\.adv_scale: 'group' -> 'none'; a run"),
        ({"success_threshold": 0.9}, r"allot\.success_threshold: 0\.5 -> 0\.9; a run"),
        ({"normalizer": "host"}, r"allot\.normalizer: 'method' -> 'host'; a run"),
        ({"budget": {}}, r"allot\.budget: {'hard_rollouts': 64} -> {}; a run"),
    ],
)
def test_another_run_does_not_go_on_from_a_checkpoint(tmp_path, change, message):
    with pytest.raises(allot.ModelError, match=r"\[verl\] .*allot\.pt is of a run .*" + message):
        resumed(tmp_path, {**BEFORE, **change})


def test_what_a_resumed_run_may_change(tmp_path):
    """Memory, and the same options given in another way: the load comes as far as the owner."""
    section = {**BEFORE, "replay_mib": 1, "aero": {"explore": "2"}, "kept_wrong": 1}
    del section["explore"]
    with pytest.raises(AttributeError, match="owner"):
        resumed(tmp_path, section)
