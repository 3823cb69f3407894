"""Compares `allot objective` with a library's own losses, in the environment of that library."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def check(library: str) -> None:
    program = ROOT / "build" / "allot"
    if not program.exists():
        pytest.skip("build/allot is missing; scripts/build makes it")
    command = [sys.executable, str(ROOT / "dev" / "check_losses.py"), library, str(program)]
    said = subprocess.run(command, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
