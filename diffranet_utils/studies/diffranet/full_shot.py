"""One shot that always meets a crystal, for pictures and timings."""

import numpy as np

from diffranet_utils.crystals.crystal import mosaic_domains, random_orientation
from diffranet_utils.studies.diffranet import shots


def full_shot(run, number=0, edge_um=15.0):
    """A shot at the mean pulse energy with a crystal in the beam, the same for the same run.

    Parameters
    ----------
    run : provenance.Run
    number : int
        Which orientation.
    edge_um : float
        Crystal edge.

    Returns
    -------
    Shot
    """
    station, rng = run.preset.shots.experiment, np.random.default_rng([run.seed, 1000, number])
    rotation = random_orientation(rng)
    domains = mosaic_domains(rng, station.crystal.mosaic_deg, station.crystal.n_domains)
    pose = shots.Pose(rotation, domains, np.array([edge_um]))
    return shots.Shot(station.photons, station.wavelength_A, (pose,), number)


def station_beam(shot, station):
    """The beam of one shot."""
    return station.beam(shot.photons, shot.wavelength_A)
