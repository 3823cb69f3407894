"""allot in TRL: `from allot.trl import GRPOTrainer` in the place of `from trl import GRPOTrainer`.

The manual is docs/trl.md.
"""

from .allocation import Allocation
from ..identity import content
from .trainer import GRPOTrainer

__all__ = ["Allocation", "GRPOTrainer", "content"]
