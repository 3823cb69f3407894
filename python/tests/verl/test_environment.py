"""The environment of these tests is the one that adapters.json pins, and verl finds the plugin."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from allot import adapters


def test_the_pinned_versions_are_here():
    entries = json.loads((Path(adapters.__file__).parent / "adapters.json").read_text())["adapters"]
    pins = next(entry["tested_with"] for entry in entries if entry["host"] == "verl")
    assert {name: version(name) for name in pins} == pins
    assert {row.verdict for row in adapters.found() if row.host == "verl"} == {"ok"}


def test_verl_loads_the_plugin_by_its_entry_point(tmp_path):
    """As an installed package declares it; what pyproject.toml says is read there by pip."""
    declared = (Path(__file__).resolve().parents[3] / "pyproject.toml").read_text(encoding="utf-8")
    point = 'allot = "allot.verl.plugin"'
    assert f'[project.entry-points."verl.plugins"]\n{point}\n' in declared
    folder = tmp_path / "allot-0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: allot\nVersion: 0\n")
    points = "[verl.plugins]\n" + point.replace('"', "")
    (folder / "entry_points.txt").write_text(points)
    path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    say = (
        "from verl.trainer.ppo.v1 import get_trainer_cls; "
        "from verl.trainer.ppo.core_algos import get_adv_estimator_fn; "
        "print(get_trainer_cls('allot').__module__, get_adv_estimator_fn('allot').__module__)"
    )
    env = {**os.environ, "PYTHONPATH": path}
    env.pop("VERL_USE_EXTERNAL_MODULES", None)
    said = subprocess.run([sys.executable, "-c", say], capture_output=True, text=True, env=env)
    assert said.stdout.split() == ["allot.verl.trainer", "allot.verl.estimator"], said.stderr


def test_our_classes_are_found_by_their_names():
    from verl.utils.import_utils import load_class_from_fqn

    manager = load_class_from_fqn("allot.verl.manager.AllotManager", "AgentLoopManager")
    assert manager.serves_allot
