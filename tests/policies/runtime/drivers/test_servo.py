"""The thread that keeps a controller's cycle: how late it was, and what ends it."""

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from cellwright_runtime.drivers.servo import ServoThread

CYCLE_S = 0.002


def clock(*steps_s: float) -> Iterator[float]:
    """Times of a clock that goes on by `steps_s`."""
    now_s = 100.0
    yield now_s
    for step_s in steps_s:
        now_s += step_s
        yield now_s


def test_cycles_that_end_more_than_2_ms_late_are_counted_and_the_worst_is_kept() -> None:
    steps_s = (CYCLE_S, CYCLE_S + 0.0019, CYCLE_S + 0.0021, 0.001, CYCLE_S + 0.005, CYCLE_S + 0.003)
    times = clock(*steps_s)
    left = iter([True] * len(steps_s) + [False])
    servo = ServoThread(lambda: next(left), lambda: None, cycle_s=CYCLE_S, clock=lambda: next(times))
    servo.start()
    assert servo.join(60.0)
    assert servo.cycles == 1 + len(steps_s)
    assert servo.late == 3
    assert servo.worst_s == pytest.approx(0.005)


def test_cycles_in_time_are_not_late() -> None:
    times, left = clock(*[CYCLE_S] * 4), iter([True] * 4 + [False])
    servo = ServoThread(lambda: next(left), lambda: None, cycle_s=CYCLE_S, clock=lambda: next(times))
    servo.start()
    assert servo.join(60.0)
    assert (servo.cycles, servo.late) == (5, 0)
    assert servo.worst_s < 1e-9


def test_a_wait_that_ctrl_c_interrupts_does_not_take_the_thread_for_ended() -> None:
    asked = threading.Event()

    def step() -> bool:
        time.sleep(0.001)
        return not asked.is_set()

    servo = ServoThread(step, lambda: None, cycle_s=CYCLE_S)
    waits = threading.main_thread().ident
    assert waits is not None
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        servo.start()
        threading.Timer(0.3, lambda: signal.pthread_kill(waits, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            servo.join(60.0)
        assert not servo.join(0.05)
        assert servo.alive
    finally:
        asked.set()
        signal.signal(signal.SIGINT, before)
    assert servo.join(60.0)
    assert not servo.alive


def test_an_error_is_raised_once_the_arm_was_stopped() -> None:
    stopping, stopped = threading.Event(), threading.Event()

    def stop() -> None:
        stopping.set()
        stopped.wait(60.0)

    def step() -> bool:
        raise ValueError("a gap in the programme")

    servo = ServoThread(step, stop, cycle_s=CYCLE_S)
    servo.start()
    assert stopping.wait(60.0)
    assert not servo.join(0.01)
    stopped.set()
    with pytest.raises(ValueError, match="a gap in the programme"):
        servo.join(60.0)
    assert not servo.alive
