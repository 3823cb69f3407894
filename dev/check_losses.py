"""Compares `allot objective` with the loss functions of TRL and verl, called as they are installed.

    PYTHON dev/check_losses.py trl [PROGRAM]      in an environment with trl (.cache/hosts/trl)
    PYTHON dev/check_losses.py verl [PROGRAM]     in one with verl, omegaconf and tensordict

Random batches of uneven lengths and groups in double precision; prints a line per comparison with
the largest relative difference of loss and gradient, and fails above 1e-6. Of verl only the loss
functions are used: packages that they do not call (ray, hydra, ..) are replaced by empty ones where
they are missing. PROGRAM is build/allot.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import torch

GROUPS = (5, 3, 2, 4)


class Empty(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands in for packages that are imported and not used."""

    names = ("ray", "codetiming", "hydra", "orjson", "torchdata", "cloudpickle", "pyvers", "peft")

    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in self.names:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = MagicMock(name=spec.name)
        module.__path__ = []
        module.__spec__ = spec
        return module

    def exec_module(self, module):
        pass


def batch(seed: int, noise: float = 0.3) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rows = sum(GROUPS)
    lengths = torch.randint(1, 9, (rows,), generator=generator)
    mask = (torch.arange(8)[None] < lengths[:, None]).double()

    def normal() -> torch.Tensor:
        return torch.randn(rows, 8, generator=generator, dtype=torch.double)

    new = -0.2 - 2 * torch.rand(rows, 8, generator=generator, dtype=torch.double)
    group = torch.repeat_interleave(torch.arange(len(GROUPS)), torch.tensor(GROUPS))
    return {
        "logprobs": new,
        "old": new + noise * normal(),
        "rollout": new + noise * normal(),
        "ref": new + noise * normal(),
        "mask": mask,
        "group": group,
        "rewards": torch.randint(0, 4, (rows,), generator=generator).double(),
        "advantages": torch.randn(rows, generator=generator, dtype=torch.double),
    }


class Ours:
    def __init__(self, program: str):
        self.program = program

    def __call__(self, b, preset: str, options: dict[str, object], **fields: object):
        line = {
            "preset": preset,
            "options": options,
            "logprobs": b["logprobs"].tolist(),
            "old_logprobs": b["old"].tolist(),
            "rollout_logprobs": b["rollout"].tolist(),
            "ref_logprobs": b["ref"].tolist(),
            "mask": b["mask"].tolist(),
            "group_index": b["group"].tolist(),
        }
        if "rewards" not in fields:
            line["external_advantage"] = b["advantages"].tolist()
        line.update(fields)
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            done = subprocess.run(
                [self.program, "objective", file.name], capture_output=True, text=True
            )
        if done.returncode != 0:
            sys.exit(done.stderr)
        return json.loads(done.stdout)


worst = 0.0


def report(name: str, theirs: torch.Tensor, ours: object) -> None:
    global worst
    wanted = torch.as_tensor(ours, dtype=torch.double)
    difference = ((theirs - wanted).abs().max() / (1 + wanted.abs().max())).item()
    worst = max(worst, difference)
    print(f"{name:60s} {difference:.1e}{'' if difference < 1e-6 else '   DIFFERS'}")


def compare_loss(name: str, b, function, result) -> None:
    new = b["logprobs"].clone().requires_grad_()
    loss = function(new)
    loss.backward()
    report(name + ": loss", loss.detach(), result["loss"])
    report(name + ": gradient", new.grad, result["grad"])


def trl_trainer(loss_type: str, **settings):
    """An object with what the loss reads of a trainer."""
    args = SimpleNamespace(
        delta=None,
        use_bias_correction_kl=False,
        sapo_temperature_pos=1.0,
        sapo_temperature_neg=1.05,
        vespo_k_pos=2.0,
        vespo_lambda_pos=3.0,
        vespo_k_neg=3.0,
        vespo_lambda_neg=2.0,
        steps_per_generation=1,
    )
    trainer = MagicMock()
    trainer.args = args
    trainer.loss_type = loss_type
    trainer.aux_loss_enabled = trainer.use_vllm = trainer._entropy_bonus_enabled = False
    trainer.top_entropy_quantile = 1.0
    trainer.off_policy_mask_threshold = None
    trainer.importance_sampling_level = "token"
    trainer.beta = 0.0
    trainer.epsilon_low = trainer.epsilon_high = 0.2
    trainer.max_completion_length = 8
    trainer.current_gradient_accumulation_steps = 1
    trainer.accelerator.num_processes = 1
    trainer.accelerator.gather = trainer.accelerator.gather_for_metrics = lambda values: values
    trainer.model.training = True
    for key, value in settings.items():
        setattr(args if hasattr(args, key) else trainer, key, value)
    return trainer


