"""verl's synchronous V1 loop on a CPU: everything is verl's own (Ray, transfer queue, data loader,
agent loops, reward workers, balancing, advantages) but the model, which is a small table of torch
behind verl's two interfaces to one: a client that generates and a worker group that trains.

Prompts are digits d; an answer is right if its first token is a digit above d, so 0 is easy and 9
is hopeless. The reward is worth 1, and `acc` among its extra information says the same.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import ray
import torch
import transfer_queue as tq
from hydra import compose, initialize_config_module
from logged_owner import LoggedOwner
from omegaconf import OmegaConf, open_dict
from tensordict import TensorDict

DIGITS = "0123456789"
VOCABULARY = ["<pad>", "<eos>", *DIGITS, "="]
LONGEST = 4
REWARD = """
def score(data_source, solution_str, ground_truth, extra_info=None, **others):
    if "{raise_on}" and ground_truth == "{raise_on}":
        raise ValueError("no verifier for this one")
    right = solution_str[:1].isdigit() and solution_str[:1] > ground_truth
    return {{"score": float(right), "acc": float(right)}}
"""


def make(folder: Path, prompts: int = 40, raise_on: str = "") -> None:
    """Files of the world: a tokenizer with a chat template, prompts, the reward."""
    import pandas as pd
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({t: i for i, t in enumerate(VOCABULARY)}, unk_token="<pad>"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    inner.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="<eos>", padding_side="left"
    )
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    tokenizer.save_pretrained(folder / "model")
    config = LlamaConfig(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    config.architectures = ["LlamaForCausalLM"]
    config.save_pretrained(folder / "model")
    rows = [
        {
            "data_source": "digits",
            "prompt": [{"role": "user", "content": f"{i // 10}{i % 10}="}],
            "reward_model": {"style": "rule", "ground_truth": str(i % 10)},
            "extra_info": {"index": i},
        }
        for i in range(prompts)
    ]
    pd.DataFrame(rows).to_parquet(folder / "train.parquet")
    pd.DataFrame(rows[:4]).to_parquet(folder / "val.parquet")
    (folder / "reward.py").write_text(REWARD.format(raise_on=raise_on))


def configured(folder: Path, *changes: str) -> Any:
    given = [
        f"data.train_files={folder}/train.parquet",
        f"data.val_files={folder}/val.parquet",
        "data.train_batch_size=8",
        "data.max_prompt_length=64",
        f"data.max_response_length={LONGEST}",
        "data.dataloader_num_workers=0",
        "data.shuffle=false",
        f"actor_rollout_ref.model.path={folder}/model",
        "actor_rollout_ref.rollout.name=vllm",
        "actor_rollout_ref.rollout.n=4",
        "actor_rollout_ref.rollout.agent.num_workers=2",
        "actor_rollout_ref.rollout.calculate_log_probs=true",
        "actor_rollout_ref.actor.ppo_mini_batch_size=8",
        "actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-mean",
        "algorithm.adv_estimator=allot",
        "trainer.v1.trainer_mode=allot",
        "trainer.logger=[]",
        "trainer.val_before_train=false",
        "trainer.test_freq=-1",
        "trainer.save_freq=-1",
        "trainer.resume_mode=disable",
        "trainer.total_training_steps=3",
        f"trainer.default_local_dir={folder}/checkpoints",
        f"reward.custom_reward_function.path={folder}/reward.py",
        "reward.custom_reward_function.name=score",
        "reward.num_workers=1",
        "transfer_queue.backend.SimpleStorage.num_data_storage_units=1",
    ]
    return composed([*given, *changes])


def composed(overrides: list[str]) -> Any:
    """verl's configuration as its own program makes it."""
    with initialize_config_module("verl.trainer.config", version_base=None):
        config = compose("ppo_trainer", overrides=overrides)
    with open_dict(config):
        config.transfer_queue.enable = True
    OmegaConf.resolve(config)
    return config


