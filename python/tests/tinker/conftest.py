"""These tests need tinker; without it none of them is looked at."""

import importlib.util
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
# This very folder can be found as a package without an origin; tinker has one.
spec = importlib.util.find_spec("tinker")
collect_ignore_glob = [] if spec and spec.origin else ["test_*.py"]