def check_trl(ours: Ours) -> None:
    from trl import GRPOTrainer

    tokens = {"loss.aggregation": "token_mean"}
    sequences = {"loss.aggregation": "seq_mean_token_mean"}
    clip = {"loss.clip_low": 0.2, "loss.clip_high": 0.2}
    cases = [
        ("dapo", {"epsilon_high": 0.28}, "dapo", {}),
        ("grpo", {"beta": 0.04}, "grpo", {}),
        (
            "grpo",
            {"beta": 0.04, "use_bias_correction_kl": True},
            "grpo",
            {"loss.kl.importance_weighted": True},
        ),
        ("grpo", {"delta": 1.5}, "custom", {**sequences, **clip, "loss.ratio_cap": 1.5}),
        ("dr_grpo", {}, "dr_grpo", {"loss.norm_constant": 8}),
        ("bnpo", {}, "custom", tokens),
        ("cispo", {"epsilon_high": 1.5}, "cispo", {"loss.weight_max": 1.5}),
        ("sapo", {}, "sapo", {}),
        ("vespo", {}, "vespo", {}),
        (
            "grpo",
            {"importance_sampling_level": "sequence", "epsilon_low": 3e-2, "epsilon_high": 4e-2},
            "gspo",
            {"loss.clip_low": 3e-2, "loss.clip_high": 4e-2},
        ),
        (
            "luspo",
            {"importance_sampling_level": "sequence", "epsilon_low": 3e-2, "epsilon_high": 4e-2},
            "luspo",
            {"loss.clip_low": 3e-2, "loss.clip_high": 4e-2},
        ),
        (
            "dapo",
            {"off_policy_mask_threshold": 0.05},
            "custom",
            {**tokens, "loss.masks": "[off_policy_sequence]", "loss.off_policy_delta": 0.05},
        ),
    ]
    for loss_type, settings, preset, options in cases:
        for seed in range(3):
            b = batch(seed)
            trainer = trl_trainer(loss_type, **settings)
            trainer.get_gamma_weights = GRPOTrainer.get_gamma_weights
            trainer.get_off_policy_mask = GRPOTrainer.get_off_policy_mask

            def loss(new, b=b, trainer=trainer):
                trainer._get_per_token_logps_and_entropies.return_value = (
                    new,
                    torch.zeros_like(new),
                    None,
                )
                nothing = torch.zeros(len(new), 1)
                inputs = {
                    "prompt_ids": nothing,
                    "prompt_mask": nothing,
                    "completion_ids": torch.zeros_like(new),
                    "completion_mask": b["mask"],
                    "advantages": b["advantages"],
                    "old_per_token_logps": b["old"],
                    "ref_per_token_logps": b["ref"],
                    "sampling_per_token_logps": b["rollout"],
                    "num_items_in_batch": b["mask"].sum(),
                }
                return GRPOTrainer._compute_loss(trainer, None, inputs)

            result = ours(b, preset, {"loss.compat": "trl", **options})
            extra = ", ".join(f"{k}={v}" for k, v in settings.items())
            compare_loss(f"{loss_type} {extra} #{seed}", b, loss, result)


