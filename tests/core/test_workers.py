"""Forests and timed fits on a Dask cluster."""

import os
import subprocess
import sys
import time

import joblib
import numpy as np
import psutil
import pytest
from dask.distributed import LocalCluster, get_worker
from sklearn.datasets import make_classification

from diffranet_utils.core import workers
from diffranet_utils.core.errors import DiffranetError
from diffranet_utils.learning.classifiers import UNTUNED, make_classifier
from diffranet_utils.search.tpe import fit_predict


@pytest.fixture(scope="module")
def scheduler():
    with LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        host="127.0.0.1",
        protocol="tcp",
        dashboard_address=None,
    ) as cluster:
        yield cluster.scheduler_address


def worker_name():
    return get_worker().name


def test_joblib_goes_to_the_cluster_inside_the_block_only(scheduler):
    with workers.joblib_on(scheduler):
        names = joblib.Parallel(n_jobs=2)([joblib.delayed(worker_name)()])
    assert names == [0]
    with pytest.raises(ValueError, match="[Nn]o worker"):
        joblib.Parallel(n_jobs=1)([joblib.delayed(worker_name)()])


@pytest.mark.parametrize("kind", ["rf", "svm"])
def test_a_fit_on_the_cluster_is_the_fit_made_here(scheduler, kind):
    x, y = make_classification(300, n_informative=6, n_classes=3, random_state=1)
    here = make_classifier(UNTUNED[kind], 5).fit(x[:200], y[:200]).predict(x[200:])
    classifier = make_classifier(UNTUNED[kind], 5, n_workers=2)
    with workers.joblib_on(scheduler):
        np.testing.assert_array_equal(
            fit_predict(classifier, x[:200], y[:200], x[200:], timeout_s=60.0), here
        )


def test_a_silent_scheduler_is_one_line():
    with (
        pytest.raises(DiffranetError, match="No Dask scheduler answers"),
        workers.joblib_on("tcp://127.0.0.1:9"),
    ):
        pass


@pytest.fixture
def build(tmp_path):
    """A data set in the making, with two workers, once the first images are there."""
    command = [
        sys.executable,
        "-m",
        "diffranet_utils.cli.main",
        "dataset",
        "--root",
        str(tmp_path / "set"),
        "--workers",
        "2",
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen([*command, "--no-gpu"], env=environment, stderr=subprocess.DEVNULL)
    family = psutil.Process(process.pid)
    end = time.monotonic() + 120
    while not (tmp_path / "set" / "journal.jsonl").exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.1)
    children = family.children(recursive=True)
    yield process, children
    process.kill()
    process.wait()
    for child in psutil.wait_procs(children, timeout=0)[1]:
        child.kill()


def test_a_build_that_is_killed_leaves_no_worker(build):
    process, children = build
    assert len(children) >= 2
    process.kill()
    assert psutil.wait_procs(children, timeout=5)[1] == []


def test_a_killed_worker_is_one_line():
    with pytest.raises(DiffranetError) as caught:
        list(workers.completed(os._exit, [9] * 4, workers=2))
    assert "worker" in str(caught.value) and "\n" not in str(caught.value)


def test_a_killed_process_of_joblib_is_one_line():
    parallel = workers.processes(2, return_as="generator")
    with pytest.raises(DiffranetError) as caught, workers.dead_workers_named():
        list(parallel(joblib.delayed(os._exit)(9) for _ in range(4)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("who", ["scheduler", "worker"])
def test_a_cluster_that_goes_away_is_named_within_half_a_minute(who, monkeypatch):
    monkeypatch.setattr(workers, "PATIENCE_S", 2.0)
    options = {"threads_per_worker": 1, "processes": False, "host": "127.0.0.1"}
    with LocalCluster(n_workers=1, protocol="tcp", dashboard_address=None, **options) as cluster:
        address = cluster.scheduler_address
        results = workers.completed(time.sleep, [0.5] * 30, scheduler=address)
        assert next(results) is None
        if who == "worker":
            cluster.scale(0)
        else:
            cluster.sync(cluster.scheduler.close)
        start = time.monotonic()
        with pytest.raises(DiffranetError, match=address) as caught:
            list(results)
        assert time.monotonic() - start < 30
        assert "\n" not in str(caught.value)
