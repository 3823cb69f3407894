"""Intervals of paired differences, for the benchmarks written in Python."""

import statistics

# Student's t, two-sided 95 %, by the number of pairs.
STUDENT = {
    2: 12.706,
    3: 4.303,
    4: 3.182,
    5: 2.776,
    6: 2.571,
    7: 2.447,
    8: 2.365,
    9: 2.306,
    10: 2.262,
}


def mean_and_half(pairs):
    """Mean of the differences and half the width of its 95 % interval; NaN for a number of pairs
    that the table does not have."""
    half = float("nan")
    if len(pairs) in STUDENT:
        half = STUDENT[len(pairs)] * statistics.stdev(pairs) / len(pairs) ** 0.5
    return statistics.mean(pairs), half
