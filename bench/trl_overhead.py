"""What the adapter costs a step of TRL's GRPOTrainer, and what it saves.

    PYTHONPATH=build/python python bench/trl_overhead.py [--rounds 8] [--steps 8] [--signal 0.25]

First allocation="uniform" against stock TRL: both do the same work bit for bit, and are compared
step by step. Then steps in which most groups carry no signal (all but --signal of them): all rows
trained, against those with signal alone; and pods, which trains on 8 of 32 rollouts of a prompt.

The toy model of examples/toy_task.py, 32 prompts x 8 completions of 32 tokens, one thread. The
contenders take turns; seconds are those of the processor. Prints Markdown; a few minutes.
"""

import argparse
import copy
import os
import pathlib
import random
import statistics
import sys
import tempfile
import time
import warnings

# Before torch: one thread, and none that spins.
os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE", CUDA_VISIBLE_DEVICES="")
os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "examples"))

import toy_task  # noqa: E402
import datasets  # noqa: E402
import transformers  # noqa: E402
import trl  # noqa: E402

import allot.trl  # noqa: E402

PROMPTS, GROUP, NEW_TOKENS = 32, 8, 32
# By what is printed, the allocation; pairs that are compared.
OVERHEAD = {"stock TRL": None, 'allocation="uniform"': "uniform"}
SAVING = {
    "grpo, all rows": {"method": "grpo", "ship_zero": True},
    "grpo": "grpo",
    "pods, 32 of 32 trained": {"method": "pods", "rollouts": 32, "kept": 32},
    "pods, 8 of 32": {"method": "pods", "rollouts": 32, "kept": 8},
}


def timed(base):
    """The trainer `base` with the times of its steps: generation with rewards and decisions, and
    all of the step."""

    class Timed(base):
        generating = 0.0

        def _generate_and_score_completions(self, inputs):
            begun = time.process_time()
            out = super()._generate_and_score_completions(inputs)
            self.generating = time.process_time() - begun
            return out

    return Timed


class StepTimes(transformers.TrainerCallback):
    """Seconds of every step but the first: (generating, rest)."""

    def __init__(self):
        self.mark, self.steps = None, []

    def on_step_end(self, *_, **__):
        now = time.process_time()
        if self.mark is not None:
            generating = self.trainer.generating
            self.steps.append((generating, now - self.mark - generating))
        self.mark = now


def block(allocation, world, reward, steps, seed):
    """The times of `steps` steps of a fresh trainer."""
    model, tokenizer, data = world
    times = StepTimes()
    given = {} if allocation is None else {"allocation": allocation}
    with tempfile.TemporaryDirectory() as output:
        times.trainer = timed(trl.GRPOTrainer if allocation is None else allot.trl.GRPOTrainer)(
            model=copy.deepcopy(model),
            reward_funcs=reward,
            train_dataset=data,
            processing_class=tokenizer,
            callbacks=[times],
            args=trl.GRPOConfig(
                output_dir=output,
                seed=seed,
                max_steps=steps + 1,
                learning_rate=1e-5,
                per_device_train_batch_size=PROMPTS * GROUP,
                gradient_accumulation_steps=1,
                num_generations=GROUP,
                max_completion_length=NEW_TOKENS,
                generation_kwargs={"min_new_tokens": NEW_TOKENS},
                **toy_task.ON_CPU,
            ),
            **given,
        )
        times.trainer.remove_callback(transformers.PrinterCallback)
        times.trainer.train()
    return times.steps


def in_turns(arms, world, reward, arguments):
    """[(generating, rest)] by arm, step i of all arms with the same seed."""
    found = {arm: [] for arm in arms}
    for round_ in range(arguments.rounds):
        names = list(arms)
        if round_ % 2:  # nobody is always first
            names.reverse()
        for arm in names:
            found[arm] += block(arms[arm], world, reward, arguments.steps, seed=round_)
    return found


def ratio(ours, theirs):
    """Median of the paired ratios and its 95 % interval (bootstrap)."""
    ratios = [sum(a) / sum(b) for a, b in zip(ours, theirs)]
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(2000))
    return f"{statistics.median(ratios):.3f} [{medians[50]:.3f}, {medians[1949]:.3f}]"


def table(found):
    """One line per arm; the second of each pair is compared with the first."""
    arms = list(found)
    lines = [
        "| | generate, ms | train, ms | step, ms | step, ratio to the line above |",
        "|---|---:|---:|---:|---:|",
    ]
    for arm, steps in found.items():
        generating, rest, both = (
            1000 * statistics.median(map(of, steps))
            for of in (lambda step: step[0], lambda step: step[1], sum)
        )
        base = arms[arms.index(arm) // 2 * 2]
        against = "-" if base == arm else ratio(steps, found[base])
        lines.append(f"| {arm} | {generating:.1f} | {rest:.1f} | {both:.1f} | {against} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=8, help="of each arm in each round")
    parser.add_argument("--signal", type=float, default=0.25, help="share of mixed groups")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", FutureWarning)  # of transformers, about names TRL uses
    tokenizer = toy_task.make_tokenizer()
    train, _, _ = toy_task.make_data()
    world = toy_task.make_model(tokenizer), tokenizer, datasets.Dataset.from_list(train)
    prompts = [row["id"] for row in train]
    mixed = set(random.Random(0).sample(prompts, round(arguments.signal * len(prompts))))

    def reward(completions, id, **_):
        """Every other completion of some prompts is right, none of the others'."""
        return [float(prompt in mixed and i % 2) for i, prompt in enumerate(id)]

    for arms in (OVERHEAD, SAVING):
        print(table(in_turns(arms, world, reward, arguments)), flush=True)


if __name__ == "__main__":
    main()
