"""HpBandSter as it is, made safe: numbers that cross its wire, errors that are recorded, searches
that go on.

Importing this module needs hpbandster; `bohb` imports it when a search starts. HpBandSter 0.7.4 is
used unmodified: a name server, one dispatcher and workers that talk through Pyro4 on the loopback
interface.
"""

import json
import logging
import threading
import time
from contextlib import contextmanager
from functools import partial

import numpy as np
import serpent
from hpbandster.core.dispatcher import Job
from hpbandster.core.nameserver import NameServer
from hpbandster.core.worker import Worker
from hpbandster.optimizers import BOHB

from diffranet_utils.core.errors import DiffranetError
from diffranet_utils.core.files import plain
from diffranet_utils.core.jsonl import JsonLines
from diffranet_utils.core.progress import progress

LOGGER = logging.getLogger("hpbandster")
POLL_S = 0.2


def _as_python(value, serializer, out, level):
    serializer._serialize(value.item(), out, level)


# HpBandSter sends its budgets as NumPy numbers. Since NumPy 2 their repr reads "np.float64(1.0)",
# which serpent, Pyro4's serializer, writes but cannot read: the worker drops the message and the
# search waits for ever. This is serpent's own hook for foreign types. Pickle would cross the wire
# too, and would run whatever it is sent.
serpent.register_class(np.generic, _as_python)


class ResultLog:
    """Results as JSON lines, one per finished evaluation, written when it finishes.

    Parameters
    ----------
    path : path-like
        Read if it exists; a last line cut short by a kill is dropped.

    Attributes
    ----------
    runs : list of dict
        ``config_id``, ``budget``, ``config``, ``model_based``, ``loss``, ``info``, ``seconds``,
        ``finished``.
    closed : bool
        After a stop: what still comes in late is not written, since a new search may use the file
        by then.
    """

    def __init__(self, path):
        self.lines = JsonLines(path)
        self.runs = list(self.lines.rows())
        self.picks = {}
        self.closed = False
        self.last_change = time.monotonic()

    def config_of(self, config_id):
        """The configuration recorded under an id, with whether the model proposed it, or None."""
        for run in self.runs:
            if tuple(run["config_id"]) == config_id:
                return run["config"], {"model_based_pick": run["model_based"]}
        return None

    def result_of(self, config_id, budget):
        """The run recorded under an id at a budget, or None; what a dead worker left open is not
        known.
        """
        for run in self.runs:
            if (
                tuple(run["config_id"]) == config_id
                and run["budget"] == budget
                and run["loss"] is not None
            ):
                return run
        return None

    def new_config(self, config_id, config, config_info):
        """Remember who proposed a configuration; HpBandSter calls this when it is drawn."""
        self.picks[config_id] = bool(config_info.get("model_based_pick", False))

    def __call__(self, job):
        """Append a finished job; HpBandSter calls this."""
        self.last_change = time.monotonic()
        budget = float(job.kwargs["budget"])
        if self.closed or self.result_of(job.id, budget):
            return
        result = job.result or {
            "loss": None,
            "info": json.dumps({"error": str(job.exception).strip()}),
        }
        run = {
            "config_id": list(job.id),
            "budget": budget,
            "config": job.kwargs["config"],
            "model_based": self.picks.get(job.id, False),
            "loss": result["loss"],
            "info": json.loads(result["info"]),
            "seconds": round(job.timestamps["finished"] - job.timestamps["started"], 3),
            "finished": job.timestamps["finished"],
        }
        self.runs.append(run)
        self.lines.append([run])


class EvaluationWorker(Worker):
    """Calls a plain function and always answers with a finite loss.

    Parameters
    ----------
    evaluate : callable
        ``evaluate(config_id, config, budget) -> (loss, info)``; info is a dict that JSON holds.
    crash_loss : float
        Recorded when the function raises or its loss is not finite.
    **kwargs
        For HpBandSter's ``Worker``.
    """

    def __init__(self, evaluate, crash_loss, **kwargs):
        super().__init__(logger=LOGGER, **kwargs)
        self.evaluate, self.crash_loss = evaluate, crash_loss

    def compute(self, config_id, config, budget, **_):
        """Evaluate one configuration; HpBandSter calls this."""
        try:
            loss, info = self.evaluate(tuple(config_id), config, float(budget))
        except Exception as error:  # a search must outlive any one configuration
            loss, info = self.crash_loss, {"error": f"{type(error).__name__}: {error}"}
        if not np.isfinite(loss):
            loss, info = self.crash_loss, {**info, "error": f"the loss is {loss}"}
        return {"loss": float(loss), "info": json.dumps(info, default=plain)}


