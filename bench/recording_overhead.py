"""What recording costs: the share of a step that goes into run.sqlite, metrics.jsonl and console.

    build/allot train examples/quickstart.yaml --set log.to=tensorboard --set eval.every=0
    python bench/recording_overhead.py runs/quickstart

`time/step` of a step ends before it is recorded, and the events of the TensorBoard file carry the
wall clock of its end. So the time from one event to the next is one step and one recording, and
what `time/step` does not cover is the recording (TensorBoard's own included). Steps next to an
evaluation or a checkpoint are left out. Both are of the same run and the same steps. Freeing the
step's rollouts falls into the same gap, and counts as recording here.
"""

import json
import pathlib
import statistics
import struct
import sys


def event_times(path: pathlib.Path) -> dict[int, float]:
    """Wall clock of every event by its step; events of evaluations share a step with none here."""
    data = path.read_bytes()
    times: dict[int, float] = {}
    at = 0
    while at + 16 <= len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        message = data[at + 12 : at + 12 + length]
        at += 12 + length + 4
        (wall,) = struct.unpack_from("<d", message, 1)
        if len(message) < 11 or message[9] != 0x10:  # no field `step`: the file's first event
            continue
        step, shift, place = 0, 0, 10
        while True:
            byte = message[place]
            step |= (byte & 0x7F) << shift
            shift, place = shift + 7, place + 1
            if byte < 0x80:
                break
        times[step] = max(wall, times.get(step, 0.0))
    return times


def main() -> None:
    run = pathlib.Path(sys.argv[1])
    times = event_times(run / "tensorboard" / "events.out.tfevents.0.allot")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()[1:]]
    busy = {line["eval/step"] for line in lines if "eval/step" in line}
    busy |= {int(path.name.split("-")[1]) for path in run.glob("checkpoint-*")}
    steps, recording = [], []
    for line in lines:
        done = line.get("train/step", -1) + 1
        if done < 2 or done - 1 in busy or done in busy or done - 1 not in times:
            continue
        steps.append(line["time/step"])
        recording.append(times[done] - times[done - 1] - line["time/step"])
    if not steps:
        sys.exit("no step stands alone between two others; set eval.every=0")
    share = [r / (r + s) for r, s in zip(recording, steps)]
    print(f"{len(steps)} steps of {1e3 * statistics.median(steps):.1f} ms (median)")
    milliseconds, percent = 1e3 * statistics.median(recording), 100 * statistics.median(share)
    print(f"recording: {milliseconds:.2f} ms, {percent:.2f} % of a step and its recording (median)")
    milliseconds, whole = 1e3 * statistics.mean(recording), sum(recording) + sum(steps)
    print(f"           {milliseconds:.2f} ms, {100 * sum(recording) / whole:.2f} % (mean)")


if __name__ == "__main__":
    main()
