"""Run the heavy step of a chapter and write its record: what notebooks and `diffranet run` call."""

import time
from contextlib import nullcontext

from diffranet_utils.core import distributed
from diffranet_utils.core.errors import require
from diffranet_utils.core.ownership import owned
from diffranet_utils.core.workers import joblib_on
from diffranet_utils.records.provenance import save_result


def run_chapter(name, run, wait=False):
    """Run a chapter's heavy step and write its record, one process at a time.

    Parameters
    ----------
    name : str
        Chapter, such as ``41_bohb_search``.
    run : provenance.Run
        Of the chapter's study.
    wait : bool or float
        How long to wait for another process that runs the same chapter into the same folder; see
        `ownership.owned`.

    Returns
    -------
    dict
        The record, as `provenance.save_result` wrote it.

    Raises
    ------
    InputError
        If the run's study has no such chapter, or another process is running it.
    """
    require(
        run.study is not None, f"The run of {name} belongs to no study: make it with `start_run`."
    )
    # Chapters share a folder of records; each has an owner of its own, changed ones too.
    folder = run.results_dir / ".owners" / run.record_path(name).stem
    is_leader = distributed.is_leader()  # another process writes the record otherwise
    with owned(folder, wait) if is_leader else nullcontext():
        step, start = run.study.step(name), time.perf_counter()
        with joblib_on(run.scheduler):
            values, details = step(run)
        if not is_leader:
            return {"values": values, "details": details}
        return save_result(name, run, values, details, seconds=time.perf_counter() - start)