class ResumableBOHB(BOHB):
    """BOHB whose draws depend only on the seed and on what is known, and that asks nothing twice.

    Parameters
    ----------
    log : ResultLog
    seed : int
    **kwargs
        For HpBandSter's ``BOHB``.
    """

    def __init__(self, log, seed, **kwargs):
        super().__init__(result_logger=log, **kwargs)
        self.log, self.seed = log, seed

    def get_next_iteration(self, iteration, iteration_kwargs=None):
        """Make the next bracket, with our sampler in place of HpBandSter's."""
        bracket = super().get_next_iteration(iteration, iteration_kwargs or {})
        bracket.config_sampler = partial(self._sample, bracket)
        return bracket

    def _sample(self, bracket, budget):
        config_id = (bracket.HPB_iter, bracket.stage, bracket.actual_num_configs[bracket.stage])
        known = self.log.config_of(config_id)
        if known:
            return known
        with _global_seed([self.seed, *config_id]) as number:
            self.config_generator.configspace.seed(number)
            config, info = self.config_generator.get_config(budget)
        return {name: plain(v) if hasattr(v, "tolist") else v for name, v in config.items()}, info

    def _submit_job(self, config_id, config, budget):
        if self.log.closed:
            raise DiffranetError("The search was stopped.")
        known = self.log.result_of(config_id, float(budget))
        if known is None:
            super()._submit_job(config_id, config, budget)
            return
        job = Job(config_id, config=config, budget=budget, working_directory=self.working_directory)
        job.result = {"loss": known["loss"], "info": json.dumps(known["info"])}
        finished = known["finished"]
        job.timestamps = {
            "submitted": finished,
            "started": finished - known["seconds"],
            "finished": finished,
        }
        with self.thread_cond:
            self.num_running_jobs += 1
        self.job_callback(job)


@contextmanager
def _global_seed(entropy):
    # HpBandSter draws from NumPy's global generator and takes no other: seed it for one draw, then
    # put it back.
    state = np.random.get_state()  # noqa: NPY002
    number = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    np.random.seed(number)  # noqa: NPY002
    try:
        yield number
    finally:
        np.random.set_state(state)  # noqa: NPY002


def serve(evaluate, space, settings, folder, total):
    """Run a search to its end in threads of this process.

    Parameters
    ----------
    evaluate : callable
        See `EvaluationWorker`.
    space : ConfigurationSpace
    settings : bohb.SearchSettings
    folder : Path
        Holds ``runs.jsonl``.
    total : int
        Expected evaluations, for the progress bar.

    Returns
    -------
    list of dict
        See `ResultLog`.

    Raises
    ------
    DiffranetError
        If nothing finishes within ``settings.timeout_s`` seconds.
    """
    log, box = ResultLog(folder / "runs.jsonl"), {}
    # HpBandSter's threads inherit "daemon" from this one, so that a stuck search cannot keep the
    # process alive.
    thread = threading.Thread(
        target=_search, args=(evaluate, space, settings, log, box), name="search", daemon=True
    )
    thread.start()
    try:
        _watch(thread, log, box, total, settings.timeout_s)
    finally:
        log.closed = True
    if "error" in box:
        raise DiffranetError(f"The search in {folder} stopped: {box['error']}") from box["error"]
    return log.runs


def _watch(thread, log, box, total, timeout_s):
    with progress(total=total, title="search", unit="evaluation") as bar:
        while thread.is_alive():
            thread.join(POLL_S)
            bar.update(len(log.runs) - bar.n)
            idle = time.monotonic() - log.last_change
            if idle > timeout_s:
                raise DiffranetError(
                    f"No evaluation finished in {idle:.0f} s: {_waiting_for(box)}; see "
                    f"{log.lines.path}."
                )


def _search(evaluate, space, settings, log, box):
    names = NameServer(run_id=settings.name, host=settings.host, port=settings.port)
    try:
        host, port = names.start()
        place = {
            "run_id": settings.name,
            "nameserver": host,
            "nameserver_port": port,
            "host": settings.host,
        }
        for number in range(settings.n_workers):
            EvaluationWorker(evaluate, settings.crash_loss, id=number, **place).run(background=True)
        optimizer = box["optimizer"] = ResumableBOHB(
            log, settings.seed, configspace=space, eta=settings.eta, min_budget=settings.min_budget,
            max_budget=settings.max_budget, working_directory=str(log.lines.path.parent),
                ping_interval=5,
            random_fraction=settings.random_fraction, **place,
        )  # fmt: skip
        try:
            optimizer.run(n_iterations=settings.n_iterations, min_n_workers=settings.n_workers)
        finally:
            optimizer.shutdown(shutdown_workers=True)
    except Exception as error:
        box["error"] = error
    finally:
        names.shutdown()


def _waiting_for(box):
    if "optimizer" not in box:
        return "the name server has not come up"
    dispatcher = box["optimizer"].dispatcher
    running = [
        f"{job.id} at budget {float(job.kwargs['budget']):g}"
        for job in dispatcher.running_jobs.values()
    ]
    if running:
        return f"waiting for configuration {', '.join(running)}"
    return (
        f"{dispatcher.waiting_jobs.qsize()} evaluations wait for a worker, "
        f"{len(dispatcher.worker_pool)} are there"
    )