class Table(torch.nn.Module):
    """A policy: logits of every answer token by the prompt's last digit and the token's place."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(torch.zeros(10, LONGEST, len(VOCABULARY)))

    def forward(self, prompts: list[list[int]]) -> torch.Tensor:
        """Log-probabilities [prompts, LONGEST, vocabulary]."""
        last = [DIGITS.index(VOCABULARY[ids[-2]]) for ids in prompts]
        return self.logits[last].log_softmax(-1)


@ray.remote
class Server:
    """The engine: generates with the weights it was last given; a prompt's k-th answer under them
    depends on nothing else, and where it is told which one is asked for, that one is given."""

    def __init__(self) -> None:
        self.table, self.version = Table(), 0
        self.asked: dict[tuple[int, ...], int] = defaultdict(int)
        self.total = 0

    def update(self, weights: dict[str, torch.Tensor], version: int) -> None:
        self.table.load_state_dict(weights)
        self.version = version
        self.asked.clear()

    def generate(
        self, prompt: list[int], temperature: float, seq: int | None = None
    ) -> tuple[list[int], list[float]]:
        self.total += 1
        count = self.asked[tuple(prompt)] = self.asked[tuple(prompt)] + 1
        count = count if seq is None else seq + 1
        draw = np.random.default_rng([self.version, count, *prompt])
        with torch.no_grad():
            logps = self.table([prompt])[0].double().numpy()
        tokens = []
        for place in range(LONGEST):
            p = np.exp(logps[place])
            tokens.append(
                int(p.argmax() if temperature == 0 else draw.choice(len(p), p=p / p.sum()))
            )
            if VOCABULARY[tokens[-1]] == "<eos>":
                break
        return tokens, [float(logps[i, token]) for i, token in enumerate(tokens)]

    def count(self) -> int:
        return self.total


class Client:
    """verl's interface to an engine, as its agent loops use it."""

    def __init__(self, server: Any) -> None:
        self.server = server

    async def generate(
        self, request_id: str, *, prompt_ids: Any, sampling_params: Any, **others: Any
    ) -> Any:
        from verl.workers.rollout.replica import TokenOutput

        tokens, logps = await self.server.generate.remote(
            list(prompt_ids), sampling_params["temperature"], sampling_params.get("seq")
        )
        return TokenOutput(
            token_ids=tokens,
            log_probs=logps,
            stop_reason="completed",
            extra_fields={"min_global_steps": 0, "max_global_steps": 0},
        )


class WorkerGroup:
    """verl's interface to training: plain policy gradient with verl's own clipped loss."""

    def __init__(self, config: Any, learning_rate: float) -> None:
        self._dispatch_info = {"actor": [0, 1]}  # two data-parallel ranks, as far as verl sees
        self.config = config
        self.table = Table()
        self.optimizer = torch.optim.SGD(self.table.parameters(), lr=learning_rate)
        self.updates: list[dict[str, Any]] = []  # what was trained on
        self.losses: list[float] = []  # of every mini-batch

    def _logps(self, data: Any, rows: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        prompts = [data["prompts"][i].tolist() for i in rows]
        padding = [VOCABULARY[ids[-2]] not in DIGITS for ids in prompts]
        known = [[2, 2] if pad else ids for ids, pad in zip(prompts, padding)]
        every = self.table(known)
        out = torch.zeros(len(rows), LONGEST)
        entropy = -(every.exp() * every).sum(-1)
        for at, i in enumerate(rows):
            answer = data["responses"][i]
            out[at, : len(answer)] = every[at, torch.arange(len(answer)), answer]
        return out, entropy.detach()

    def compute_log_prob(self, batch: Any) -> Any:
        data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id)
        with torch.no_grad():
            logps, entropy = self._logps(data, list(range(len(batch.keys))))
        # The engine's layout: one value for every token of prompt and answer, shifted by one.
        fields = {}
        for name, values in (("log_probs", logps), ("entropy", entropy)):
            rows = []
            for i in range(len(batch.keys)):
                prompt, answer = len(data["prompts"][i]), len(data["responses"][i])
                row = torch.zeros(prompt + answer)
                row[prompt - 1 : prompt - 1 + answer] = values[i, :answer]
                rows.append(row)
            fields[name] = torch.nested.as_nested_tensor(rows, layout=torch.jagged)
        tq.kv_batch_put(
            keys=batch.keys,
            partition_id=batch.partition_id,
            fields=TensorDict(fields, batch_size=len(batch.keys)),
        )
        return batch

    def update_actor(self, batch: Any) -> Any:
        from verl.trainer.ppo.core_algos import agg_loss

        data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id)
        self.updates.append(recorded(batch, data))
        size = batch.extra_info["mini_batch_size"]
        actor = self.config.actor_rollout_ref.actor
        norm = 0.0
        for begin in range(0, len(batch.keys), size):
            rows = list(range(begin, min(begin + size, len(batch.keys))))
            logps, _ = self._logps(data, rows)
            mask, old, advantage = (
                padded(data, name, rows)
                for name in ("response_mask", "old_log_probs", "advantages")
            )
            ratio = (logps - old).exp()
            loss = -torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)
            self.optimizer.zero_grad()
            total = agg_loss(
                loss,
                mask,
                actor.loss_agg_mode,
                batch_num_tokens=int(mask.sum()) or 1,
                global_batch_size=size,
                loss_scale_factor=actor.get("loss_scale_factor"),
            )
            total.backward()
            self.losses.append(float(total))
            norm = float(self.table.logits.grad.norm())
            self.optimizer.step()
        return {"metrics": {"mfu": [0.0], "grad_norm": [norm]}}

    def save_checkpoint(self, path: str, *others: Any, **more: Any) -> None:
        os.makedirs(path, exist_ok=True)
        torch.save(self.table.state_dict(), f"{path}/table.pt")

    def load_checkpoint(self, local_path: str, **others: Any) -> None:
        self.table.load_state_dict(torch.load(f"{local_path}/table.pt"))


def padded(data: Any, name: str, rows: list[int]) -> torch.Tensor:
    out = torch.zeros(len(rows), LONGEST)
    for at, i in enumerate(rows):
        out[at, : len(data[name][i])] = data[name][i]
    return out


