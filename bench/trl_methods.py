"""The methods in TRL at equal generated tokens, on the toy task of examples/toy_task.py.

    PYTHONPATH=build/python python bench/trl_methods.py [--methods grpo,aero,...] [--seeds 5]
        [--tokens 200000] [--lr 3e-4] [--jobs 2] [--output runs/trl_methods]

A method may have options, as in pods:rollouts=8:kept=4; uniform is stock TRL. Every run begins with
the same warm-started model and ends with the step in which it has generated --tokens. Each run is
one thread and one file in --output; runs that are there are not repeated. Prints Markdown,
differences against the first method paired by seed. Half an hour of processor time.
"""

import argparse
import concurrent.futures
import copy
import functools
import json
import math
import multiprocessing
import os
import pathlib
import statistics
import sys
import tempfile
import time

from paired import mean_and_half

# Before torch, and for the worker processes: one thread each, none that spins.
os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE", CUDA_VISIBLE_DEVICES="")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["PYTHONWARNINGS"] = "ignore::FutureWarning"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "examples"))

METHODS = "grpo,dapo,aero,ar3po,reinforce_ada,pods,vip,cero,evidence"
PROMPTS, GROUP = 32, 8  # of a step of GRPO
EVALUATIONS = 20  # of a run


@functools.cache  # once per process
def world():
    import toy_task

    tokenizer = toy_task.make_tokenizer()
    model = toy_task.make_model(tokenizer)
    train, test, demonstrations = toy_task.make_data()
    toy_task.warm_start(model, tokenizer, demonstrations)
    return model, tokenizer, train, test


def run(name, seed, settings):
    """One run; returns what is written to its file."""
    import datasets
    import toy_task
    import transformers
    from allot.trl import GRPOTrainer

    warm, tokenizer, train, test = world()

    class Timed(GRPOTrainer):
        """Seconds of the processor, which another program on the machine changes less than those
        of the clock; one thread, so they are the time the step would take alone."""

        generating = 0.0

        def _generate_and_score_completions(self, inputs):
            begun = time.process_time()
            out = super()._generate_and_score_completions(inputs)
            self.generating += time.process_time() - begun
            return out

    class Course(transformers.TrainerCallback):
        """Follows the run, evaluates it, and ends it when the tokens are spent."""

        def on_train_begin(self, *_, **__):
            self.before = toy_task.accuracy(warm, tokenizer, test)
            self.curve = [(0, self.before)]
            self.evaluating, self.begun = 0.0, time.process_time()

        def on_log(self, args, state, control, logs, **_):
            if "tokens/generated_total" not in logs:  # the summary at the end
                return
            self.last = logs
            spent = logs["tokens/generated_total"]
            control.should_training_stop = spent >= settings["tokens"]
            due = len(self.curve) * settings["tokens"] / EVALUATIONS
            if spent >= due or control.should_training_stop:
                begun = time.process_time()
                self.curve.append((spent, toy_task.accuracy(trainer.model, tokenizer, test)))
                self.evaluating += time.process_time() - begun

        def on_train_end(self, *_, **__):
            self.seconds = time.process_time() - self.begun - self.evaluating

    course = Course()
    with tempfile.TemporaryDirectory() as output:
        trainer = Timed(
            model=copy.deepcopy(warm),
            reward_funcs=toy_task.reward,
            args=config(seed, settings, output),
            train_dataset=datasets.Dataset.from_list(train),
            processing_class=tokenizer,
            callbacks=[course],
            allocation=allocation(name, settings),
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    totals = {
        f"{what} {which}": course.last[f"{what}/{which}_total"]
        for what in ("rollouts", "tokens")
        for which in ("generated", "trained")
    }
    return {
        "method": name,
        "seed": seed,
        **settings,
        "before": course.before,
        "after": course.curve[-1][1],
        "curve": course.curve,
        "steps": trainer.state.global_step,
        **totals,
        "seconds": course.seconds,
        "seconds generate": trainer.generating,
    }


def config(seed, settings, output):
    import toy_task
    import trl

    return trl.GRPOConfig(
        output_dir=output,
        seed=seed,
        max_steps=20 * expected_steps(settings),  # never reached
        learning_rate=settings["lr"],
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=10,
        per_device_train_batch_size=PROMPTS * GROUP,
        gradient_accumulation_steps=1,
        num_generations=GROUP,
        max_completion_length=toy_task.ANSWER_TOKENS,
        beta=0.0,
        logging_steps=1,
        **toy_task.ON_CPU,
    )


def expected_steps(settings):
    """Of GRPO, with answers of the right length."""
    import toy_task

    length = 1 + statistics.mean(toy_task.LENGTHS)
    return round(settings["tokens"] / (PROMPTS * GROUP * length))


def allocation(name, settings):
    """`name` as of --methods. All get the budget and the steps of GRPO, which CERO plans with."""
    import allot
    from allot.trl import Allocation

    method, *options = name.split(":")
    if method == "uniform":
        return method
    steps = expected_steps(settings)
    budget = allot.Budget(groups=PROMPTS, rollouts=PROMPTS * GROUP, run_steps=steps)
    given = {key: json.loads(value) for key, value in (option.split("=") for option in options)}
    return Allocation(method, budget=budget, **given)


def difference(values, base):
    """Mean and 95 % interval of paired differences, in points."""
    pairs = [100 * (b - a) for a, b in zip(base, values)]
    mean, half = mean_and_half(pairs)
    if math.isnan(half):
        return f"{mean:+.1f}"
    text = f"{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]"
    return f"**{text}**" if abs(mean) > half else text


def over_run(result):
    """Mean accuracy over the generated tokens of the run (trapezoids)."""
    curve = result["curve"]
    area = sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in zip(curve, curve[1:]))
    return area / curve[-1][0]


