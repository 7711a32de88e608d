"""Write the table of maximal subgroups from the package pyxtal: ``python tools/subgroup_table.py
FOLDER``.

FOLDER is pyxtal's own ``database`` folder (pip download --no-deps pyxtal==1.1.5, then unzip).
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "diffranet_utils" / "studies" / "space_groups" / "subgroups.json"
SOURCE = (
    "pyxtal 1.1.5 (MIT), database/t_subgroup.json and k_subgroup.json, "
    "after the Bilbao Crystallographic Server; python tools/subgroup_table.py"
)


def main(folder):
    """Merge the translationengleiche and klassengleiche subgroups of other type than the group."""
    tables = [json.loads((Path(folder) / f"{kind}_subgroup.json").read_text()) for kind in "tk"]
    rows = [f'  "source": "{SOURCE}"']
    for group in range(1, 231):
        smaller = {number for table in tables for number in table[str(group)]["subgroup"]} - {group}
        rows.append(f'  "{group}": {sorted(smaller)}')
    TABLE.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1])
