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
    "test_base_config_on_cpu.py",
    "test_protocol_on_cpu.py",
    "test_protocol_v2_on_cpu.py",
    "trainer/**/test_*.py",
    "experimental/agent_loop/test_*_on_cpu.py",
]


def test_they_pass_with_the_plugin_loaded(tmp_path):
    env = {**os.environ, "VERL_USE_EXTERNAL_MODULES": "allot.verl.plugin"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:warnings"]
    command += [f"--rootdir={SHIPPED}", "--import-mode=importlib"]
    files = sorted(path for name in CHOSEN for path in SHIPPED.glob(name))
    assert len(files) >= 20, "verl ships its tests elsewhere"
    command += map(str, files)
    said = subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path)
    assert said.returncode == 0, said.stdout[-5000:]
    found = re.search(r"(\d+) passed", said.stdout)
    assert found and int(found.group(1)) > 150, said.stdout[-500:]
    print(said.stdout.splitlines()[-1])
