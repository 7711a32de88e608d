import gzip
import json
import os

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError, MissingDataError
from diffranet_utils.studies.space_groups import evaluation_data
from diffranet_utils.studies.space_groups.comparison import table_3
from diffranet_utils.studies.space_groups.crystal import CrystalStructure
from diffranet_utils.studies.space_groups.curves import normalised, pair_curve
from diffranet_utils.studies.space_groups.labels import NUMBERS
from diffranet_utils.studies.space_groups.structures import with_symmetry

FCC = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]


def metal(number, edge_A):
    return CrystalStructure(edge_A * np.eye(3), np.array(FCC), [number] * 4)


def write_structures(folder, crystals):
    rows = [
        {
            "formula": "M",
            "lattice": c.lattice_A.tolist(),
            "frac": c.fractional.tolist(),
            "z": c.atomic_numbers.tolist(),
        }
        for c in crystals
    ]
    with gzip.open(folder / evaluation_data.OTHER, "wt") as text:
        json.dump(rows, text)


def test_a_known_compound_is_not_new(tmp_path):
    pytest.importorskip("spglib")
    write_structures(tmp_path, [metal(28, 3.52), metal(29, 3.61)])
    known = [with_symmetry("nickel", metal(28, 3.5))]
    curves, is_new = evaluation_data.other_database(tmp_path, known)
    assert [NUMBERS[k] for k in curves.labels] == [225, 225]
    assert is_new.tolist() == [False, True]
    np.testing.assert_allclose(curves.x[0], normalised(pair_curve(metal(28, 3.52))), atol=1e-5)


def test_measured_curves_follow_their_table(tmp_path):
    r = np.arange(0.01, 35, 0.01)
    g = pair_curve(metal(28, 3.52), None, r[r <= 30])
    g = np.concatenate([g, np.zeros(len(r) - len(g))])
    (tmp_path / "b.gr").write_text("\n".join(f"{x:.4f} {y:.6f}" for x, y in zip(r, g, strict=True)))
    (tmp_path / "labels.csv").write_text("file,space_group\nb.gr,225\n")
    names, groups, x = evaluation_data.measured_curves(tmp_path)
    assert (names, groups, x.shape) == (["b"], [225], (1, 209))
    assert np.corrcoef(x[0], normalised(pair_curve(metal(28, 3.52))))[0, 1] > 0.99


def test_a_table_without_groups_is_refused(tmp_path):
    (tmp_path / "labels.csv").write_text("file,label\nb.gr,225\n")
    with pytest.raises(InputError, match="space_group"):
        evaluation_data.measured_curves(tmp_path)


def test_the_variable_must_name_a_folder(tmp_path, monkeypatch):
    monkeypatch.delenv(evaluation_data.VARIABLE, raising=False)
    assert evaluation_data.evaluation_folder() is None
    monkeypatch.setenv(evaluation_data.VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(MissingDataError, match="nowhere"):
        evaluation_data.evaluation_folder()


def test_table_3_ranks_six_groups_and_knows_a_miss():
    probabilities = np.zeros((2, 45))
    probabilities[:, NUMBERS.index(225)] = 0.6
    probabilities[:, NUMBERS.index(227)] = 0.4
    rows = table_3(["a", "b"], [227, 230], probabilities)
    assert [row["rank"] for row in rows] == [2, None]
    assert rows[0]["ranked"][0] == "Fm-3m (225)"
    assert all(len(row["ranked"]) == 6 for row in rows)


@pytest.mark.skipif(
    not os.environ.get("DIFFRANET_PDF"), reason="DIFFRANET_PDF names no folder of measured curves"
)
def test_measured_curves_of_the_folder_are_on_the_grid():
    names, groups, x = evaluation_data.measured_curves(evaluation_data.evaluation_folder())
    assert len(names) == len(groups) == len(x)
    assert x.shape[1] == 209
