"""Run batches of work on processes of this machine or on a Dask cluster, a bounded number at a
time.
"""

import os
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context

import joblib

from diffranet_utils.core.errors import DiffranetError
from diffranet_utils.core.lifeline import tie_to_parent

AHEAD = (
    4  # batches handed out per worker: enough to keep it busy, few enough to stay small in memory
)


def completed(function, batches, workers=1, scheduler=None):
    """Results of ``function(batch)`` for each batch, in whatever order they are done.

    Parameters
    ----------
    function : callable
        Defined in a module; it and its results travel between processes.
    batches : iterable
        Consumed as workers become free, never all at once.
    workers : int
        Processes of this machine; with one, everything happens in this process.
    scheduler : str, optional
        Address of a Dask scheduler, ``tcp://host:port``, whose workers are used instead.

    Yields
    ------
    object

    Raises
    ------
    DiffranetError
        If the scheduler does not answer or has no worker.
    """
    if scheduler is not None:
        yield from _on_dask(function, iter(batches), scheduler)
    elif workers == 1:
        yield from map(function, batches)
    else:
        yield from _in_processes(function, iter(batches), workers)


def _in_processes(function, batches, workers):
    # Spawned, not forked: a notebook's process has threads that do not survive a fork.
    spawn = get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, tie_to_parent, (os.getpid(),)) as pool:
        pending = {pool.submit(function, batch) for batch in islice(batches, AHEAD * workers)}
        try:
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                pending |= {pool.submit(function, batch) for batch in islice(batches, len(done))}
                yield from (future.result() for future in done)
        finally:
            pool.shutdown(cancel_futures=True)


def _on_dask(function, batches, scheduler):
    from dask.distributed import as_completed

    with cluster(scheduler) as client:
        n = len(client.scheduler_info(n_workers=-1)["workers"])
        if n == 0:
            raise DiffranetError(
                f"The Dask scheduler {scheduler} has no worker: start one with `dask worker`."
            )
        first = [client.submit(function, batch, pure=False) for batch in islice(batches, AHEAD * n)]
        queue = as_completed(first, loop=client.loop, with_results=True)
        del first  # a future that nobody holds frees its result
        for _, result in queue:
            for batch in islice(batches, 1):
                queue.add(client.submit(function, batch, pure=False))
            yield result


@contextmanager
def joblib_on(scheduler):
    """Have forests and timed fits, which go through joblib, run on a Dask cluster inside a ``with``
    block.

    Parameters
    ----------
    scheduler : str or None
        Address of a Dask scheduler; None leaves joblib to the cores of this machine.

    Raises
    ------
    DiffranetError
        If the scheduler does not answer.
    """
    if scheduler is None:
        yield
        return
    with cluster(scheduler) as client, joblib.parallel_config(backend="dask", client=client):
        yield


@contextmanager
def cluster(scheduler):
    """A Dask client of the scheduler at an address; DiffranetError in one line if it does not
    answer.
    """
    from dask.distributed import Client

    try:
        client = Client(scheduler, timeout="5s", set_as_default=False)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DiffranetError(
            f"No Dask scheduler answers at {scheduler} ({reason}): start one."
        ) from error
    with client:
        yield client
