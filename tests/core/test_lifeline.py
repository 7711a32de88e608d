"""Children end with their parent, also when it is killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

LIMIT_S = 5.0

POOL = """
import os, signal, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from diffranet_utils.core.lifeline import tie_to_parent

def nap(_):
    os.write(1, b"%d\\n" % os.getpid())  # at once: two workers share the pipe
    time.sleep(60)

if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored
    tied = {"initializer": tie_to_parent, "initargs": (os.getpid(),)}
    tied = tied if sys.argv[2] == "tied" else {}
    with ProcessPoolExecutor(2, mp_context=get_context(sys.argv[1]), **tied) as pool:
        list(pool.map(nap, range(2)))
"""

# A program that never returns to Python once it has said its id, as compiled code would not.
GRANDCHILD = """
import os, sys, time
from multiprocessing import get_context
from diffranet_utils.core.lifeline import popen, tie_to_parent

def child():
    tie_to_parent()
    print(os.getpid(), flush=True)
    popen(["sh", "-c", "echo $$; exec sleep 60"]).wait()

if __name__ == "__main__":
    process = get_context(sys.argv[1]).Process(target=child)
    process.start()
    process.join()
"""

THREAD = """
import os, sys, threading, time
import diffranet_utils.core.lifeline as lifeline

def start():
    print(lifeline.popen([sys.executable, "-c", PLAIN]).pid, flush=True)

PLAIN = '''
import time
from diffranet_utils.core.lifeline import tie_to_parent
tie_to_parent()
time.sleep(60)
'''
thread = threading.Thread(target=start)
thread.start()
thread.join()
time.sleep(60)
"""

POLLED = """
import subprocess, sys, threading, time
child = '''
import os, time
from diffranet_utils.core.lifeline import tie_to_parent
tie_to_parent()
print(os.getpid(), flush=True)
time.sleep(60)
'''
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
subprocess.run([sys.executable, "-c", child])
"""

HOLDING_THE_LOCK = """
import ctypes, os, sys, time
from multiprocessing import get_context
from diffranet_utils.core.lifeline import tie_to_parent

def child():
    tie_to_parent()
    print(os.getpid(), flush=True)
    ctypes.PyDLL(None).sleep(30)  # PyDLL keeps Python's lock meanwhile

if __name__ == "__main__":
    process = get_context("spawn").Process(target=child)
    process.start()
    process.join()
"""


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:  # ended, though nobody has fetched its exit status
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return os.path.isdir("/proc/self") is False


def all_gone(pids, limit_s=LIMIT_S):
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if not any(map(lives, pids)):
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def family(tmp_path):
    """Start a script; give it and the ids that it prints. Whatever is left is killed afterwards."""
    started, known = [], []

    def start(script, n_children, *arguments):
        path = tmp_path / "parent.py"
        path.write_text(script)
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        command = [sys.executable, str(path), *arguments]
        parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        started.append(parent)
        pids = [int(parent.stdout.readline()) for _ in range(n_children)]
        known.extend(pids)
        return parent, pids

    yield start
    for parent in started:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    for pid in filter(lives, known):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_a_killed_parent_takes_its_pool_along(family, method):
    parent, pids = family(POOL, 2, method, "tied")
    parent.kill()
    assert all_gone(pids)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_so_does_one_that_is_asked_to_end(family, number):
    parent, pids = family(POOL, 2, "spawn", "tied")
    parent.send_signal(number)
    assert all_gone(pids)


def test_a_busy_pool_that_is_not_tied_outlives_its_parent(family):
    parent, pids = family(POOL, 2, "spawn", "loose")
    parent.kill()
    assert not all_gone(pids, 1.5)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_grandchild_that_is_no_python_goes_too(family, method):
    parent, pids = family(GRANDCHILD, 2, method)
    parent.kill()
    assert all_gone(pids)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread needs Python's lock")
def test_a_child_in_compiled_code_that_keeps_the_lock_goes_too(family):
    parent, pids = family(HOLDING_THE_LOCK, 1)
    parent.kill()
    assert all_gone(pids)


def test_a_child_without_a_pipe_asks_for_its_parent(family):
    parent, pids = family(POLLED, 1)
    assert not all_gone(pids, 1.0)
    parent.kill()
    assert all_gone(pids)


def test_a_child_outlives_the_thread_that_started_it(family):
    parent, pids = family(THREAD, 1)
    assert not all_gone(pids, 1.5)
    parent.kill()
    assert all_gone(pids)


def test_a_program_keeps_its_exit_status_and_streams():
    from diffranet_utils.core.lifeline import popen

    process = popen(["sh", "-c", "echo out; exit 7"], stdout=subprocess.PIPE, text=True)
    assert process.communicate()[0] == "out\n"
    assert process.returncode == 7
    assert popen(["sh", "-c", "kill -TERM $$"]).wait() in (-signal.SIGTERM, 128 + signal.SIGTERM)


def test_a_supervised_program_ends_with_the_pipe(tmp_path):
    script = "import sys; from diffranet_utils.core.lifeline import _supervise as run; "
    script += "sys.exit(run(0, sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", script, "sh", "-c", "echo $$; exec sleep 60"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )  # fmt: skip
    with process:
        pid = int(process.stdout.readline())
        assert lives(pid)
        process.stdin.close()
        assert process.wait(LIMIT_S) == 128 + signal.SIGKILL
    assert all_gone([pid])
