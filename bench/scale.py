"""What the deciding side costs where a run is large, and what rounds cost its workers.

    PYTHONPATH=build/python python bench/scale.py [--output runs/scale] [--only decide|idle]
                                                  [--prompts 100000] [--workers 1000] [--steps 12]

decide  A step over --prompts prompts with ten rollouts each: all of them outstanding at once,
        reported in the order in which --workers simulated workers with heavy-tailed latencies
        finish them, 1,000 at a time. Outcomes per second of the Controller's own processor time,
        its longest single call, and what the process grows by. A process per method.
idle    Steps of 512 prompts x 8 rollouts. The share of the workers' time in which they have nothing
        to do while a round waits for its last rollouts: for one step at a time, and for two lanes,
        where the next step is generated meanwhile and its groups wait in allot.replay.

No model: a rollout is a latency (lognormal, sigma 1, cut at 20 times the median) and a reward drawn
by prompt, step and number. Updates take no time here, so that what idles are the rounds alone.
Writes scale.json and two pictures; docs/scale.md is about them.
"""

import argparse
import heapq
import json
import multiprocessing
import os
import pathlib
import resource
import time

import allot
import numpy as np
from allot.replay import Replay, groups_of

GROUP, SIGMA, LONGEST = 10, 1.0, 20.0
DECIDE = ["grpo", "vip", "aero", "ar3po", "reinforce_ada"]
IDLE = ["grpo", "aero", "ar3po", "reinforce_ada"]
REPORT = 1000  # outcomes in one call
LANES = [1, 2, 4]


def latencies(draw, count):
    return np.minimum(draw.lognormal(0.0, SIGMA, count), LONGEST)


def rates(prompts):
    """Pass rates of prompts: a third hopeless or nearly, a third easy, the rest between."""
    return np.random.default_rng(7).beta(0.6, 0.6, prompts)


def finishing_order(draw, count, workers):
    """Indices of rollouts in the order in which workers finish them, each taking the next."""
    busy = [(0.0, worker) for worker in range(workers)]
    ends = np.empty(count)
    for i, seconds in enumerate(latencies(draw, count)):
        free, worker = busy[0]
        ends[i] = free + seconds
        heapq.heapreplace(busy, (ends[i], worker))
    return np.argsort(ends, kind="stable")


class Timed:
    """Processor time of calls, and the longest of them by the clock of the thread."""

    def __init__(self):
        self.total = self.longest = 0.0

    def __call__(self, function, *arguments, **named):
        begun = time.thread_time()
        out = function(*arguments, **named)
        took = time.thread_time() - begun
        self.total += took
        self.longest = max(self.longest, took)
        return out


def decide(method, prompts, workers, pipe):
    draw = np.random.default_rng(0)
    p = rates(prompts)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    controller = allot.Controller(method, group_size=GROUP, data_size=prompts)
    timed, outcomes, rounds, most = Timed(), 0, 0, 0
    plan = timed(controller.plan, np.arange(prompts))
    while not plan.done:
        ids, asked = plan.generate.ids(), plan.generate.prompts()
        rounds, most = rounds + 1, max(most, len(ids))
        order = finishing_order(draw, len(ids), workers)
        rewards = (draw.random(len(ids)) < p[asked]).astype(float)
        tokens = draw.integers(50, 500, len(ids))
        for begin in range(0, len(order), REPORT):
            part = order[begin : begin + REPORT]
            plan = timed(
                controller.observe,
                {"id": ids[part], "reward": rewards[part], "tokens": tokens[part]},
            )
        outcomes += len(ids)
    batch = timed(controller.finalize)
    timed(controller.feedback, updated=len(batch) > 0)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    pipe.send(
        {
            "method": method,
            "outcomes": outcomes,
            "outstanding": most,
            "rounds": rounds,
            "seconds": timed.total,
            "per_second": outcomes / timed.total,
            "longest": timed.longest,
            "mib": grown / 1024,
            "blob_mib": len(controller.save()) / 2**20,
        }
    )


def in_own_process(function, *arguments):
    """So that memory is that of one method alone."""
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=function, args=(*arguments, theirs)
    )
    process.start()
    theirs.close()
    found = mine.recv()
    process.join()
    return found


class Lane:
    """Steps of one Controller over its own part of the data, one after the other."""

    def __init__(self, method, prompts, groups, seed):
        self.controller = allot.Controller(method, group_size=8, seed=seed, data_size=len(prompts))
        self.prompts, self.groups, self.at = prompts, groups, 0
        self.steps = 0
        self.made = {}  # by rollout: tokens, version; methods reuse some in later steps

    def begin(self, version):
        chosen = np.take(self.prompts, range(self.at, self.at + self.groups), mode="wrap")
        self.at += self.groups
        self.version, self.waiting = version, []
        self.ask(self.controller.plan(chosen))

    def ask(self, plan):
        self.plan = plan
        self.left = int(plan.generate.n.sum())
        asked = zip(plan.generate.ids().tolist(), plan.generate.prompts().tolist())
        self.queue = list(asked)[::-1]

    def report(self, rollout, reward, tokens):
        """The last one of a round brings the next requests, or the end of the step."""
        self.waiting.append((rollout, reward, tokens))
        self.made[rollout] = tokens, self.version
        self.left -= 1
        if self.left == 0:
            ids, rewards, lengths = zip(*self.waiting)
            self.waiting = []
            self.ask(self.controller.observe({"id": ids, "reward": rewards, "tokens": lengths}))

    def finish(self):
        batch = self.controller.finalize()
        self.controller.feedback(updated=len(batch) > 0)
        self.steps += 1
        made, version = self.made, self.version
        return groups_of(
            batch, lambda i: made[i][0], lambda i: made[i][1], lambda i: made[i][1] < version
        )


