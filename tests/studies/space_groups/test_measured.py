import os
from pathlib import Path

import numpy as np
import pytest

from diffranet_utils.core.errors import InputError, MissingDataError
from diffranet_utils.studies.space_groups import measured
from diffranet_utils.studies.space_groups.crystal import CrystalStructure
from diffranet_utils.studies.space_groups.curves import PairSettings, pair_curve

FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
R = np.arange(0, 40.001, 0.01)


def nickel(settings, r_A=None):
    return pair_curve(CrystalStructure(np.eye(3) * 3.524, FCC, [28] * 4), settings, r_A)


def write(path, r, g, header=""):
    rows = "\n".join(f"{a:.6f} {b:.6f}" for a, b in zip(r, g, strict=True))
    path.write_text(header + rows + "\n")
    return path


@pytest.mark.parametrize(
    "header, q_max, q_damp",
    [
        (
            "[DEFAULT]\nversion = pdfgetx3-2.1\nqmaxinst = 30.0\nqmax = 27.5\n#### start data\n#L "
            "r G\n",
            27.5,
            None,
        ),
        ("# Qmax=25.0 Qdamp = 0.035\n# r G dr dG\n", 25.0, 0.035),
        ("History written: Mon\nQmax: 21.5\n1 2 junk here\n##### start data\n", 21.5, None),
        ("", None, None),
    ],
)
def test_headers(tmp_path, header, q_max, q_damp):
    curve = measured.read_curve(write(tmp_path / "a.gr", R, np.sin(R), header))
    assert (curve.q_max, curve.q_damp) == (q_max, q_damp)
    np.testing.assert_allclose(curve.r_A, R, atol=1e-6)
    np.testing.assert_allclose(curve.g, np.sin(R), atol=1e-6)


def test_damping_of_the_header_is_used():
    curve = measured.MeasuredCurve(R, np.sin(R), 25.0, 0.035)
    assert measured.settings_of(curve).q_damp == 0.035
    assert len(measured.settings_of(curve).r_A) == 209


def test_regridding_equals_the_curve_computed_on_the_grid():
    wide = PairSettings(r_max_A=40.0, q_max=27.0, q_damp=0.04)
    curve = measured.MeasuredCurve(R, nickel(wide, R))
    expected = nickel(PairSettings())
    mine = measured.on_study_grid(curve)
    straight = np.interp(PairSettings().r_A, curve.r_A, curve.g)
    error, rival = (np.abs(v - expected)[:-5].max() for v in (mine, straight))
    assert error < 0.01 * np.ptp(expected)
    assert error < rival


def test_waves_below_the_limit_stay_and_waves_above_go():
    for q, share in ((5.0, 1), (20.0, 1), (26.0, 0)):
        damped = np.exp(-0.5 * (0.05 * (R - 10)) ** 2 * 4)
        curve = measured.MeasuredCurve(R, np.sin(q * R) * damped)
        r = PairSettings().r_A
        expected = share * np.sin(q * r) * np.exp(-0.5 * (0.05 * (r - 10)) ** 2 * 4)
        np.testing.assert_allclose(
            measured.on_study_grid(curve)[10:150], expected[10:150], atol=0.02
        )


@pytest.mark.parametrize(
    "r, g",
    [
        (R[:1400], np.sin(R[:1400])),
        (R / 10, np.sin(R)),
        (np.delete(R, range(700, 760)), np.sin(np.delete(R, range(700, 760)))),
        (R, np.where(R[900] == R, np.nan, np.sin(R))),
        (R, np.zeros(len(R))),
        (R[300:], np.sin(R[300:])),
        (R[::-1], np.sin(R)),
        (R[::50], np.sin(R[::50])),
        (R[:1], R[:1]),
    ],
    ids=["short", "nanometres", "gap", "nan", "flat", "late", "backwards", "coarse", "one row"],
)
def test_unusable_curves_are_refused(tmp_path, r, g):
    with pytest.raises(InputError, match="a.gr"):
        measured.read_curve(write(tmp_path / "a.gr", r, g))


def test_missing_and_binary_files_are_refused(tmp_path):
    with pytest.raises(MissingDataError):
        measured.read_curve(tmp_path / "none.gr")
    (tmp_path / "b.gr").write_bytes(b"\xff\xfe\x00\x01" * 50)
    with pytest.raises(InputError):
        measured.read_curve(tmp_path / "b.gr")


@pytest.mark.parametrize("name, edge_A, places", [("Ni.gr", 3.524, FCC), ("Si.gr", 5.431, None)])
def test_real_curves_resemble_their_structures(name, edge_A, places):
    folder = os.environ.get("DIFFRANET_PDF")
    if not folder:
        pytest.skip("set DIFFRANET_PDF to the folder that holds Ni.gr and Si.gr")
    places = np.vstack([FCC, FCC + 0.25]) if places is None else places
    crystal = CrystalStructure(np.eye(3) * edge_A, places, [14] * len(places))
    curve = measured.on_study_grid(measured.read_curve(Path(folder) / name))
    assert np.corrcoef(curve, pair_curve(crystal))[0, 1] > 0.9
