"""Building: killed twenty times, on several workers, on a cluster, on a full disk; always the same
bytes.
"""

import multiprocessing
import os
import resource
import signal
import time

import numpy as np
import pytest

from diffranet_utils.core.errors import DiffranetError
from diffranet_utils.core.journal import Journal
from diffranet_utils.data import build as dataset_build
from diffranet_utils.studies.diffranet.dataset import make_image, recipe
from tests.data.test_split import STATION, TINY, digest, resized

KILLS = 20
# Four rows of the detector are enough: what matters here is files, not physics.
LONG = resized(TINY, n_train=60, n_validation=15, n_test=15)
# Children start in milliseconds, with the kernels compiled, from a server without threads: a fork
# of this process may inherit a lock that some thread of a library holds, and then waits for ever.
CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["tests.data.warm"])
PATIENCE_S = 120


def build_in_steps(root):
    """Build with a journal written after every second image, so that a kill loses little."""
    dataset_build.BATCH = 2
    dataset_build.build_dataset(root, recipe(LONG), 3, workers=1)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    root = tmp_path_factory.mktemp("undisturbed")
    dataset_build.build_dataset(root, recipe(LONG), 3, workers=1)
    return root


def same_set(one, other):
    manifests = [(root / "manifest.csv").read_bytes() for root in (one, other)]
    return (
        digest(one) == digest(other)
        and manifests[0] == manifests[1]
        and not list(one.rglob("*.tmp"))
    )


def seconds_of_an_image():
    start = time.perf_counter()
    make_image(STATION, 3, "train", 0)
    return time.perf_counter() - start


def lines_of(root):
    journal = root / "journal.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def test_twenty_kills_leave_no_trace(undisturbed, tmp_path, rng):
    one_image = min(seconds_of_an_image() for _ in range(3))
    for kill in range(KILLS):
        child = CHILDREN.Process(target=build_in_steps, args=(tmp_path,))
        child.start()
        deadline = time.monotonic() + PATIENCE_S
        # the next one gets a little further, however slow
        while child.is_alive() and time.monotonic() < deadline and lines_of(tmp_path) < 3 * kill:
            time.sleep(one_image / 10)
        time.sleep(float(rng.uniform(0, 2)) * one_image)
        assert child.is_alive(), "the set was finished before the last kill"
        os.kill(child.pid, signal.SIGKILL)
        child.join()
    card = dataset_build.build_dataset(tmp_path, recipe(LONG), 3, workers=1)
    assert 0 < card["made"] < 90
    assert same_set(tmp_path, undisturbed)


@pytest.mark.parametrize("workers", [2, 4])
def test_bytes_do_not_depend_on_the_number_of_workers(undisturbed, tmp_path, workers):
    dataset_build.build_dataset(tmp_path, recipe(LONG), 3, workers=workers)
    assert same_set(tmp_path, undisturbed)


def test_a_dask_cluster_makes_the_same_bytes(undisturbed, tmp_path):
    from dask.distributed import LocalCluster

    with LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        host="127.0.0.1",
        protocol="tcp",
        dashboard_address=None,
    ) as cluster:
        card = dataset_build.build_dataset(
            tmp_path, recipe(LONG), 3, scheduler=cluster.scheduler_address
        )
    assert card["workers"].startswith("tcp://127.0.0.1")
    assert same_set(tmp_path, undisturbed)


def test_a_silent_scheduler_is_one_line(tmp_path):
    with pytest.raises(DiffranetError, match="No Dask scheduler answers"):
        dataset_build.build_dataset(tmp_path, recipe(LONG), 3, scheduler="tcp://127.0.0.1:9")


def build_with_little_room(root, answer):
    """Build where no file may exceed 12 kB: images fit, the journal soon does not. That is how a
    full disk ends.
    """
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))
    try:
        dataset_build.build_dataset(root, recipe(LONG), 3, workers=1)
    except DiffranetError as error:
        answer.put(str(error))


def test_a_full_disk_stops_with_one_line_and_resumes(undisturbed, tmp_path):
    answer = CHILDREN.Queue()
    child = CHILDREN.Process(target=build_with_little_room, args=(tmp_path, answer))
    child.start()
    message = answer.get(timeout=120)
    child.join()
    assert (
        "Cannot write" in message and "journal.jsonl" in message and len(message.splitlines()) == 1
    )
    assert (tmp_path / "journal.jsonl").read_bytes().endswith(b"\n")
    dataset_build.build_dataset(tmp_path, recipe(LONG), 3, workers=1)
    assert same_set(tmp_path, undisturbed)


def test_a_read_only_folder_stops_with_one_line(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(DiffranetError, match="Cannot write"):
        dataset_build.build_dataset(tmp_path, recipe(LONG), 3, workers=1)
    tmp_path.chmod(0o700)


def test_a_smaller_set_may_follow_a_larger_one(undisturbed, tmp_path):
    dataset_build.build_dataset(
        tmp_path, recipe(resized(LONG, n_train=8, n_validation=2, n_test=2)), 3, workers=1
    )
    card = dataset_build.build_dataset(
        tmp_path, recipe(resized(LONG, n_train=3, n_validation=4, n_test=2)), 3, workers=1
    )
    assert card["made"] == 2 and sum(card["counts"]["train"].values()) == 3
    expected = digest(undisturbed)
    assert all(expected[path] == sha for path, sha in digest(tmp_path).items())


def test_journal_finds_its_rows_again(tmp_path):
    path = tmp_path / "j"
    journal = Journal(path, lambda row: row["n"], 10)
    journal.append([{"n": 7, "x": "ä"}, {"n": 2, "x": 1.5}])
    with path.open("ab") as file:
        file.write(b'{"n": 3, "x"')
    again = Journal(path, lambda row: row["n"], 10)
    assert [row["n"] for row in again.rows()] == [2, 7] and 7 in again and 3 not in again
    again.append([{"n": 0}])
    assert [row["n"] for row in Journal(path, lambda row: row["n"], 10).rows()] == [0, 2, 7]
    assert path.read_bytes().count(b"\n") == 3


def test_memory_of_a_journal_is_eight_bytes_an_image(tmp_path):
    assert Journal(tmp_path / "j", lambda row: row["n"], 1_000_000).place.nbytes == 8_000_000
    assert np.all(Journal(tmp_path / "j", lambda row: row["n"], 5).place == -1)
