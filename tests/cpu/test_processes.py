"""Threads and memory in processes of their own: forked ones, and the environment's settings."""

import os
import signal
import subprocess
import sys

import pytest

FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")

CHILD = """
import os, sys, threading, warnings
import numpy as np
import minigan
from minigan.cpu import memory
from minigan.cpu.threads import one_blas_thread, parallel
warnings.simplefilter("ignore")  # of a fork with threads, from Python 3.12

def in_child(check):
    child = os.fork()
    if not child:
        code = 1
        try:
            check()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0

def three_threads():
    barrier = threading.Barrier(3, timeout=20)
    parallel(lambda i: barrier.wait(), 3)

minigan.set_num_threads(3)
"""


def run(program, **environment):
    command = [sys.executable, "-c", program]
    settings = {k: v for k, v in os.environ.items() if k != "MINIGAN_NUM_THREADS"}
    options = {"capture_output": True, "text": True, "timeout": 100}
    return subprocess.run(command, env=settings | environment, **options)


def output(program, **environment):
    done = run(program, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@FORKS
def test_a_forked_process_has_threads_of_its_own():
    """After the parent's were used, while they are used, and in a child's child."""
    program = """
three_threads()
in_child(three_threads)
in_child(lambda: in_child(three_threads))
three_threads()

started, release = threading.Event(), threading.Event()
other = threading.Thread(
    target=lambda: parallel(lambda i: (started.set(), release.wait(20)), 3)
)
other.start()
started.wait(20)
one_blas_thread.lock.acquire()  # as it might be at the moment of a fork
in_child(three_threads)
one_blas_thread.lock.release()
release.set()
other.join(20)
three_threads()
print("done")
"""
    assert output(CHILD + program) == ["done"]


@FORKS
def test_a_forked_process_does_not_share_memory():
    """Blocks in use and idle ones: what either process writes, the other does not see."""
    program = """
held = memory.empty((1 << 17,), np.float32)
held[:] = 1
idle = memory.empty((1 << 18,), np.float32)
del idle
read, write = os.pipe()

def check():
    again = memory.empty((1 << 18,), np.float32)
    again[:] = 3
    held[:] = 2
    os.write(write, b"x")
    assert (again == 3).all() and (held == 2).all()

in_child(check)
os.read(read, 1)
again = memory.empty((1 << 18,), np.float32)
assert not (again == 3).any() and (held == 1).all()
print("done")
"""
    assert output(CHILD + program) == ["done"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers on this system")
def test_interrupts_at_any_moment_leave_the_threads_usable():
    """A signal like Ctrl-C after 0 to 0.2 ms of short loops, 500 times: all three threads serve.

    In the first 150 times the workers are still to be started.
    """
    program = """
import random, signal
from minigan.cpu.threads import _team

signal.signal(signal.SIGALRM, signal.default_int_handler)
hits, running = 0, []

def task(i):
    running.append(i)
    running.remove(i)

def until_interrupted():
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 2e-4))
        while True:
            parallel(task, 9)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)

for i in range(500):
    if i < 150:
        _team.start_afresh()
    try:
        until_interrupted()
    except KeyboardInterrupt:
        hits += 1
assert hits == 500
three_threads()
print("done")
"""
    assert output(CHILD + program) == ["done"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_interrupt_while_a_thread_is_started_costs_no_thread(moment):
    """The first worker's start is broken off; the next loop still has three threads."""
    program = f"""
import _thread
start = _thread.start_new_thread

def interrupted(*arguments):
    _thread.start_new_thread = start
    if "{moment}" == "after":
        start(*arguments)
    raise KeyboardInterrupt

_thread.start_new_thread = interrupted
try:
    parallel(lambda i: None, 3)
except KeyboardInterrupt:
    three_threads()
    print("done")
"""
    assert output(CHILD + program) == ["done"]


@pytest.mark.parametrize(("text", "number"), [("1", 1), (" 7 ", 7), ("03", 3)])
def test_the_environment_sets_the_number_of_threads(text, number):
    program = "import minigan; print(minigan.get_num_threads())"
    assert output(program, MINIGAN_NUM_THREADS=text) == [str(number)]


def test_without_a_setting_there_is_a_thread_for_every_core():
    program = "import minigan; print(minigan.get_num_threads())"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert output(program) == output(program, MINIGAN_NUM_THREADS="") == [str(cores)]


@pytest.mark.parametrize("text", ["0", "-2", "2.5", "many", "²"])
def test_a_number_of_threads_that_makes_no_sense_is_refused(text):
    program = "import minigan; minigan.get_num_threads()"
    done = run(program, MINIGAN_NUM_THREADS=text, PYTHONUTF8="1")
    assert done.returncode == 1
    assert f'MINIGAN_NUM_THREADS: expected a positive integer, got "{text}"' in done.stderr


def test_results_are_the_same_bits_when_blas_has_threads_of_its_own():
    """Products cut in two by BLAS round otherwise: they are not to depend on who cuts."""
    program = """
import numpy as np
import minigan
from minigan import fused
from minigan.conv import Geometry, algorithm, cpu

rng = np.random.default_rng(0)
a, b = (rng.standard_normal(s).astype(np.float32) for s in ((700, 333), (333, 500)))
g = Geometry(16, 16, 4, 4, (2, 2), (1, 1, 1, 1))
shapes = ((32, 64, 16, 16), (100, 64, 4, 4), (32, 100, 8, 8))
x, w, y = (rng.standard_normal(s).astype(np.float32) for s in shapes)
found = []
for number in (1, 2, 3):
    minigan.set_num_threads(number)
    results = [fused.matmul(a, b)]
    for name in ("winograd", "im2col"):
        with algorithm(name):
            results += [cpu.fprop(g, x, w), cpu.dgrad(g, y, w), cpu.wgrad(g, x, y)]
    found.append(results)
for results in found[1:]:
    for one, other in zip(found[0], results, strict=True):
        assert one.tobytes() == other.tobytes()
print("same")
"""
    names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
    assert output(program, **dict.fromkeys(names, "2")) == ["same"]
