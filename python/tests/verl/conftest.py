"""These tests need verl; without it none of them is looked at."""

import importlib.util
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# This very folder can be found as a package without an origin; verl has one.
spec = importlib.util.find_spec("verl")
collect_ignore_glob = [] if spec and spec.origin else ["test_*.py"]