def check_verl(ours: Ours) -> None:
    sys.meta_path.append(Empty())
    import numpy as np
    from verl.trainer.ppo import core_algos as algos
    from verl.workers.config import ActorConfig

    class Config(ActorConfig):  # without the checks of a whole trainer
        def __init__(self, **settings):
            values = dict(
                clip_ratio=0.2,
                clip_ratio_low=0.2,
                clip_ratio_high=0.2,
                tau_pos=1.0,
                tau_neg=1.05,
                clip_ratio_c=3.0,
                global_batch_info={},
            )
            for key, value in {**values, **settings}.items():
                object.__setattr__(self, key, value)

        def get(self, key, default=None):
            return getattr(self, key, default)

    loose = {"clip_ratio_low": 0.1, "clip_ratio_high": 0.1}
    delta = {"loss.divergence.delta_low": 0.1, "loss.divergence.delta_high": 0.1}
    on_old = {"loss.weight_anchor": "old", "loss.mask_anchor": "old"}
    tokens, means = "token-mean", "seq-mean-token-mean"
    ours_of = {
        tokens: {"loss.aggregation": "token_mean"},
        means: {"loss.aggregation": "seq_mean_token_mean"},
        "seq-mean-token-sum": {"loss.aggregation": "seq_mean_token_sum"},
        "token-sum": {"loss.aggregation": "token_sum"},
    }
    cases = [("vanilla", {}, mode, "custom", setting) for mode, setting in ours_of.items()]
    cases += [
        ("vanilla", {"clip_ratio_high": 0.28}, tokens, "dapo", {}),
        (
            "gspo",
            {"clip_ratio_low": 3e-2, "clip_ratio_high": 4e-2},
            means,
            "gspo_token",
            {"loss.clip_low": 3e-2, "loss.clip_high": 4e-2},
        ),
        ("sapo", {}, means, "sapo", {}),
        ("cispo", {}, tokens, "cispo", {"loss.weight_eps_low": 0.2, "loss.weight_eps_high": 0.2}),
        (
            "geo_mean",
            {"clip_ratio_low": 0.1, "clip_ratio_high": 0.1},
            means,
            "gmpo",
            {"loss.clip_low": 0.1, "loss.clip_high": 0.1},
        ),
        (
            "dppo_tv",
            {**loose, "clip_ratio_c": 1.8},
            tokens,
            "dppo",
            {**ours_of[tokens], **delta, **on_old, "loss.weight_max": 1.8},
        ),
        (
            "dppo_kl",
            {**loose, "clip_ratio_c": 1.8},
            tokens,
            "dppo",
            {
                **ours_of[tokens],
                **delta,
                **on_old,
                "loss.weight_max": 1.8,
                "loss.divergence.kind": "binary_kl",
            },
        ),
        ("gpg", {}, tokens, "custom", {"loss.surrogate": "reinforce", **ours_of[tokens]}),
    ]
    for mode, settings, aggregation, preset, options in cases:
        for seed in range(3):
            b = batch(seed)

            def loss(new, b=b, mode=mode, settings=settings, aggregation=aggregation):
                advantages = b["advantages"][:, None].expand_as(new)
                function = algos.get_policy_loss_fn(mode)
                return function(
                    b["old"], new, advantages, b["mask"], aggregation, Config(**settings)
                )[0]

            result = ours(b, preset, {"loss.compat": "verl", **options})
            compare_loss(f"{mode} {aggregation} #{seed}", b, loss, result)
    check_verl_advantages(ours, algos, np)
    check_verl_kl(ours, algos)


def check_verl_gdpo(ours: Ours, algos, b, seed: int) -> None:
    """Two rewards of weights 1 and .5, one of them alike in the whole first group."""
    mask, index = b["mask"], b["group"].numpy()
    second = b["rewards"].flip(0).clone()
    second[: GROUPS[0]] = 1.0
    names, weights = ("first", "second"), (1.0, 0.5)
    theirs = algos.compute_gdpo_outcome_advantage(
        token_level_rewards=torch.zeros_like(mask),
        response_mask=mask,
        index=index,
        config={"gdpo_reward_keys": list(names), "gdpo_reward_weights": list(weights)},
        non_tensor_batch={"first": b["rewards"].numpy(), "second": second.numpy()},
        batch={
            "prompts": torch.zeros(len(mask), 1),
            "attention_mask": torch.cat([torch.ones(len(mask), 1), mask], 1).long(),
        },
    )[0]
    result = ours(
        b,
        "gdpo",
        {
            "adv.reward_weights": list(weights),
            "adv.unit": "token",
            "adv.eps": 1e-6,
            "loss.compat": "verl",
        },
        rewards=torch.stack([b["rewards"], second], 1).tolist(),
    )
    found = torch.tensor(result["advantages"], dtype=torch.double) * mask
    report(f"advantages, gdpo #{seed}", theirs, found)


