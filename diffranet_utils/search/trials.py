"""Hyperopt's search as a list of trials that survives a kill: suggested, recorded, replayed."""

from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from diffranet_utils.core.errors import DiffranetError, require
from diffranet_utils.core.files import sha256_of, write_bytes
from diffranet_utils.core.jsonl import JsonLines
from diffranet_utils.core.progress import progress
from diffranet_utils.search.space import PAPER_BEST, PAPER_SPACE, describe


def run_search(
    evaluate, n_evaluations, seed, path, identity="", starts=PAPER_BEST, space=PAPER_SPACE
):
    """Search the joint space with the tree-structured Parzen estimator (Bergstra et al., 2011).

    Every trial is appended to `path` as it ends, and a CSV table beside it is kept up to date. A
    search that was cut short is replayed from there: the estimator depends on seed and results
    only, so it suggests the same settings again, is handed the recorded results instead of new
    fits, and goes on where it stopped.

    Parameters
    ----------
    evaluate : callable
        ``evaluate(config)`` returns a dict with at least ``accuracy``. What it raises makes a
        failed trial.
    n_evaluations : int
        Trials in all, replayed ones included.
    seed : int
    path : path-like
        File of trials, one JSON object a line.
    identity : str
        What else decides the results (images, code): trials recorded under another identity are set
        aside.
    starts : sequence of dict
        Settings to look at first, as far as they lie in the space.
    space : search.space.Space

    Returns
    -------
    list of dict
        ``trial``, ``config``, ``status`` (ok or failed), ``accuracy`` (None if failed),
        ``seconds``, and what else `evaluate` returned, or the ``reason`` of a failure.

    Raises
    ------
    DiffranetError
        If the estimator suggests other settings than those recorded.
    """
    require(n_evaluations > 0, f"n_evaluations is {n_evaluations}: give at least 1.")
    log, suggest = (
        TrialLog(path, sha256_of(f"{seed} {identity}".encode())[:16]),
        Suggestions(seed, space),
    )
    starts = [config for config in starts if config in space]
    for number in progress(range(n_evaluations), title="search", unit="trial"):
        indices = space.encode(starts[number]) if number < len(starts) else suggest.next()
        trial = log.replay_or_run(space.decode(indices), evaluate)
        suggest.add(indices, None if trial["status"] == "failed" else 1 - trial["accuracy"])
        log.write_table()
    return log.done


class Suggestions:
    """Hyperopt's estimator, asked for one point at a time.

    Each point depends on the seed, its number and the results so far, and on nothing else: that is
    what lets a search be replayed.

    Parameters
    ----------
    seed : int
    space : search.space.Space
    """

    def __init__(self, seed, space=PAPER_SPACE):
        from hyperopt import Trials
        from hyperopt.base import Domain

        self.seed, self.trials, self.labels = seed, Trials(), space.labels()
        self.domain = Domain(None, space.dimensions())

    def next(self):
        """Indices of the next point, label -> index."""
        from hyperopt import tpe

        number = len(self.trials.trials)
        draw = int(np.random.default_rng([self.seed, number]).integers(2**31 - 1))
        (document,) = tpe.suggest([number], self.domain, self.trials, draw)
        return {
            label: values[0] for label, values in document["misc"]["vals"].items() if len(values)
        }

    def add(self, indices, loss):
        """Tell the estimator how a point did; a `loss` of None is a failure, from which it learns
        nothing.
        """
        from hyperopt.base import JOB_STATE_DONE
        from hyperopt.fmin import generate_trial

        number = len(self.trials.trials)
        document = generate_trial(number, indices)
        for part in (document["misc"]["idxs"], document["misc"]["vals"]):
            part.update(
                {label: [] for label in self.labels if label not in part}
            )  # the branches not taken
        document["state"] = JOB_STATE_DONE
        document["result"] = {"status": "fail"} if loss is None else {"status": "ok", "loss": loss}
        self.trials.insert_trial_docs([document])
        self.trials.refresh()


class TrialLog:
    """The file of trials: recorded ones are replayed, new ones appended.

    Parameters
    ----------
    path : path-like
    key : str
        First line of the file; a file with another key is renamed to ``<name>.old``.
    """

    def __init__(self, path, key):
        self.path, self.done = Path(path), []
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.lines = JsonLines(self.path)
        rows = list(self.lines.rows())
        if rows and rows[0] != {"search": key}:
            self.path.rename(self.path.with_name(self.path.name + ".old"))
            self.lines, rows = JsonLines(self.path), []
        if not rows:
            self.lines.append([{"search": key}])
        self.recorded = rows[1:]

    def replay_or_run(self, config, evaluate):
        """The recorded trial whose turn it is, or a new one."""
        number = len(self.done)
        if number < len(self.recorded):
            trial = self.recorded[number]
            if trial["config"] != config:
                raise DiffranetError(
                    f"{self.path}, trial {number}: the search now suggests {describe(config)}. "
                    "Move the file away to search anew."
                )
        else:
            trial = {"trial": number, "config": config} | _attempt(evaluate, config)
            self.lines.append([trial])
        self.done.append(trial)
        return trial

    def write_table(self):
        """Write the trials so far as CSV beside the file, for people and spreadsheets."""
        write_bytes(self.path.with_suffix(".csv"), trial_table(self.done).to_csv().encode())


def best_trial(trials, role, kind):
    """The first of the most accurate trials of one extractor or classifier.

    Parameters
    ----------
    trials : list of dict
        From `run_search`.
    role : {"extractor", "classifier"}
    kind : str
        For example ``"svm"``.

    Raises
    ------
    DiffranetError
        If no such trial succeeded.
    """
    ours = [trial for trial in trials if trial["status"] == "ok" and trial["config"][role] == kind]
    if not ours:
        raise DiffranetError(
            f"No {kind} trial succeeded: raise n_evaluations or read the reasons in the trials."
        )
    return max(ours, key=lambda trial: trial["accuracy"])


def trial_table(trials):
    """Trials as a table, one row each: extractor, classifier, accuracy, seconds, and every
    parameter.

    Parameters
    ----------
    trials : list of dict

    Returns
    -------
    DataFrame
    """
    rows = [
        trial["config"] | {name: trial.get(name) for name in ("accuracy", "seconds", "status")}
        for trial in trials
    ]
    return pd.DataFrame(rows, index=pd.Index([trial["trial"] for trial in trials], name="trial"))


def _attempt(evaluate, config):
    """Result of one evaluation, or why there is none: a search outlives a bad setting."""
    start = perf_counter()
    try:
        result = {"status": "ok", **evaluate(config)}
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        result = {"status": "failed", "accuracy": None, "reason": reason}
    return result | {"seconds": round(perf_counter() - start, 3)}
