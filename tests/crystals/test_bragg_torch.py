"""The tensor code against the compiled loop at full size, and who is asked to do the work."""

import numpy as np
import pytest

from diffranet_utils.core import device
from diffranet_utils.core.errors import DiffranetError
from diffranet_utils.crystals import bragg
from diffranet_utils.crystals.crystal import mosaic_domains, random_orientation
from diffranet_utils.studies.diffranet.stations import DIFFRANET, STATIONS, unit_crystal


@pytest.mark.parametrize("station", STATIONS.values(), ids=STATIONS)
def test_tensors_light_the_same_pixels_on_a_whole_detector(rng, station):
    crystal = unit_crystal(station.crystal).rotated(random_orientation(rng))
    domains, beam = mosaic_domains(rng, 0.5, 30), station.beam(1e12, station.wavelength_A)
    loop, tensors = (
        bragg.expected_photons(crystal, beam, station.detector, domains, backend=b)
        for b in ("reflections", "torch")
    )
    assert tensors.sum(dtype=float) == pytest.approx(loop.sum(dtype=float), rel=1e-7)
    assert np.allclose(tensors, loop, rtol=1e-5) and loop.max() > 0


def test_the_environment_decides_else_what_is_there(monkeypatch):
    for there in (True, False):
        monkeypatch.setattr(device, "_gpu_here", lambda there=there: there)
        monkeypatch.delenv("DIFFRANET_GPU", raising=False)
        assert device.wants_gpu() == there
        for setting in ("1", "0"):
            monkeypatch.setenv("DIFFRANET_GPU", setting)
            assert device.wants_gpu() == (setting == "1")


def test_asking_for_a_gpu_that_is_not_there(monkeypatch):
    import torch

    monkeypatch.setenv("DIFFRANET_GPU", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DiffranetError, match="leave --gpu out"):
        device.use_gpu(True)
    device.use_gpu(False)
    assert not device.wants_gpu()


def test_the_gpu_computes_what_auto_asks_for(monkeypatch, rng):
    crystal = unit_crystal(DIFFRANET.crystal).rotated(random_orientation(rng))
    asked = []
    monkeypatch.setattr(bragg, "wants_gpu", lambda: True)
    monkeypatch.setattr(
        "diffranet_utils.crystals.bragg_torch.lit_intensity",
        lambda *parts: asked.append(parts) or np.zeros((512, 512)),
    )
    bragg.expected_photons(crystal, DIFFRANET.beam(1e12, 1.5), DIFFRANET.detector, np.eye(3)[None])
    assert len(asked) == 1
