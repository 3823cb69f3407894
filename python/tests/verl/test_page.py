"""The first run of docs/verl.md, as it stands there but for the model and what goes with it."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
import ray
import world
from allot import adapters
from allot.verl import Settings
from allot.verl.manager import AllotManager
from allot.verl.trainer import AllotTrainer
from verl.utils.config import validate_config

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "verl.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    world.make(tmp_path)
    monkeypatch.chdir(tmp_path)
    world.start_ray()
    yield tmp_path
    ray.shutdown()


def test_the_first_run(folder):
    (data,), (command,) = blocks("python"), blocks("bash")
    exec(compile(data, "docs/verl.md", "exec"), {})
    words = shlex.split(command.replace("\\\n", " ").replace("$PWD", str(folder)))
    assert words[:3] == ["python", "-m", "verl.trainer.main_ppo"]
    given = world.composed(words[3:])
    validate_config(given, use_reference_policy=False, use_critic=False)
    config = world.composed(
        [
            *words[3:],
            f"actor_rollout_ref.model.path={folder}/model",
            f"data.max_response_length={world.LONGEST}",
            "data.dataloader_num_workers=0",
            "actor_rollout_ref.rollout.agent.num_workers=1",
            "reward.num_workers=1",
            "trainer.logger=[]",
            "trainer.test_freq=-1",
            "trainer.total_training_steps=2",
        ]
    )
    trainer = world.run(AllotTrainer, AllotManager, config)
    assert len(trainer.history) == 2
    assert trainer.asked >= 2 * 16 * 4
    right = sum(float(update["rm_scores"].sum()) for update in trainer.actor_rollout_wg.updates)
    assert right > 0, "no answer was right"


def test_the_versions_are_those_of_the_tests():
    every = adapters.declared()["adapters"]
    pins = next(one["tested_with"] for one in every if one["host"] == "verl")
    named = dict(re.findall(r'"(\w+)==([\d.]+)"', TEXT))
    assert len(named) == 5 and named.items() <= pins.items()


def test_every_setting_is_there():
    for field in fields(Settings):
        if field.name != "options":
            assert f"| `{field.name}` |" in TEXT, field.name
