"""GRPO in TRL as it is, and with rollouts spent by methods of allot, at equal generated tokens.

    python examples/trl_adaptive.py [--methods aero,ar3po] [--seed 0] [--tokens 200000]

A transformer of 0.1 M parameters (toy_task.py) on the CPU, under three minutes on two cores. What
changes in a script of your own is one import and one argument; both are marked below.
"""

import argparse
import copy
import tempfile
import time
import warnings

import toy_task  # before torch: it sets how OpenMP threads wait
import datasets
import torch
import transformers
import trl

from allot.trl import GRPOTrainer  # instead of: from trl import GRPOTrainer


class TokenBudget(transformers.TrainerCallback):
    """Ends a run with the step in which it has generated so many tokens."""

    def __init__(self, tokens):
        self.tokens = tokens

    def on_log(self, args, state, control, logs, **_):
        if logs.get("tokens/generated_total", 0) >= self.tokens:
            control.should_training_stop = True


def train(model, tokenizer, data, method, seed, tokens):
    """Trains the model; returns the last log with the run's totals, and seconds."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as output:
        trainer = GRPOTrainer(
            model=model,
            reward_funcs=toy_task.reward,
            train_dataset=data,
            processing_class=tokenizer,
            callbacks=[TokenBudget(tokens)],
            allocation=method,  # the other change; "uniform" is TRL as it is
            args=trl.GRPOConfig(
                output_dir=output,
                seed=seed,
                max_steps=10_000,  # the token budget ends the run
                learning_rate=3e-4,
                lr_scheduler_type="constant_with_warmup",
                warmup_steps=10,
                per_device_train_batch_size=256,  # 32 prompts
                gradient_accumulation_steps=1,
                num_generations=8,
                max_completion_length=toy_task.ANSWER_TOKENS,
                logging_steps=1,
                **toy_task.ON_CPU,
            ),
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    logs = [log for log in trainer.state.log_history if "tokens/generated_total" in log]
    return logs[-1], len(logs), time.perf_counter() - begun


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", default="aero,ar3po", help="names of allot.methods()")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tokens", type=int, default=200_000, help="generated tokens of each run")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the matrices are too small for more
    warnings.simplefilter("ignore", FutureWarning)  # of transformers, about names TRL uses

    tokenizer = toy_task.make_tokenizer()
    train_rows, test_rows, demonstrations = toy_task.make_data()
    warm = toy_task.make_model(tokenizer)
    toy_task.warm_start(warm, tokenizer, demonstrations)
    before = toy_task.accuracy(warm, tokenizer, test_rows)
    data = datasets.Dataset.from_list(train_rows)

    columns = ("method", "before", "after", "steps", "generated", "trained", "seconds")
    print(" ".join(f"{name:>10}" for name in columns))
    for method in ("uniform", *arguments.methods.split(",")):
        model = copy.deepcopy(warm)
        totals, steps, seconds = train(
            model, tokenizer, data, method, arguments.seed, arguments.tokens
        )
        after = toy_task.accuracy(model, tokenizer, test_rows)
        generated = totals["tokens/generated_total"]
        trained = totals["tokens/trained_total"]
        print(
            f"{method:>10} {100 * before:9.1f}% {100 * after:9.1f}% {steps:10} {generated:10,.0f} "
            f"{trained:10,.0f} {seconds:10.0f}",
            flush=True,
        )
    print(
        "Accuracy: expected share of right answers on held-out prompts. Tokens: those of answers. "
        "One seed proves little; bench/trl_methods.py runs five."
    )


if __name__ == "__main__":
    main()
