"""These tests need TRL; without it none of them is looked at."""

import importlib.util
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
collect_ignore_glob = [] if importlib.util.find_spec("trl") else ["test_*.py"]
