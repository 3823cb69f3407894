"""A data-parallel trainer of one's own with adaptive rollouts: Ray actors, transformers, gloo.

    pip install . "ray>=2.60" "transformers>=5" torch
    python examples/ray_data_parallel.py --ranks 2 --steps 30

Every rank holds a replica of the Controller and of the model. A plan's rollouts are dealt out over
the ranks; what became of them is gathered, so that every replica sees the same outcomes in the same
order and makes the same next plan. Each step compares a checksum of the plans. Nobody sends plans
around, and no rank is special. Groups have any size, and a rank may have more rows than another:
gradients are summed over them, and the method's weights say what a row counts.

The task: the model reads digits and writes, for each, whether it is above 4 (letters "a" and "b").
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import socket

import allot
import ray
import torch
import torch.distributed as dist
from transformers import LlamaConfig, LlamaForCausalLM

DIGITS, PAD = 10, 12  # tokens: the digits, "a" = 10, "b" = 11, padding
NEVER = [*range(DIGITS), PAD]  # what an answer does not have
PROMPTS = [list(word) for n in (1, 2) for word in itertools.product(range(10), repeat=n)]


def reward(prompt: list[int], answer: list[int]) -> float:
    return float(answer == [DIGITS + (digit > 4) for digit in prompt])


@ray.remote
class Rank:
    def __init__(self, rank: int, ranks: int, port: int, method: str) -> None:
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # one machine; elsewhere its network
        torch.set_num_threads(1)
        dist.init_process_group("gloo", rank=rank, world_size=ranks)
        self.rank, self.ranks = rank, ranks
        torch.manual_seed(0)  # the same weights everywhere
        sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
        config = LlamaConfig(vocab_size=PAD + 1, num_hidden_layers=1, pad_token_id=PAD, **sizes)
        self.model = LlamaForCausalLM(config)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-2)
        torch.manual_seed(1 + rank)  # other samples on every rank
        self.controller = allot.Controller(method, seed=0, group_size=8)
        self.trace: list[tuple[int, list[int]]] = []  # prompt and n of every request, by round

    def generate(self, prompts: list[list[int]]) -> list[list[int]]:
        """Answers as long as their prompts; left padding, one call of transformers."""
        if not prompts:
            return []
        longest = max(map(len, prompts))
        ids = torch.tensor([[PAD] * (longest - len(p)) + p for p in prompts])
        mask = (ids != PAD).long()
        rules = {"do_sample": True, "top_k": 0, "suppress_tokens": NEVER, "pad_token_id": PAD}
        lengths = {"max_new_tokens": longest, "min_new_tokens": longest, "eos_token_id": None}
        out = self.model.generate(ids, attention_mask=mask, **rules, **lengths)
        return [row[longest : longest + len(p)].tolist() for row, p in zip(out, prompts)]

    def gather(self, mine: list) -> list:
        """Lists of all ranks, one after the other: the same everywhere."""
        parts: list = [None] * self.ranks
        dist.all_gather_object(parts, mine)
        return [one for part in parts for one in part]

    def agree(self, plan: allot.Plan) -> None:
        """Ranks with different plans would wait for each other for ever."""
        wanted = list(zip(plan.generate.prompt.tolist(), plan.generate.n.tolist()))
        self.trace += wanted
        checksum = hashlib.blake2b(repr(wanted).encode(), digest_size=8).hexdigest()
        if len(set(self.gather([checksum]))) > 1:
            raise RuntimeError("the ranks have different plans")

    def step(self, prompts: list[int]) -> dict[str, float]:
        plan = self.controller.plan(prompts)
        made: dict[int, tuple[list[int], list[int]]] = {}
        while not plan.done:
            self.agree(plan)
            wanted = list(zip(plan.generate.ids().tolist(), plan.generate.prompts().tolist()))
            mine = wanted[self.rank :: self.ranks]
            answers = self.generate([PROMPTS[prompt] for _, prompt in mine])
            found = self.gather([(i, p, answer) for (i, p), answer in zip(mine, answers)])
            made.update((i, (PROMPTS[prompt], answer)) for i, prompt, answer in found)
            ids = [i for i, _ in wanted]
            rewards = [reward(*made[i]) for i in ids]
            tokens = [len(made[i][1]) for i in ids]
            plan = self.controller.observe({"id": ids, "reward": rewards, "tokens": tokens})
        batch = self.controller.finalize()
        if len(batch) > 0:
            self.update(batch, [made[i] for i in batch.rollout.tolist()])
        self.controller.feedback(updated=len(batch) > 0)
        return self.controller.metrics()

    def update(self, batch: allot.Batch, items: list[tuple[list[int], list[int]]]) -> None:
        omega = batch.token_weights([len(answer) for _, answer in items])
        size = torch.as_tensor(batch.advantage * batch.weight * omega, dtype=torch.float32)
        rows = range(self.rank, len(items), self.ranks)  # may be none, may be more than elsewhere
        self.optimizer.zero_grad()
        for parameter in self.model.parameters():  # every rank takes part in every sum
            parameter.grad = torch.zeros_like(parameter)
        for length in sorted({len(items[i][0]) for i in rows}):  # equal lengths need no padding
            chosen = [i for i in rows if len(items[i][0]) == length]
            ids = torch.tensor([items[i][0] + items[i][1] for i in chosen])
            logits = self.model(ids).logits[:, length - 1 : -1]
            logits[..., NEVER] = -torch.inf  # as they were sampled
            logp = logits.log_softmax(-1).gather(-1, ids[:, length:, None]).sum((1, 2))
            (-(size[chosen] * logp).sum()).backward()
        for parameter in self.model.parameters():
            dist.all_reduce(parameter.grad)  # a sum: the weights hold for all rows together
        self.optimizer.step()

    def report(self) -> tuple[list[tuple[int, int]], float]:
        """The plans so far and a number that stands for the weights."""
        return self.trace, sum(p.double().sum().item() for p in self.model.parameters())


def train(ranks: int, steps: int, method: str) -> tuple[list[float], list]:
    """First-round reward of every step, and every rank's report."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    workers = [Rank.remote(rank, ranks, port, method) for rank in range(ranks)]
    draw = torch.Generator().manual_seed(0)
    curve = []
    for _ in range(steps):
        prompts = torch.randperm(len(PROMPTS), generator=draw)[:16].tolist()
        metrics = ray.get([worker.step.remote(prompts) for worker in workers])
        curve.append(metrics[0]["reward/first_round"])
    return curve, ray.get([worker.report.remote() for worker in workers])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--method", default="aero")
    given = parser.parse_args()
    ray.init(num_cpus=given.ranks, include_dashboard=False)
    rewards, reports = train(given.ranks, given.steps, given.method)
    assert all(report == reports[0] for report in reports), "the ranks have parted"
    print(f"reward {sum(rewards[:5]) / 5:.2f} at first, {sum(rewards[-5:]) / 5:.2f} at last")
