"""Heavy step of chapter 91: every model of space groups, tested in every way."""

import hashlib
from time import perf_counter

from diffranet_utils.core.files import read_json, write_json
from diffranet_utils.core.fingerprint import code_fingerprint
from diffranet_utils.records.provenance import plain_value
from diffranet_utils.studies.space_groups import comparison
from diffranet_utils.studies.space_groups.evaluation_data import evaluation_folder

#: Parts of the comparison, those first that need no network.
PARTS = {
    "trees": comparison.forests,
    "hierarchy": comparison.hierarchy,
    "regressions": comparison.regressions,
    "own": comparison.own_networks,
    "cnn": comparison.paper_network,
    "elsewhere": lambda bench: comparison.elsewhere(bench, evaluation_folder()),
    "table_s1": comparison.table_s1,
}


def step(run):
    """Train the paper's models and ours, and score them on held-out structures, another data base
    and measured curves.

    A part that is done is kept, so that a stopped run goes on after it.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        For `provenance.save_result`.
    """
    bench = comparison.Bench(run)
    values = {
        "structures": plain_value(len(bench.plain), "structures"),
        "made_curves": plain_value(len(bench.made), "curves"),
    }
    details = {
        "groups": comparison.collection_rows(bench.plain),
        "networks_from_earlier_runs": len(list((bench.folder / "networks").glob("*.safetensors"))),
        "seconds_by_part": {},
    }
    for name in PARTS:
        part = kept_part(bench, name)
        values |= part["values"]
        details[name] = part["details"]
        details["seconds_by_part"][name] = part["seconds"]
    return values, details


def kept_part(bench, name):
    """Values and details of one of `PARTS`, from the file of an earlier run of the same code and
    sizes if there is one.

    Parameters
    ----------
    bench : comparison.Bench
    name : str

    Returns
    -------
    dict
        ``values``, ``details`` and the ``seconds`` that they took.
    """
    about = (
        code_fingerprint(comparison.__name__),
        repr(bench.asked),
        bench.run.seed,
        evaluation_folder(),
    )
    digest = hashlib.sha256(repr(about).encode()).hexdigest()[:16]
    path = bench.run.results_dir / "checkpoints" / f"91_{name}-{digest}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        start = perf_counter()
        values, details = PARTS[name](bench)
        seconds = round(perf_counter() - start, 1)
        write_json(path, {"values": values, "details": details, "seconds": seconds})
    return read_json(path)
