"""One process at a time owns a folder, on one machine and over several."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diffranet_utils.core.errors import DiffranetError, InputError
from diffranet_utils.core.ownership import _candidate, owned, owner_of

HOLD = """
import sys, time
from diffranet_utils.core.ownership import owned
with owned(sys.argv[1]):
    print("mine", flush=True)
    time.sleep(60)
"""

RACE = """
import sys, time
from diffranet_utils.core.errors import DiffranetError, InputError
from diffranet_utils.core.ownership import owned
for line in sys.stdin:  # each line names a folder: start together
    try:
        with owned(line.strip()):
            print("won", flush=True)
            sys.stdin.readline()  # hold it until both have answered
    except InputError:
        print("lost", flush=True)
        sys.stdin.readline()
    print("done", flush=True)
"""

COUNT = """
import sys, time
from pathlib import Path
from diffranet_utils.core.ownership import owned
path = Path(sys.argv[1]) / "count"
for _ in range(20):
    with owned(sys.argv[1], wait=True):
        n = int(path.read_text())
        time.sleep(0.002)
        path.write_text(str(n + 1))
"""


@pytest.fixture
def python():
    """Start a script; what still runs afterwards is killed."""
    started = []

    def start(script, *arguments):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        process = subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def say(process, text=""):
    process.stdin.write(f"{text}\n")
    process.stdin.flush()


def other_host(folder, age_s):
    """An owner on another machine, whose last sign of life is so many seconds old."""
    path = folder / ".owner.3"
    card = {"host": "beamline-7", "boot": "b", "pid": 4321, "started": "1", "token": "t"}
    card |= {"since": "2024-05-01T10:00:00+00:00", "command": "diffranet dataset"}
    path.write_text(json.dumps(card))
    os.utime(path, (time.time() - age_s,) * 2)


def test_a_second_owner_is_told_who_the_first_is(tmp_path, python):
    process = python(HOLD, tmp_path)
    process.stdout.readline()
    with pytest.raises(InputError) as caught, owned(tmp_path):
        pass
    owner, message = owner_of(tmp_path), str(caught.value)
    assert owner["pid"] == process.pid
    assert "\n" not in message
    assert all(str(owner[key]) in message for key in ("host", "pid", "since"))


def test_a_folder_is_free_as_soon_as_its_owner_is_killed(tmp_path, python):
    process = python(HOLD, tmp_path)
    process.stdout.readline()
    process.kill()
    process.wait()
    with owned(tmp_path) as ownership:
        assert ownership.is_held()


def test_waiting_ends_when_the_owner_does_or_the_time_is_over(tmp_path, python):
    process = python(HOLD, tmp_path)
    process.stdout.readline()
    with pytest.raises(InputError), owned(tmp_path, wait=0.5):
        pass
    process.kill()
    with owned(tmp_path, wait=20):
        assert owner_of(tmp_path)["pid"] == os.getpid()


@pytest.mark.parametrize("left_behind", [False, True])
def test_of_two_racers_one_wins(tmp_path, python, left_behind):
    racers = [python(RACE), python(RACE)]
    for repetition in range(20):
        folder = tmp_path / str(repetition)
        folder.mkdir()
        if left_behind:
            other_host(folder, age_s=1000)
        for racer in racers:
            say(racer, folder)
        assert sorted(racer.stdout.readline().strip() for racer in racers) == ["lost", "won"]
        for racer in racers:
            say(racer)
        assert [racer.stdout.readline().strip() for racer in racers] == ["done", "done"]


def test_nothing_is_lost_between_owners_that_take_turns(tmp_path, python):
    (tmp_path / "count").write_text("0")
    for process in [python(COUNT, tmp_path) for _ in range(3)]:
        assert process.wait(60) == 0
    assert (tmp_path / "count").read_text() == "60"


def test_another_machine_is_believed_while_its_file_is_fresh(tmp_path):
    other_host(tmp_path, age_s=30)
    with pytest.raises(InputError, match="beamline-7"), owned(tmp_path):
        pass
    other_host(tmp_path, age_s=1000)
    with owned(tmp_path) as ownership:
        assert ownership.is_held()
        assert owner_of(tmp_path)["pid"] == os.getpid()
    assert owner_of(tmp_path) is None


def test_an_id_used_again_by_another_process_is_no_owner(tmp_path):
    with owned(tmp_path) as ownership:
        card = json.loads(ownership.path.read_text())
    ownership_file = tmp_path / ".owner.9"
    ownership_file.write_text(json.dumps(card))
    assert owner_of(tmp_path)["pid"] == os.getpid()
    ownership_file.write_text(json.dumps(card | {"started": "1"}))
    assert owner_of(tmp_path) is None


def test_an_owner_keeps_its_file_fresh(tmp_path):
    with owned(tmp_path, stale_s=0.4) as ownership:
        os.utime(ownership.path, (0, 0))
        time.sleep(0.5)
        assert time.time() - ownership.path.stat().st_mtime < 5


def test_an_owner_notices_that_another_took_over(tmp_path):
    with owned(tmp_path) as ownership:
        (tmp_path / ".owner.99").write_text("{}")
        assert not ownership.is_held()
    assert (tmp_path / ".owner.99").read_text() == "{}"


def test_a_folder_without_hard_links_has_one_owner_as_well(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with owned(tmp_path), pytest.raises(InputError), owned(tmp_path):
        pass


def test_one_file_stays_and_no_candidates(tmp_path):
    for _ in range(3):
        with owned(tmp_path):
            pass
    assert [path.name for path in tmp_path.iterdir()] == [".owner.3"]
    with pytest.raises(RuntimeError), _candidate(tmp_path, {}):
        raise RuntimeError
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_cannot_be_written_is_one_line_and_can_be_read(tmp_path):
    locked_up = Path("/proc/self") if os.geteuid() == 0 else tmp_path / "read-only"
    if os.geteuid():
        locked_up.mkdir(mode=0o555)
    elif not locked_up.exists():
        pytest.skip("nothing is read-only to this user")
    with pytest.raises(DiffranetError) as caught, owned(locked_up):
        pass
    assert str(locked_up) in str(caught.value)
    assert owner_of(locked_up) is None


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(DiffranetError), owned(tmp_path / "data"):
        pass
