"""A worker of a BOHB search that runs on another machine, or in another process of this one."""

import socket
import threading
import time
from contextlib import suppress

import Pyro4

from diffranet_utils.core.errors import DiffranetError
from diffranet_utils.search.bohb_service import EvaluationWorker

LOOK_EVERY_S = 2.0
PATIENCE_S = 20.0  # without an answer of the name server, the search is over


class CountingWorker(EvaluationWorker):
    """An `EvaluationWorker` that knows how many evaluations it has done."""

    n_done = 0

    def compute(self, **kwargs):
        """Evaluate one configuration; HpBandSter calls this."""
        result = super().compute(**kwargs)
        self.n_done += 1
        return result


def work_for(evaluate, crash_loss, host, port, name):
    """Evaluate what a search hands out, until it ends or no longer answers.

    Parameters
    ----------
    evaluate, crash_loss
        As for `bohb_service.EvaluationWorker`.
    host : str
    port : int
        Of the search's name server.
    name : str
        Of the search; it holds the code and the data, so that only equal ones work together.

    Returns
    -------
    int
        Evaluations done.

    Raises
    ------
    DiffranetError
        If no search answers there, or another one.
    """
    if not any(
        known.startswith(f"hpbandster.run_{name}.dispatcher") for known in names_at(host, port)
    ):
        raise DiffranetError(
            f"The search at {host}:{port} is another one: use its code version, preset and seed."
        )
    worker = CountingWorker(
        evaluate,
        crash_loss,
        run_id=name,
        nameserver=host,
        nameserver_port=port,
        host=_own_address(host, port),
    )
    thread = threading.Thread(target=_listen, args=(worker,), name="worker", daemon=True)
    thread.start()
    _stay(thread, worker, host, port)
    return worker.n_done


def names_at(host, port):
    """Everything registered with the name server of a search; DiffranetError if none answers."""
    try:
        with socket.create_connection((host, port), timeout=5):
            pass  # Pyro4 has no time limit of its own for a machine that is switched off
        with Pyro4.locateNS(host=host, port=port) as server:
            return list(server.list())
    except (OSError, Pyro4.errors.PyroError) as error:
        message = (
            f"No search answers at {host}:{port}: start it there first, with --listen "
            f"{host}:{port}."
        )
        raise DiffranetError(message) from error


def _answers(host, port):
    with suppress(DiffranetError):
        return bool(names_at(host, port))
    return False


def _own_address(host, port):
    """Address under which the search's machine sees this one; the worker listens on no other."""
    with socket.create_connection((host, port), timeout=5) as connection:
        return connection.getsockname()[0]


def _listen(worker):
    # When the search ends, its name server may be gone before the worker has signed off.
    with suppress(RuntimeError, OSError, Pyro4.errors.PyroError):
        worker.run()


def _stay(thread, worker, host, port):
    answered = time.monotonic()
    while thread.is_alive():
        thread.join(LOOK_EVERY_S)
        if worker.busy or _answers(host, port):
            answered = time.monotonic()
        elif time.monotonic() - answered > PATIENCE_S:
            return
