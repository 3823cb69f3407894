"""examples/ray_data_parallel.py: two ranks over gloo make equal plans and stay equal."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
RUN = """
import sys
sys.path.insert(0, "examples")
import ray
import ray_data_parallel as example
ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20,
         runtime_env={"working_dir": None}, log_to_driver=False)
rewards, reports = example.train(2, 25, "aero")
assert reports[0] == reports[1], "the ranks have parted"
sizes = {n for _, n in reports[0][0]}
print("sizes", len(sizes), "requests", len(reports[0][0]))
print("rewards", sum(rewards[:5]) / 5, sum(rewards[-5:]) / 5)
"""


def test_equal_plans_on_all_ranks():
    quiet = ("prestart_worker_first_driver", "enable_worker_prestart", "worker_niceness")
    env = {**os.environ, **{f"RAY_{name}": "0" for name in quiet}}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "examples"), env["PYTHONPATH"]])
    said = subprocess.run(
        [sys.executable, "-c", RUN], capture_output=True, text=True, env=env, cwd=ROOT
    )
    assert said.returncode == 0, said.stderr[-3000:]
    words = said.stdout.split()
    assert int(words[words.index("sizes") + 1]) > 1, "one group size: nothing was decided"
    first, last = (float(one) for one in words[words.index("rewards") + 1 :][:2])
    assert last > first, (first, last)
