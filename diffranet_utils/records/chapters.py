"""Run the heavy step of a chapter and write its record: what notebooks and `diffranet run` call."""

import time

from diffranet_utils.core import distributed
from diffranet_utils.core.errors import require
from diffranet_utils.core.workers import joblib_on
from diffranet_utils.records.provenance import save_result


def run_chapter(name, run):
    """Run a chapter's heavy step and write its record.

    Parameters
    ----------
    name : str
        Chapter, such as ``41_bohb_search``.
    run : provenance.Run
        Of the chapter's study.

    Returns
    -------
    dict
        The record, as `provenance.save_result` wrote it.

    Raises
    ------
    InputError
        If the run's study has no such chapter.
    """
    require(
        run.study is not None, f"The run of {name} belongs to no study: make it with `start_run`."
    )
    step, start = run.study.step(name), time.perf_counter()
    with joblib_on(run.scheduler):
        values, details = step(run)
    if not distributed.is_leader():  # another process writes the record
        return {"values": values, "details": details}
    return save_result(name, run, values, details, seconds=time.perf_counter() - start)
