"""Heavy step of chapter 91: every model of space groups, tested in every way."""

from diffranet_utils.records.provenance import plain_value
from diffranet_utils.studies.space_groups import comparison
from diffranet_utils.studies.space_groups.evaluation_data import evaluation_folder

PARTS = {
    "regressions": comparison.regressions,
    "cnn": comparison.paper_network,
    "trees": comparison.forests,
    "own": comparison.own_networks,
    "hierarchy": comparison.hierarchy,
}


def step(run):
    """Train the paper's models and ours, and score them on held-out structures, another data base and measured curves.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        For `provenance.save_result`.
    """
    folder = evaluation_folder()
    bench = comparison.Bench(run)
    values = {
        "structures": plain_value(len(bench.plain), "structures"),
        "made_curves": plain_value(len(bench.made), "curves"),
    }
    details = {"groups": comparison.collection_rows(bench.plain)}
    for name, part in PARTS.items():
        measured, details[name] = part(bench)
        values |= measured
    measured, details["elsewhere"] = comparison.elsewhere(bench, folder)
    details["table_s1"] = comparison.table_s1(bench)
    return values | measured, details
