"""Algorithm 1: one Dask task for each feature table, results on disk as they come.

Each task tunes and cross-validates every model on its table (Ushizima et al. 2021). A run that was
stopped goes on with the tables that have no result yet.
"""

import re
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np

from diffranet_utils.core import lifeline
from diffranet_utils.core.files import read_json, sha256_of, write_json
from diffranet_utils.core.fingerprint import code_fingerprint
from diffranet_utils.core.workers import completed
from diffranet_utils.search.ensembles import Protocol, cross_validate


@dataclass(frozen=True)
class Task:
    """What one Dask worker is sent.

    Parameters
    ----------
    name : str
        Of the feature table.
    table : ndarray, shape (n, n_features)
    labels : ndarray, shape (n,), int
    groups : ndarray, shape (n,), int, or None
        Kept together in the folds.
    models : tuple of str
        Keys of `learning.ensembles.ENSEMBLES`.
    protocol : Protocol
    """

    name: str
    table: np.ndarray
    labels: np.ndarray
    groups: np.ndarray | None
    models: tuple
    protocol: Protocol

    @property
    def key(self):
        """Hash of all that decides the result, with the code that computes it."""
        arrays = [np.ascontiguousarray(a) for a in (self.table, self.labels) if a is not None]
        groups = b"" if self.groups is None else np.ascontiguousarray(self.groups).tobytes()
        facts = f"{self.name} {self.models} {asdict(self.protocol)} {self.table.shape}"
        code = code_fingerprint(cross_validate.__module__)
        return sha256_of(facts.encode(), code.encode(), groups, *(a.tobytes() for a in arrays))[:16]


def dask_kernel(task):
    """Tune and score every model on one feature table.

    Parameters
    ----------
    task : Task

    Returns
    -------
    dict
        ``key``, ``name`` and ``rows``, one a model, see `row_of`.
    """
    results = cross_validate(task.models, task.table, task.labels, task.protocol, task.groups)
    return {"key": task.key, "name": task.name, "rows": [row_of(one) for one in results]}


def row_of(result):
    """A `CrossValidation` as JSON holds it: mean and spread of the metrics over the folds."""
    names = result.scores[0].keys()
    folds = {name: [fold[name] for fold in result.scores] for name in names}
    mean = {name: _finite(np.mean, values) for name, values in folds.items()}
    spread = {name: _finite(np.std, values) for name, values in folds.items()}
    return {
        "model": result.kind,
        "mean": mean,
        "spread": spread,
        "predicted": result.predicted.tolist(),
        "settings": result.settings,
        "seconds": result.seconds,
    }


def _finite(function, values):
    """A statistic of the values that are numbers; None if there is none."""
    values = [value for value in values if np.isfinite(value)]
    return float(function(values)) if values else None


def sort_tables(tasks, folder, workers=1, scheduler=None):
    """Run Algorithm 1.

    Parameters
    ----------
    tasks : list of Task
    folder : path-like
        Where each table's result is kept as soon as it is there.
    workers : int
        Of a local cluster, where no scheduler is named; with one all happens in this process.
    scheduler : str, optional
        Address of a Dask scheduler.

    Returns
    -------
    dict
        Name of a table to its rows, in the order of the tasks.
    """
    paths = {
        task.key: folder / f"{re.sub(r'[/:]', '-', task.name)}-{task.key}.json" for task in tasks
    }
    waiting = [task for task in tasks if not paths[task.key].exists()]
    if waiting:
        with a_scheduler(scheduler, min(workers, len(waiting))) as address:
            for result in completed(dask_kernel, waiting, 1, address):
                write_json(paths[result["key"]], result)
    return {task.name: read_json(paths[task.key])["rows"] for task in tasks}


@contextmanager
def a_scheduler(address, workers):
    """The Dask scheduler at an address, or one of this machine's own; None where one worker does.

    The local cluster listens on 127.0.0.1 and each of its processes computes with one thread.
    """
    if address is not None or workers == 1:
        yield address
        return
    from dask.distributed import LocalCluster

    options = {"dashboard_address": None, "silence_logs": 40, "preload": [lifeline.__name__]}
    with LocalCluster(workers, threads_per_worker=1, host="127.0.0.1", **options) as cluster:
        yield cluster.scheduler_address
