"""Commands that are stopped, or started twice in one place, end in order."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from diffranet_utils.cli.stopping import OTHER, what_is_kept

PATIENCE_S = 120
MAIN = [sys.executable, "-m", "diffranet_utils.cli.main"]

# Compiled code in a thread that Python cannot join.
BUSY = """
import atexit, sys, threading, time
from diffranet_utils.cli.stopping import ended_at_once
from diffranet_utils.core.interrupts import interruptible

def compute():
    import torch
    a = torch.rand(300, 300)
    print("ready", flush=True)
    while True:
        a = torch.softmax(a @ a, 1)

atexit.register(lambda: print("cleaned", flush=True))
with ended_at_once(), interruptible("Something is kept."):
    threading.Thread(target=compute, daemon=True).start()
    time.sleep(60)
"""


@pytest.fixture
def start(tmp_path):
    """Start a command in a folder of its own; what is left of it is killed afterwards."""
    started = []

    def begin(command):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, preexec_fn=with_usual_signals, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def with_usual_signals():
    """Jobs in the background and under nohup ignore some."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def children_of(process, n):
    """The first `n` or more children, once they are there."""
    end, family = time.monotonic() + PATIENCE_S, psutil.Process(process.pid)
    while len(found := family.children(recursive=True)) < n:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.1)
    return found


def words_of(text):
    """Lines that are no progress bar."""
    lines = text.replace("\r", "\n").splitlines()
    return [line for line in lines if line.strip() and "it/s" not in line and "|" not in line]


def still_running(processes):
    """Those that have not ended five seconds later; zombies have."""
    alive = psutil.wait_procs(processes, timeout=5)[1]
    return [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("name, code", [("SIGTERM", 143), ("SIGINT", 130), ("SIGHUP", 129)])
def test_a_build_that_is_stopped_says_what_it_kept(start, name, code):
    process = start([*MAIN, "dataset", "--root", "set", "--no-gpu"])
    children = children_of(process, 3)  # two workers and what counts their resources
    # To all of its group, as a terminal does, workers that are still starting included.
    send = os.killpg if name == "SIGINT" else os.kill
    send(process.pid, getattr(signal, name))
    _, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert len(words_of(err)) == 1, err
    assert name in err and what_is_kept(["dataset"]) in err
    assert still_running(children) == []


def test_training_of_the_screener_that_is_killed_leaves_no_worker(start):
    process = start([*MAIN, "train-screener", "--out", "judge.json"])
    children = children_of(process, 3)
    process.kill()
    assert still_running(children) == []


def test_a_thread_in_compiled_code_does_not_abort_the_end(start):
    process = start([sys.executable, "-c", BUSY])
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (143, "cleaned\n")
    assert len(words_of(err)) == 1


def test_a_second_build_leaves_with_one_line(start, tmp_path):
    first = start([*MAIN, "dataset", "--root", "set", "--no-gpu"])
    children_of(first, 1)
    second = start([*MAIN, "dataset", "--root", "set", "--no-gpu"])
    out, err = second.communicate(timeout=60)
    assert (second.returncode, out) == (2, "")
    assert len(words_of(err)) == 1 and str(first.pid) in err
    assert first.poll() is None
    third = start([*MAIN, "dataset", "--root", "set", "--no-gpu", "--wait"])
    assert str(first.pid) in third.stderr.readline()
    first.kill()
    children_of(third, 3)  # it took over


@pytest.mark.parametrize("command", ["dataset", "dataset shard", "run", "drops train"])
def test_commands_have_words_of_their_own(command):
    assert what_is_kept([*command.split(), "--seed", "1"]) != OTHER