def recorded(batch: Any, data: Any) -> dict[str, Any]:
    """A batch as it reached the actor, by row."""
    rows = list(range(len(batch.keys)))
    lengths = [len(data["response_mask"][i]) for i in rows]
    values = {n: padded(data, n, rows) for n in ("advantages", "rm_scores", "response_mask")}
    return {
        "keys": list(batch.keys),
        "uid": [key.rsplit("_", 2)[0] for key in batch.keys],
        "prompt": ["".join(VOCABULARY[t] for t in data["prompts"][i][-3:]) for i in rows],
        "padding": [bool(tag.get("is_padding", False)) for tag in batch.tags],
        "lengths": lengths,
        "old": padded(data, "old_log_probs", rows),
        "rollout": padded(data, "rollout_log_probs", rows),
        **values,
    }


class Weights:
    """verl's interface to handing weights to the engine."""

    def __init__(self, group: WorkerGroup, server: Any) -> None:
        self.group, self.server = group, server

    def update_weights(self, step: int | None = None) -> None:
        weights = {name: one.clone() for name, one in self.group.table.state_dict().items()}
        ray.get(self.server.update.remote(weights, step or 0))

    def sleep_replicas(self) -> None:
        pass


def accuracy(table: Table) -> float:
    """The exact chance of a right answer, mean over prompts 0 to 8."""
    with torch.no_grad():
        first = table.logits[:, 0].softmax(-1)
    digits = [VOCABULARY.index(d) for d in DIGITS]
    return float(np.mean([first[d, digits[d + 1 :]].sum() for d in range(9)]))


def without_gpu(kind: type) -> type:
    """A trainer of verl over the world's model."""

    class OnCpu(kind):  # type: ignore[misc, valid-type]
        learning_rate = getattr(kind, "learning_rate", 30.0)

        def _setup(self) -> None:
            from verl.experimental.reward_loop import RewardLoopManager

            self._init_tokenizer()
            self._init_dataloader()
            self._init_dump_executor()
            self.server = Server.remote()
            self.actor_rollout_wg = WorkerGroup(self.config, self.learning_rate)
            self.distillation_config = None
            self.reward_loop_manager = RewardLoopManager(config=self.config, rm_resource_pool=None)
            self.checkpoint_manager = Weights(self.actor_rollout_wg, self.server)
            self._load_checkpoint()

        def get_llm_client(self) -> Client:
            return Client(self.server)

        def _get_n_gpus_for_throughput(self) -> int:
            return 1

        def _compute_metrics(self, batch: Any, metrics: Any, *a: Any, **k: Any) -> None:
            super()._compute_metrics(batch, metrics, *a, **k)
            self.history.append(dict(metrics))

        history: list[dict[str, Any]]

    return OnCpu


def start_ray() -> None:
    """More logical processors than real ones: the queue's actors wait for theirs otherwise."""
    # No spare workers: each would import torch on one of few processors; none that step back
    # behind whatever else the machine does.
    for name in ("prestart_worker_first_driver", "enable_worker_prestart", "worker_niceness"):
        os.environ[f"RAY_{name}"] = "0"
    here = Path(__file__).parent
    paths = [str(here), str(here.parent), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    variables = {
        "PYTHONPATH": os.environ["PYTHONPATH"],
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
        "VERL_USE_EXTERNAL_MODULES": "allot.verl.plugin",
    }
    ray.init(
        num_cpus=32,
        include_dashboard=False,
        object_store_memory=200 * 2**20,
        runtime_env={"env_vars": variables},
        log_to_driver=bool(os.environ.get("ALLOT_TEST_RAY_LOG")),
    )


def run(kind: type, manager: type, config: Any) -> Any:
    """A whole run; returns the trainer, with what was `decided` in its steps, how many answers the
    model was `asked` for, the number of `workers`, and what is `left` in the queue."""
    tq.init(config.transfer_queue)
    loops = trainer = None
    try:
        trainer = without_gpu(kind)(config)
        trainer.history = []
        with mock.patch("allot.verl.session.Owner", LoggedOwner):
            trainer.init()
        loops = manager.create(
            config=config,
            llm_client=trainer.get_llm_client(),
            teacher_client=None,
            reward_loop_worker_handles=trainer.get_reward_handles(),
        )
        trainer.fit(loops)
        trainer.asked = ray.get(trainer.server.count.remote())
        trainer.workers = len(loops.agent_loop_workers)
        if hasattr(trainer, "session"):
            trainer.decided = ray.get(trainer.session.owner.decided.remote())
        trainer.left = {name: rows for name, rows in (tq.kv_list() or {}).items() if rows}
        return trainer
    finally:
        end_actors(loops, trainer)
        tq.close()


def end_actors(loops: Any, trainer: Any) -> None:
    """Those with names would be in the way of the next run."""
    actors = list(getattr(loops, "agent_loop_workers", ()))
    if hasattr(trainer, "reward_loop_manager"):
        actors += [*trainer.get_reward_handles(), trainer.server]
    if hasattr(trainer, "session"):
        actors.append(trainer.session.owner)
    for actor in actors:
        ray.kill(actor)