def table(results, methods):
    """Means over the seeds that all methods have."""
    done = {(result["method"], result["seed"]): result for result in results}
    seeds = [s for s in sorted({s for _, s in done}) if all((m, s) in done for m in methods)]
    if not seeds:
        return f"{len(done)} runs are done, and no seed of all methods yet.\n"
    arms = {method: [done[method, seed] for seed in seeds] for method in methods}
    base = arms[methods[0]]
    first = base[0]
    columns = ["method", "accuracy after", f"points against {methods[0]}"]
    columns += ["the same, mean over the run", "steps", "tokens generated per step"]
    columns += ["tokens trained per step", "seconds per step", "of them generating", "seconds"]
    lines = [
        f"{len(seeds)} seeds, {first['tokens']:,} generated tokens, learning rate {first['lr']:g}; "
        f"accuracy before: {100 * first['before']:.1f} %; seconds of the processor.\n",
        "| " + " | ".join(columns) + " |",
        "|---|" + "---:|" * (len(columns) - 1),
    ]
    for method, arm in arms.items():
        per_step = {
            what: statistics.mean(result[what] / result["steps"] for result in arm)
            for what in ("tokens generated", "tokens trained", "seconds", "seconds generate")
        }
        after = [result["after"] for result in arm]
        against = [
            "-" if arm is base else difference(list(map(of, arm)), list(map(of, base)))
            for of in (lambda result: result["after"], over_run)
        ]
        cells = [method, f"{100 * statistics.mean(after):.1f} %", *against]
        cells += [f"{statistics.mean(result['steps'] for result in arm):.0f}"]
        cells += [f"{per_step[what]:,.0f}" for what in ("tokens generated", "tokens trained")]
        cells += [f"{per_step[what]:.3f}" for what in ("seconds", "seconds generate")]
        cells += [f"{statistics.mean(result['seconds'] for result in arm):.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", default=METHODS, help="the others are compared with the first")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=200_000, help="generated tokens of a run")
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--jobs", type=int, default=2, help="runs at the same time")
    parser.add_argument("--output", type=pathlib.Path, default="runs/trl_methods")
    arguments = parser.parse_args()
    methods = arguments.methods.split(",")
    settings = {"tokens": arguments.tokens, "lr": arguments.lr}
    arguments.output.mkdir(parents=True, exist_ok=True)
    results, waiting = [], {}
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(arguments.jobs, mp_context=spawn) as pool:
        for seed in range(arguments.seeds):
            for method in methods:
                file = arguments.output / f"{method.replace(':', '-')}-s{seed}.json"
                if not file.exists():
                    waiting[pool.submit(run, method, seed, settings)] = file
                    continue
                result = json.loads(file.read_text())
                if any(result[name] != value for name, value in settings.items()):
                    raise SystemExit(f"{file} was made with other settings; name another --output")
                results.append(result)
        for future in concurrent.futures.as_completed(waiting):
            result = future.result()
            waiting[future].write_text(json.dumps(result))
            results.append(result)
            print(
                f"{result['method']} seed {result['seed']}: {100 * result['after']:.1f} % after "
                f"{result['steps']} steps, {result['seconds']:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    print(table(results, methods))


if __name__ == "__main__":
    main()
