"""usage.py runs, and mypy --strict has no remark about it or about the package."""

import subprocess
import sys
from pathlib import Path

import allot
import pytest
import usage

HERE = Path(__file__).parent


def test_usage_runs():
    usage.main()


def test_types(tmp_path):
    pytest.importorskip("mypy")
    folder = Path(allot.__file__).parent
    # An installed package is found by mypy itself, which takes none of its files by name.
    package = [] if "site-packages" in folder.parts else sorted(folder.rglob("*.py"))
    settings = ["--config-file", str(HERE.parents[1] / "pyproject.toml")]
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), *settings]
    files = [str(file) for file in (HERE / "usage.py", *package)]
    said = subprocess.run([*command, *files], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