def idle(method, lanes, workers, steps):
    """So many steps over all lanes; the clock stops with the last of them."""
    draw, p = np.random.default_rng(1), rates(8192)
    parts = np.array_split(np.random.default_rng(2).permutation(len(p)), lanes)
    running = [Lane(method, part, 512, seed) for seed, part in enumerate(parts)]
    replay = Replay(max_staleness=lanes - 1)
    version = 0
    for lane in running:
        lane.begin(version)
    free, events, now, busy, made = workers, [], 0.0, 0.0, 0
    stale, evicted, trained = [], 0, 0
    while sum(lane.steps for lane in running) < steps:
        for lane in running:  # the step that was begun first has the workers first
            while free and lane.queue:
                seconds = float(latencies(draw, 1)[0])
                heapq.heappush(events, (now + seconds, made, lane, *lane.queue.pop(), seconds))
                free, made, busy = free - 1, made + 1, busy + seconds
        now, _, lane, rollout, prompt, seconds = heapq.heappop(events)
        free += 1
        lane.report(rollout, float(draw.random() < p[prompt]), max(1, int(100 * seconds)))
        if lane.plan.done:
            replay.add(lane.finish())
            taken = replay.take(version)
            evicted += len(replay.take_evicted())
            stale += [version - group.oldest for group in taken]
            trained += len(taken)
            version += bool(taken)
            lane.begin(version)
            running.sort(key=lambda one: one is lane)
    unfinished = sum(max(0.0, event[0] - now) for event in events)
    return {
        "method": method,
        "lanes": lanes,
        "idle": max(0.0, 1 - (busy - unfinished) / (workers * now)),
        "rollouts_per_second": (made - len(events)) / now,
        "staleness_mean": float(np.mean(stale)) if stale else 0.0,
        "staleness_max": max(stale, default=0),
        "groups_evicted": evicted,
        "groups_trained": trained,
    }


def bars(path, title, rows, form, colours=("#4477aa", "#ee6677", "#228833")):
    """A picture of horizontal bars: rows of (name, values)."""
    most = max(value for _, values in rows for value in values)
    height = 40 + sum(10 + 18 * len(values) for _, values in rows)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{height}" '
        f'font-family="sans-serif" font-size="12">',
        f'<rect width="640" height="{height}" fill="white"/>',
        f'<text x="10" y="20" font-weight="bold">{title}</text>',
    ]
    y = 34
    for name, values in rows:
        out.append(f'<text x="120" y="{y + 13}" text-anchor="end">{name}</text>')
        for value, colour in zip(values, colours):
            width = 400 * value / most
            out.append(
                f'<rect x="128" y="{y}" width="{width:.1f}" height="15" fill="{colour}"/>'
                f'<text x="{134 + width:.1f}" y="{y + 12}">{form(value)}</text>'
            )
            y += 18
        y += 10
    path.write_text("\n".join([*out, "</svg>"]) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("runs/scale"))
    parser.add_argument("--only", choices=["decide", "idle"])
    parser.add_argument("--prompts", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=12)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    result = {"load": os.getloadavg()[0]}
    if given.only != "idle":
        print("| method | outcomes | rounds | outcomes / s | longest call | memory | saved state |")
        print("|---|---|---|---|---|---|---|")
        result["decide"] = []
        for method in DECIDE:
            one = in_own_process(decide, method, given.prompts, given.workers)
            result["decide"].append(one)
            print(
                f"| {method} | {one['outcomes']:,} | {one['rounds']} | {one['per_second']:,.0f} | "
                f"{one['longest']:.2f} s | {one['mib']:.0f} MiB | {one['blob_mib']:.1f} MiB |",
                flush=True,
            )
        bars(
            given.output / "scale_decide.svg",
            "Outcomes decided per second of one core",
            [(one["method"], [one["per_second"]]) for one in result["decide"]],
            lambda value: f"{value / 1e6:.2f} M",
        )
    if given.only != "decide":
        print("\n| method | lanes | idle | rollouts / s | staleness, mean and most | groups |")
        print("|---|---|---|---|---|---|")
        result["idle"] = []
        for method in IDLE:
            found = [idle(method, lanes, given.workers, given.steps) for lanes in LANES]
            result["idle"] += found
            for one in found:
                ratio = one["rollouts_per_second"] / found[0]["rollouts_per_second"]
                print(
                    f"| {method} | {one['lanes']} | {one['idle']:.0%} | x {ratio:.2f} | "
                    f"{one['staleness_mean']:.2f}, {one['staleness_max']} | "
                    f"{one['groups_trained']:,} trained, {one['groups_evicted']} evicted |",
                    flush=True,
                )
        shares = {(one["method"], one["lanes"]): one["idle"] for one in result["idle"]}
        bars(
            given.output / "scale_idle.svg",
            "Idle share of the workers with 1, 2 and 4 steps at a time",
            [(method, [shares[method, lanes] for lanes in LANES]) for method in IDLE],
            lambda value: f"{value:.0%}",
        )
    (given.output / "scale.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