def check_verl_advantages(ours: Ours, algos, np) -> None:
    for seed in range(3):
        b = batch(seed)
        mask = b["mask"]
        index = b["group"].numpy()

        def scores(b=b, mask=mask):  # the reward stands at the last token
            out = torch.zeros_like(mask)
            last = mask.sum(-1).long() - 1
            out[torch.arange(len(last)), last] = b["rewards"]
            return out

        def theirs(function, **more):
            return function(token_level_rewards=scores(), response_mask=mask, **more)[0]  # noqa: B023

        check_verl_gdpo(ours, algos, b, seed)
        rewards = b["rewards"].tolist()
        cases = [
            ("grpo", algos.compute_grpo_outcome_advantage, {"index": index}, {}),
            (
                "dr_grpo",
                algos.compute_grpo_outcome_advantage,
                {"index": index, "norm_adv_by_std_in_grpo": False},
                {"adv.scale": "none"},
            ),
            (
                "rloo",
                algos.compute_rloo_outcome_advantage,
                {"index": index},
                {"adv.estimator": "leave_one_out"},
            ),
            (
                "reinforce++ baseline",
                algos.compute_reinforce_plus_plus_baseline_outcome_advantage,
                {"index": index},
                {"adv.estimator": "reinforce_plus_plus_baseline", "adv.unit": "token"},
            ),
            (
                "reinforce++",
                algos.compute_reinforce_plus_plus_outcome_advantage,
                {"config": SimpleNamespace(gamma=1.0)},
                {"adv.estimator": "reinforce_plus_plus"},
            ),
            (
                "reinforce++, gamma .9",
                algos.compute_reinforce_plus_plus_outcome_advantage,
                {"config": SimpleNamespace(gamma=0.9)},
                {"adv.estimator": "reinforce_plus_plus", "adv.gamma": 0.9},
            ),
            (
                "pass@k",
                algos.compute_grpo_passk_outcome_advantage,
                {"index": index, "config": {}},
                {"adv.estimator": "pass_at_k"},
            ),
        ]
        for name, function, more, options in cases:
            result = ours(
                b, "custom", {"adv.eps": 1e-6, "loss.compat": "verl", **options}, rewards=rewards
            )
            found = torch.tensor(result["advantages"], dtype=torch.double) * mask
            report(f"advantages, {name} #{seed}", theirs(function, **more), found)


def check_verl_kl(ours: Ours, algos) -> None:
    """As a term of weight 1; also far from the reference, where verl cuts the value of k3."""
    for seed, noise in ((0, 0.3), (1, 0.3), (2, 2.0)):
        b = batch(seed, noise)
        mask = b["mask"]
        for name in ("k1", "k2", "k3", "abs"):
            for through in ("", "+"):
                if name == "k1" and not through:
                    continue  # refused: its gradient has mean zero
                options = {
                    "loss.compat": "verl",
                    "loss.kl.placement": "in_loss",
                    "loss.kl.beta": 1,
                    "loss.kl.estimator": name,
                    "loss.kl.straight_through": bool(through),
                    "loss.aggregation": "token_mean",
                }
                result = ours(b, "custom", options, external_advantage=[0.0] * len(mask))
                compare_loss(
                    f"kl {name}{through} #{seed}",
                    b,
                    lambda new: (
                        (algos.kl_penalty(new, b["ref"], name + through) * mask).sum()  # noqa: B023
                        / mask.sum()
                    ),  # noqa: B023
                    result,
                )


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in ("trl", "verl"):
        sys.exit(__doc__)
    root = Path(__file__).resolve().parents[1]
    ours = Ours(sys.argv[2] if len(sys.argv) > 2 else str(root / "build" / "allot"))
    torch.set_num_threads(1)
    {"trl": check_trl, "verl": check_verl}[sys.argv[1]](ours)
    print(f"largest difference {worst:.1e}")
    sys.exit(worst >= 1e-6)


if __name__ == "__main__":
    main()
