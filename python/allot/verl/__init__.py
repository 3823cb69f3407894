"""allot in verl: a trainer, an agent-loop manager and an advantage estimator for its V1 loop.

    trainer.v1.trainer_mode=allot  algorithm.adv_estimator=allot
    +actor_rollout_ref.rollout.agent.agent_loop_manager_class=allot.verl.manager.AllotManager
    +allot.method=ar3po

verl finds `allot.verl.plugin` by its entry point. The manual is docs/verl.md.
"""

from .settings import Settings

__all__ = ["Settings"]
