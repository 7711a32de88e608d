"""Commands end in order when they are asked to, and at once when asked twice."""

import os
import signal
import subprocess
import sys
import time

import pytest

from diffranet_utils.core.interrupts import interruptible

COMMAND = """
import signal, sys, time
from diffranet_utils.core.interrupts import interruptible

# a job in the background starts with it ignored
signal.signal(signal.SIGINT, signal.default_int_handler)

@interruptible(lambda: "12 images are kept in build:\\nrun the command again to go on.")
def work():
    try:
        print("ready", flush=True)
        try:
            time.sleep(30)
        except Exception:
            pass
    finally:
        if sys.argv[1] == "slow":
            print("cleaning", flush=True)
            time.sleep(30)
        print("clean", flush=True)

work()
"""


@pytest.fixture
def command():
    started = []

    def start(how, hang_up=signal.SIG_DFL):  # under nohup it would be ignored
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, how],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, hang_up),
        )  # fmt: skip
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name, code", [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
@pytest.mark.parametrize("n_sent", [1, 2])
def test_a_request_to_end_is_one_line_and_its_code(command, name, code, n_sent):
    process = command("quick")
    for _ in range(n_sent):  # twice within a moment, as `timeout` does
        process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=10)
    assert process.returncode == code
    assert out == "clean\n"
    assert err.count("\n") == 1
    assert name in err and "12 images are kept" in err


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_request_ends_a_slow_clean_up(command, second):
    process = command("slow")
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "cleaning\n"
    time.sleep(0.2)
    process.send_signal(second)
    out, err = process.communicate(timeout=5)
    assert process.returncode == -second  # a shell shows 128 + the signal
    assert out == err == ""


def test_an_ignored_hang_up_stays_ignored(command):
    process = command("quick", hang_up=signal.SIG_IGN)
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)


@pytest.mark.parametrize("how", ["done", "failed", "stopped"])
def test_handlers_are_put_back(how, capsys):
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    errors = {"done": None, "failed": ValueError, "stopped": KeyboardInterrupt}
    try:
        with interruptible("Nothing is lost."):
            assert [signal.getsignal(number) for number in numbers] != before
            if errors[how]:
                raise errors[how]
    except (ValueError, SystemExit) as error:
        assert how == "failed" or error.code == 130
    assert [signal.getsignal(number) for number in numbers] == before
    assert ("Nothing is lost." in capsys.readouterr().err) == (how == "stopped")
