"""The heavy step of every chapter, by the chapter's name: what notebooks and `diffranet run` call."""

import time
from importlib import import_module

from diffranet_utils.core import distributed
from diffranet_utils.core.errors import InputError
from diffranet_utils.core.workers import joblib_on
from diffranet_utils.records.provenance import save_result

#: Heavy step of each chapter, in the order of the book: module and function.
STEPS = {
    "00_quickstart": "studies.diffranet.quickstart:quickstart_step",
    "10_bragg_scattering": "studies.diffranet.simulation_steps:bragg_step",
    "11_background_and_detector": "studies.diffranet.simulation_steps:detector_step",
    "12_five_classes": "studies.diffranet.simulation_steps:classes_step",
    "20_dataset": "data.split:dataset_step",
    "30_texture_features": "studies.diffranet.texture_step:texture_step",
    "31_sift_bag_of_words": "features.sift:sift_step",
    "32_hyperopt_search": "studies.diffranet.search_analysis:joint_search_step",
    "40_deepfreak": "studies.diffranet.network_steps:deepfreak_step",
    "41_bohb_search": "studies.diffranet.network_search:bohb_step",
    "50_real_frames": "studies.diffranet.real_models:real_frames_step",
    "51_reality_gap": "studies.diffranet.reality_gap:reality_gap_step",
    "60_scorecard": "studies.diffranet.scorecard:scorecard_step",
}


def run_chapter(name, run):
    """Run a chapter's heavy step and write its record.

    Parameters
    ----------
    name : str
        Chapter, such as ``41_bohb_search``.
    run : provenance.Run

    Returns
    -------
    dict
        The record, as `provenance.save_result` wrote it.

    Raises
    ------
    InputError
        If there is no such chapter.
    """
    if name not in STEPS:
        raise InputError(f"Unknown chapter {name!r}: choose one of {', '.join(STEPS)}.")
    module, function = STEPS[name].split(":")
    step = getattr(import_module(f"diffranet_utils.{module}"), function)
    start = time.perf_counter()
    with joblib_on(run.scheduler):
        values, details = step(run)
    if not distributed.is_leader():  # another process writes the record
        return {"values": values, "details": details}
    return save_result(name, run, values, details, seconds=time.perf_counter() - start)
