"""What verl loads in every process (entry point `verl.plugins`): it registers the estimator and the
trainer; agent loops are found by the name of their class.

verl tells failures of an entry point at the level DEBUG only. VERL_USE_EXTERNAL_MODULES with this
module's name loads it aloud.
"""

from . import estimator, trainer

__all__ = ["estimator", "trainer"]
