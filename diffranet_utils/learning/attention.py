"""Where does a network look? Two maps of attention by captum, scored against where the simulator put the spots."""

import numpy as np
import torch
from scipy.ndimage import maximum_filter

from diffranet_utils.data.build import make_image
from diffranet_utils.instrument.detector import spread
from diffranet_utils.records.metrics import mean_interval
from diffranet_utils.records.tables import grouped
from diffranet_utils.studies.diffranet.labelling import N_SIGMA

RADIUS_PX = 2  # attention so near to a visible spot counts as on it


def grad_cam(network, images, classes, stage=2):
    """Grad-CAM (Selvaraju et al., 2017, doi:10.1109/ICCV.2017.74): maps that speak for a class, weighted and added.

    Parameters
    ----------
    network : DeepFreak
        In evaluation mode.
    images : ndarray, shape (n, size, size), uint8
    classes : sequence of int
        Class to explain for each image, 1 to 5.
    stage : int
        1 to 4; early stages are sharp and late ones summarise.

    Returns
    -------
    ndarray, shape (n, size, size), float32
        Zero or more; what speaks against the class is cut off.
    """
    from captum.attr import LayerAttribution, LayerGradCam

    explainer = LayerGradCam(network, network.stages[stage - 1])
    maps = explainer.attribute(_input(images), target=_targets(classes), relu_attributions=True)
    return LayerAttribution.interpolate(maps, images.shape[1:], "bilinear").detach().numpy()[:, 0]


def smooth_grad(network, images, classes, n_samples=8, noise=2.0, seed=0):
    """SmoothGrad (Smilkov et al., 2017, arXiv:1706.03825): size of the gradient, averaged over noisy copies.

    Parameters
    ----------
    network, images, classes
        As for `grad_cam`.
    n_samples : int
        Copies.
    noise : float
        Standard deviation of what is added to them, grey values.
    seed : int

    Returns
    -------
    ndarray, shape (n, size, size), float32
    """
    from captum.attr import NoiseTunnel, Saliency

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # captum draws from torch's global generator and takes no other
        maps = NoiseTunnel(Saliency(network)).attribute(
            _input(images), nt_type="smoothgrad", nt_samples=n_samples, nt_samples_batch_size=1, stdevs=noise,
            target=_targets(classes),
        )  # fmt: skip
    return maps.detach().numpy()[:, 0]


METHODS = {"Grad-CAM": grad_cam, "SmoothGrad": smooth_grad}


def _input(images):
    return torch.from_numpy(np.array(images, dtype=np.float32))[:, None].requires_grad_()


def _targets(classes):
    return torch.as_tensor(np.asarray(classes, dtype=np.int64) - 1)


def spot_mask(preset, seed, split, number, radius=RADIUS_PX):
    """Pixels near a visible spot of a simulated image, from its noiseless layers.

    Parameters
    ----------
    preset, seed, split, number
        Which image, as for `dataset_build.make_image`.
    radius : int
        Pixels around a visible one that count too.

    Returns
    -------
    ndarray, shape (n_slow, n_fast), bool
    """
    image, station = make_image(preset, seed, split, number), preset.station
    seen = spread(image.bragg, station.detector.pixel_mm * 1e3, station.readout)
    lit = seen > N_SIGMA * np.sqrt(image.background + station.readout.read_noise**2)
    return maximum_filter(lit, 2 * radius + 1)


def concentration(attention, mask):
    """How much of the attention falls on a mask, and how much would if it were spread evenly.

    Parameters
    ----------
    attention : ndarray, shape (h, w)
        Zero or more.
    mask : ndarray, shape (h, w), bool

    Returns
    -------
    share, area : float
        Share of the attention's sum and of the pixels; the share is 0 where there is no attention.
    """
    total = float(attention.sum())
    return (float(attention[mask].sum()) / total if total > 0 else 0.0), float(mask.mean())


def attention_on_spots(network, split, name, run, n_images, methods=None):
    """Score the attention on images with visible spots.

    Parameters
    ----------
    network : DeepFreak
    split : Split
        A simulated split of `run`.
    name : str
        Its name.
    run : provenance.Run
    n_images : int
        The first so many images of classes weak, good and strong.
    methods : dict of str to callable, optional
        By default `METHODS`.

    Returns
    -------
    list of dict
        Per image and method: ``id``, ``label``, ``predicted``, ``method``, ``share``, ``area``, and as a control
        ``turned``, the share on the same spots turned by 90 degrees about the middle of the image.
    """
    network.cpu().eval()
    rows = []
    for k in np.flatnonzero(split.labels >= 3)[:n_images]:
        image = np.asarray(split.images[k : k + 1])
        with torch.no_grad():
            predicted = int(network(torch.from_numpy(image.copy())[:, None]).argmax()) + 1
        mask = spot_mask(run.preset, run.seed, name, int(split.ids[k].split("_")[1]))
        for method, explain in (methods or METHODS).items():
            attention = explain(network, image, [predicted])[0]
            share, area = concentration(attention, mask)
            about = {"id": split.ids[k], "label": int(split.labels[k]), "predicted": predicted, "method": method}
            rows.append({**about, "share": share, "area": area, "turned": concentration(attention, np.rot90(mask))[0]})
    return rows


def attention_values(rows):
    """Record entries: mean share of the attention on spots, and on spots turned, per method, and of the pixels."""
    values = {}
    for method, mine in grouped(rows, "method").items():
        key = method.lower().replace("-", "_")
        values[f"{key}_share_on_spots"] = _over_images([row["share"] for row in mine])
        values[f"{key}_share_on_turned_spots"] = _over_images([row["turned"] for row in mine])
        values["area_of_spots"] = _over_images([row["area"] for row in mine])
    return values


def _over_images(shares):
    entry = mean_interval(shares)  # over few images it reaches beyond what a share can be
    limits = {"low": max(entry["low"], 0.0), "high": min(entry["high"], 1.0)}
    return entry | limits | {"interval": "t 95 % over images, within 0 and 1"}
