"""Calls that must come back in time: what they return, raise, and what becomes of one that
hangs."""

import threading

import allot.deadline
import pytest


def test_what_a_function_returns_and_raises_passes_through():
    deadline = allot.deadline.Deadline(60)
    assert deadline.call(lambda a, b: a - b, a=5, b=3) == 2

    def broken():
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        deadline.call(broken)
    assert deadline.given_up == 0


def test_a_call_that_hangs_is_given_up_and_the_next_one_has_a_thread_of_its_own():
    deadline = allot.deadline.Deadline(0.05)
    let_go, came_back = threading.Event(), threading.Event()
    threads = []

    def hangs():
        threads.append(threading.get_ident())
        let_go.wait()
        came_back.set()
        return 1

    def answers():
        threads.append(threading.get_ident())
        return 2

    with pytest.raises(TimeoutError, match=r"no answer within 0\.05 s"):
        deadline.call(hangs)
    assert deadline.given_up == 1
    deadline.seconds = 60  # what must succeed has time, however busy the machine is
    assert deadline.call(answers) == 2
    assert threads[0] != threads[1]
    let_go.set()
    assert came_back.wait(60)


def test_a_timeout_of_the_functions_own_is_its_own():
    deadline = allot.deadline.Deadline(60)

    def away():
        raise TimeoutError("judge is away")

    with pytest.raises(TimeoutError, match="judge is away"):
        deadline.call(away)
    assert deadline.given_up == 0


def test_threads_that_never_come_back_run_out():
    deadline = allot.deadline.Deadline(0.001)
    let_go = threading.Event()
    for _ in range(allot.deadline.MOST_GIVEN_UP):
        with pytest.raises(TimeoutError):
            deadline.call(let_go.wait)
    with pytest.raises(TimeoutError, match="64 earlier calls never came back"):
        deadline.call(let_go.wait)
    let_go.set()
