"""Make gisaxs.npz: python tests/golden/scattering/make_gisaxs.py (BornAgain 25.0.0)."""

from pathlib import Path

import bornagain as ba
import numpy as np
from bornagain import deg, nm

N = 24
GOLD = ba.RefractiveMaterial("Au", (1.0, 0.8, 0.0), 2.6e-5, 1.9e-6)
SILICON = ba.RefractiveMaterial("Si", (0.5, 0.5, 0.5), 5e-6, 8e-8)


def image(structure):
    """Intensities over exit angles (rows, 0.02 to 1.5 deg) and azimuths (columns, 0 to 1.5 deg)."""
    sample, vacuum = ba.Sample(), ba.Layer(ba.Vacuum())
    vacuum.deposit2D(structure)
    sample.addLayer(vacuum)
    sample.addLayer(ba.Layer(SILICON))
    beam = ba.Beam(1e9, 0.1 * nm, 0.2 * deg)
    detector = ba.SphericalDetector(N, 0 * deg, 1.5 * deg, N, 0.02 * deg, 1.5 * deg)
    simulation = ba.ScatteringSimulation(beam, sample, detector)
    simulation.options().setUseAvgMaterials(False)  # else the islands' gold thickens the vacuum
    return np.array(simulation.simulate().intensities())


def dilute(form):
    """Islands of one form, far apart."""
    return image(ba.Dilute2D(0.001, ba.Particle(GOLD, form)))


def turned_boxes():
    """Mean over boxes turned about the normal."""
    images = []
    for turn in (np.arange(16) + 0.5) * 90 / 16:
        box = ba.Particle(GOLD, ba.Box(8 * nm, 8 * nm, 6 * nm))
        box.rotate(ba.RotationZ(turn * deg))
        images.append(image(ba.Dilute2D(0.001, box)))
    return np.mean(images, axis=0)


def paracrystal():
    """Cylinders at 18 nm, spread 3 nm."""
    structure = ba.RadialParacrystal(
        ba.Particle(GOLD, ba.Cylinder(5 * nm, 8 * nm)), 18 * nm, 1000 * nm
    )
    structure.setProbabilityDistribution(ba.Profile1DGauss(3 * nm))
    return image(structure)


if __name__ == "__main__":
    images = {
        "cylinder": dilute(ba.Cylinder(5 * nm, 8 * nm)),
        "sphere": dilute(ba.Sphere(4 * nm)),
        "hemisphere": dilute(ba.SphericalSegment(6 * nm, 0, 6 * nm)),
        "cone": dilute(ba.Cone(6 * nm, 9 * nm, np.arctan(9 / 3))),
        "box": turned_boxes(),
        "paracrystal": paracrystal(),
    }
    images = {name: (value / value.max()).astype(np.float32) for name, value in images.items()}
    np.savez_compressed(Path(__file__).parent / "gisaxs.npz", **images)
