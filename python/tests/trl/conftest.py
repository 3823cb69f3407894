"""These tests need TRL; without it they are not looked at."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="TRL is not installed")
sys.path.insert(0, str(Path(__file__).parent))
