"""What the adapter needs of verl: the names it uses, settings it can serve."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import allot

from ..adapters import missing_calls

ESTIMATOR = "allot"
MODE = "allot"  # of trainer.v1.trainer_mode

# Methods of the synchronous trainer and of the agent-loop worker with the parameters used.
TRAINER = {
    "prepare_step": (),
    "_build_replay_buffer": (),
    "_init_dataloader": (),
    "_fetch_one_gen_batch": (),
    "_submit_batch_to_rollout": ("batch",),
    "_step_once": ("metrics", "timing_raw", "sample_batch_size"),
    "_compute_old_log_prob": ("batch", "metrics"),
    "_compute_advantage": ("batch", "metrics"),
    "_compute_metrics": ("batch", "metrics", "timing_raw", "global_steps", "epoch"),
    "_save_checkpoint": (),
    "_load_checkpoint": (),
}
WORKER = {
    "_run_prompt": ("prompt", "sampling_params", "trajectory", "trace"),
    "_run_agent_loop": ("sampling_params", "trajectory", "agent_name", "trace"),
    "_agent_loop_postprocess": ("output", "validate"),
    "_compute_score": ("outputs", "kwargs"),
}


def check_class(kind: type, methods: dict[str, tuple[str, ...]]) -> None:
    missing = missing_calls(kind, methods)
    if missing:
        raise allot.ConfigError(
            f"[verl] verl {version('verl')} has no {', '.join(missing)} in {kind.__name__}; the "
            f"adapter needs that. Hint: python -m allot doctor names the versions that were tested"
        )


def refuse_settings(config: Any) -> None:
    """Settings with which the method would silently be another one."""
    algorithm, reward, trainer = config.algorithm, config.reward, config.trainer
    model, filtering = reward.reward_model, algorithm.get("filter_groups") or {}
    distillation = config.get("distillation") or {}
    sampler = trainer.v1.sampler
    correction = algorithm.get("rollout_correction") or {}
    loss = (config.actor_rollout_ref.actor.get("policy_loss") or {}).get("loss_mode")
    skip = ((config.get("skip") or {}).get("rollout_tq") or {}).get("enable", False)
    refusals = {
        f"algorithm.adv_estimator={algorithm.adv_estimator} (it is {ESTIMATOR!r} that has the "
        f"method's advantages)": algorithm.adv_estimator != ESTIMATOR,
        "a critic": bool(config.critic.enable),
        "algorithm.use_kl_in_reward (the method has decided before the penalty is known)": (
            algorithm.use_kl_in_reward
        ),
        "a colocated reward model (its rewards come after all decisions)": (
            model.enable and not model.enable_resource_pool
        ),
        "distillation": distillation.get("enabled", False),
        "trainer.v1.sampler.sync_refill_failed_groups (methods handle failures)": (
            sampler.sync_refill_failed_groups
        ),
        "trainer.v1.sampler.custom_sampler": bool((sampler.custom_sampler or {}).get("path")),
        "skip.rollout_tq": skip,
        "algorithm.filter_groups.enable without algorithm.filter_groups.metric": (
            filtering.get("enable", False) and not filtering.get("metric")
        ),
        "algorithm.rollout_correction.bypass_mode (the method says which ratios are against the "
        "policy that generated a rollout)": correction.get("bypass_mode", False),
        "actor.policy_loss.loss_mode=bypass_mode (the same)": loss == "bypass_mode",
        f"algorithm.rollout_correction.rollout_rs={correction.get('rollout_rs')} (it drops tokens "
        f"and rollouts that the method has counted)": bool(correction.get("rollout_rs")),
        "filter_groups without rollout.calculate_log_probs (surplus groups need them)": (
            filtering.get("enable", False)
            and not config.actor_rollout_ref.rollout.calculate_log_probs
        ),
    }
    found = [name for name, given in refusals.items() if given]
    if found:
        raise allot.ConfigError(f"[verl] {'; '.join(found)}: not served by the allot trainer")


def refuse_other_trainers(config: Any) -> None:
    """Our agent loops wait for the owner that allot's trainer makes: under another trainer every
    prompt would fail."""
    mode = config.trainer.v1.trainer_mode
    if mode == MODE and "owner" in (config.get("allot") or {}):
        return
    overlap = " (steps that overlap are not served; docs/verl.md)" if "async" in mode else ""
    raise allot.ConfigError(
        f"[verl] trainer.v1.trainer_mode is {mode!r}{overlap}; AllotManager works with the trainer "
        f"{MODE!r} alone. Hint: trainer.v1.trainer_mode={MODE}, or no agent_loop_manager_class"
    )


def refuse_held(config: Any, method: str, options: dict[str, Any]) -> None:
    """Settings that a method cannot have that trains on rollouts of earlier steps."""
    if not allot.Controller(method, **options).needs.hold:
        return
    if not config.actor_rollout_ref.rollout.calculate_log_probs:
        raise allot.ConfigError(
            f"[verl] {method} trains on rollouts of earlier steps, and without "
            f"rollout.calculate_log_probs their policy is not known. "
            f"Hint: actor_rollout_ref.rollout.calculate_log_probs=true"
        )
    weights = (config.algorithm.get("rollout_correction") or {}).get("rollout_is")
    if weights:
        raise allot.ConfigError(
            f"[verl] {method} trains on rollouts of earlier steps and says how they enter the "
            f"loss; algorithm.rollout_correction.rollout_is={weights} would weigh them again, by "
            f"their ratio to the policy that generated them. "
            f"Hint: algorithm.rollout_correction.rollout_is=null"
        )


def refuse_data(dataset: Any, data_config: Any) -> None:
    table = getattr(dataset, "dataframe", dataset)
    if not (hasattr(table, "__len__") and hasattr(table, "__getitem__")):
        raise allot.ConfigError(
            "[verl] the training data can only be iterated; a data set with len() and [] is needed"
        )
    columns = set(getattr(table, "column_names", None) or ())
    named = {data_config.get(f"{kind}_key", f"{kind}s") for kind in ("image", "video", "audio")}
    if columns & named:
        raise allot.ConfigError(
            f"[verl] the training data has the columns {', '.join(sorted(columns & named))}; text "
            f"prompts are what the adapter serves"
        )
