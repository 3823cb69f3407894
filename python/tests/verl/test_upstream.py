"""verl's own tests, as its package ships them, with the plugin loaded: those of the parts that the
adapter touches, on the CPU."""

import os
import re
import subprocess
import sys
from pathlib import Path

import verl

SHIPPED = Path(verl.__file__).parents[1] / "tests"
CHOSEN = [
    "test_protocol_on_cpu.py",
    "trainer/test_multi_trajectories_advantage_on_cpu.py",
    "trainer/ppo/test_core_algos_on_cpu.py",
    "trainer/ppo/test_loss_aggregation_on_cpu.py",
]


def test_they_pass_with_the_plugin_loaded(tmp_path):
    env = {**os.environ, "VERL_USE_EXTERNAL_MODULES": "allot.verl.plugin"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:warnings"]
    command += [f"--rootdir={SHIPPED}", "--import-mode=importlib"]
    command += [str(SHIPPED / name) for name in CHOSEN]
    said = subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path)
    assert said.returncode == 0, said.stdout[-5000:]
    found = re.search(r"(\d+) passed", said.stdout)
    assert found and int(found.group(1)) > 50, said.stdout[-500:]
    print(said.stdout.splitlines()[-1])
