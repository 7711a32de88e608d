"""Chapter 60: every number beside the paper's."""

from diffranet_utils.records.provenance import COMMITTED
from diffranet_utils.studies.diffranet import claims
from diffranet_utils.studies.diffranet.scorecard import compare, describe, load_records


def step(run):
    """Gather all records of a run and the committed ones, and set them beside the paper.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values : dict
        Empty: the scorecard measures nothing of its own.
    details : dict
        ``rows``, one per number of the paper (see `compare`); ``runs``, one per chapter with its
        seconds, commit and device, and whether other code than this made it.
    """
    ours, committed = load_records(run.results_dir), load_records(COMMITTED / "full")
    rows = [compare(claim, ours, committed) for claim in claims.CLAIMS]
    return {}, {"rows": rows, "runs": [describe(record) for record in ours.values()]}
