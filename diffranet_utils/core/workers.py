"""Run batches of work on processes of this machine or on a Dask cluster, a bounded number at a
time.
"""

import os
import signal
import threading
import time
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context, resource_tracker

import joblib
from joblib.parallel import get_active_backend

from diffranet_utils.core.errors import DiffranetError
from diffranet_utils.core.lifeline import tie_to_parent

# Batches handed out per worker: enough to keep it busy, few enough to stay small in memory.
AHEAD = 4
LOOK_S = 1.0  # how often a cluster is asked whether it is still there
PATIENCE_S = 15.0  # without any worker, or without the scheduler; a nanny restarts one in five
KEPT = "What is done is kept: run the same again to go on."
# The terminal sends these to the whole group; workers end with the process that started them.
FOR_PARENT = [getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]


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
        If a worker dies, or the scheduler does not answer or has no worker.
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
    pool = ProcessPoolExecutor(workers, spawn, begin_worker, (os.getpid(),))
    with dead_workers_named(), _ended_at_once(pool):
        pending = _hand_out(pool, function, islice(batches, AHEAD * workers))
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            pending |= _hand_out(pool, function, islice(batches, len(done)))
            yield from (future.result() for future in done)


def _hand_out(pool, function, batches):
    """Futures of some batches; processes that this starts leave the terminal's signals to us."""
    batches = list(batches)  # what makes them may be stopped
    if not hasattr(signal, "pthread_sigmask"):
        return {pool.submit(function, batch) for batch in batches}
    resource_tracker.ensure_running()  # it would let the signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, FOR_PARENT)
    try:
        return {pool.submit(function, batch) for batch in batches}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _ended_at_once(pool):
    """Shut a pool down; when something was raised, without waiting for batches under way."""
    try:
        yield
    except BaseException:
        for process in list((pool._processes or {}).values()):  # public from Python 3.14 only
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def begin_worker(parent_pid):
    """Initializer of a process that works for another: it ends with its parent, and not before.

    Parameters
    ----------
    parent_pid : int
    """
    tie_to_parent(parent_pid)
    for number in FOR_PARENT:
        signal.signal(number, signal.SIG_IGN)


def processes(n, **options):
    """A `joblib.Parallel` whose processes of this machine end with this one.

    Parameters
    ----------
    n : int
    **options
        For `joblib.Parallel`.

    Returns
    -------
    joblib.Parallel
        On a Dask cluster inside `joblib_on`.
    """
    if not isinstance(get_active_backend()[0], joblib._parallel_backends.LokyBackend):
        return joblib.Parallel(n, **options)
    return joblib.Parallel(n, **options, initializer=begin_worker, initargs=(os.getpid(),))


@contextmanager
def dead_workers_named():
    """Turn the death of a process of this machine's pools into one line.

    Raises
    ------
    DiffranetError
    """
    try:
        yield
    except BrokenExecutor as error:  # joblib's own is one too
        reason = "it was killed or memory ran out"
        raise DiffranetError(
            f"A worker process on this machine died ({reason}). {KEPT} Fewer workers need less."
        ) from error


def _on_dask(function, batches, scheduler):
    with cluster(scheduler) as client:
        n = _n_workers(client)
        if n == 0:
            raise DiffranetError(
                f"The Dask scheduler {scheduler} has no worker: start one with `dask worker`."
            )
        some_done = threading.Event()

        def submit(batches):
            futures = {client.submit(function, batch, pure=False) for batch in batches}
            for future in futures:
                future.add_done_callback(lambda _: some_done.set())
            return futures

        pending = submit(islice(batches, AHEAD * n))
        while pending:
            done, pending = _some_done(client, scheduler, pending, some_done)
            pending |= submit(islice(batches, len(done)))
            while done:  # a future that nobody holds frees its result
                yield _result(done.pop(), scheduler)


def _n_workers(client):
    return len(client.scheduler_info(n_workers=-1)["workers"])


def _some_done(client, scheduler, futures, some_done):
    """Futures that have ended and those that have not; DiffranetError if none can end any more."""
    seen = time.monotonic()
    while True:
        some_done.clear()
        done = {future for future in futures if future.done()}
        if done:
            return done, futures - done
        some_done.wait(LOOK_S)
        if client.status == "running" and _n_workers(client):
            seen = time.monotonic()
        elif time.monotonic() - seen > PATIENCE_S:
            raise _lost(client, scheduler)


def _lost(client, scheduler):
    if client.status == "running":
        missing = f"The last worker of the Dask scheduler {scheduler} is gone: start one."
    else:
        missing = f"The Dask scheduler {scheduler} no longer answers: start it again."
    return DiffranetError(f"{missing} {KEPT}")


def _result(future, scheduler):
    from dask.distributed import CancelledError, KilledWorker

    try:
        return future.result()
    except CancelledError as error:
        raise DiffranetError(
            f"The Dask scheduler {scheduler} ended or dropped our work: start it again. {KEPT}"
        ) from error
    except KilledWorker as error:
        remedy = "give the workers more memory, or start others."
        raise DiffranetError(
            f"Workers of the Dask scheduler {scheduler} died again and again: {remedy} {KEPT}"
        ) from error


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
