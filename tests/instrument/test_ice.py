"""Rings of hexagonal ice against published spacings and a sum rule."""

import gemmi
import numpy as np
import pytest

from diffranet_utils.instrument import ice

# Spacings of the rings that users exclude, angstrom (Garman and Schneider, 1997,
# doi:10.1107/S0021889897002677).
PUBLISHED = (3.897, 3.669, 3.441, 2.671, 2.249, 2.072, 1.948, 1.918, 1.883, 1.721)


def test_rings_lie_at_the_published_spacings():
    spacing, strength = ice.rings()
    strong = spacing[strength > 0.01 * strength.max()][: len(PUBLISHED)]
    assert strong == pytest.approx(PUBLISHED, rel=3e-3)


def test_amplitudes_equal_a_sum_over_four_molecules():
    # Oxygen of ice Ih: 4f of P 63/m m c.
    z = ice.OXYGEN[2]
    sites = np.array(
        [[1 / 3, 2 / 3, z], [2 / 3, 1 / 3, z + 0.5], [2 / 3, 1 / 3, -z], [1 / 3, 2 / 3, 0.5 - z]]
    )
    star = np.linalg.inv(
        np.array([[4.497, 0, 0], [-4.497 / 2, 4.497 * np.sqrt(3) / 2, 0], [0, 0, 7.322]])
    ).T
    hkl, mates = np.array([[1, 0, 0], [0, 0, 2], [1, 0, 1], [1, 1, 0]]), np.array([6, 2, 12, 6])
    s2 = 0.25 * ((hkl @ star) ** 2).sum(1)
    oxygen = gemmi.Element("O").it92
    f = oxygen.c + sum(a * np.exp(-b * s2) for a, b in zip(oxygen.a, oxygen.b, strict=True))
    total = f * np.exp(-ice.B_FACTOR_A2 * s2) * np.abs(np.exp(2j * np.pi * hkl @ sites.T).sum(1))
    spacing, strength = ice.rings()
    for d, expected in zip(0.5 / np.sqrt(s2), mates * total**2, strict=True):
        assert strength[np.argmin(abs(spacing - d))] == pytest.approx(expected, rel=1e-3)


def test_rings_hold_the_light_of_their_atoms():
    # Averaged over many rings, a powder scatters like its atoms one by one, less what their motion
    # takes.
    s = np.linspace(0.2, 0.48, 20_000)
    oxygen = gemmi.Element("O").it92
    f = oxygen.c + sum(a * np.exp(-b * s**2) for a, b in zip(oxygen.a, oxygen.b, strict=True))
    alone = np.trapezoid(f**2 * np.exp(-2 * ice.B_FACTOR_A2 * s**2) * s, s)
    assert np.trapezoid(ice.ice_f2(s) * s, s) == pytest.approx(alone, rel=0.15)
