"""Chapter 12: visible spots against crystal edge and pulse energy."""

from dataclasses import asdict, replace

import numpy as np

from diffranet_utils.instrument import background
from diffranet_utils.instrument.detector import spread
from diffranet_utils.records.provenance import plain_value
from diffranet_utils.studies.diffranet import shots
from diffranet_utils.studies.diffranet.full_shot import full_shot, station_beam
from diffranet_utils.studies.diffranet.stations import unit_crystal

EDGES_UM = (4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30)
ENERGIES = (0.25, 1.0, 2.0)  # of the mean pulse


def step(run):
    """Visible spots against crystal edge and pulse energy, for several orientations.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`.
    """
    n = run.preset.shots.n_orientations
    rows = [row for number in range(n) for row in visible_spots(run, number)]
    mean = [
        np.mean([r["n_visible"] for r in rows if r["edge_um"] == e and r["energy"] == 1.0])
        for e in EDGES_UM
    ]
    at_ten = float(mean[EDGES_UM.index(10)])
    values = {"visible_spots_10um": plain_value(at_ten, f"spots, mean of {n} orientations")}
    borders = asdict(run.preset.shots.experiment.borders)
    for name, border in borders.items():
        edge = float(np.interp(np.log1p(border), np.log1p(mean), EDGES_UM))
        values[f"{name}_edge_um"] = plain_value(edge, "µm at the mean pulse")
    return values, {"rows": rows, "borders": borders}


def visible_spots(run, number):
    """Count visible spots of one orientation for every edge and energy.

    The Bragg pattern is computed once and scaled: it is proportional to the crystal's volume and
    the pulse.

    Parameters
    ----------
    run : provenance.Run
    number : int
        Which orientation.

    Returns
    -------
    list of dict
        ``edge_um``, ``energy`` (of the mean pulse), ``orientation``, ``n_visible``.
    """
    station, shot = run.preset.shots.experiment, full_shot(run, number)
    unit, cells = shots.unit_pattern(shot.crystals[0], station, station_beam(shot, station))
    blurred = spread(unit, station.detector.pixel_mm * 1e3, station.readout)
    volume, rows = unit_crystal(station.crystal).volume_A3, []
    for energy in ENERGIES:
        beam = station_beam(replace(shot, photons=energy * shot.photons), station)
        back = background.expected_photons(beam, station.detector, station.layers)
        for edge in EDGES_UM:
            scale = energy * (edge * 1e4) ** 3 / volume / cells
            visible = shots.count_visible(blurred, scale, back, station)
            rows.append(
                {"edge_um": edge, "energy": energy, "orientation": number, "n_visible": visible}
            )
    return rows
