"""Losses and gradients of `allot objective` equal those of TRL, called as it is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def test_losses_are_those_of_trl():
    program = ROOT / "build" / "allot"
    if not program.exists():
        pytest.skip("build/allot is missing; scripts/build makes it")
    command = [sys.executable, str(ROOT / "dev" / "check_losses.py"), "trl", str(program)]
    said = subprocess.run(command, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
