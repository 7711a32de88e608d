"""Measure what faults of the original code cost, at workshop size, and write
results/bench/faults.json.

Takes about a quarter of an hour on two cores, most of it for six small networks.
"""

import argparse

from diffranet_utils.core.files import write_json
from diffranet_utils.records import provenance
from diffranet_utils.studies.diffranet.faults import measure_faults
from diffranet_utils.studies.diffranet.study import STUDY


def main():
    """Run from the repository root."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="workshop")
    parser.add_argument("--data-dir", default="build/data")
    arguments = parser.parse_args()
    run = provenance.start_run(STUDY, arguments.preset, 2019, arguments.data_dir, "build/results")
    found = {"preset": run.preset.name, "values": measure_faults(run)}
    write_json("results/bench/faults.json", found | provenance.origin())


if __name__ == "__main__":
    main()
