"""Co-occurrence features of whole batches of images as tensors, for a GPU."""

import numpy as np
import torch

from diffranet_utils.core.errors import require
from diffranet_utils.features.texture import ANGLES_DEG, DISTANCES, pair_offset

LEVELS = 256
BATCH = 64  # counts of 64 images are 34 MB for each offset


def glcm_features(images, distances=DISTANCES, angles_deg=ANGLES_DEG, device="cuda"):
    """The same table as `features.glcm_features`, counted on a GPU.

    Parameters
    ----------
    images : ndarray or tensor, shape (n, rows, columns), uint8
    distances : sequence of int
        Pixels.
    angles_deg : sequence of float
    device : str
        ``"cuda"``, or ``"cpu"`` where it is slower than the compiled loops.

    Returns
    -------
    ndarray, shape (n, 6 * len(distances) * len(angles_deg)), float64

    Raises
    ------
    InputError
        If the images are not three-dimensional and 8-bit, or there is none.
    """
    images = torch.as_tensor(images)
    known = images.ndim == 3 and images.dtype == torch.uint8 and len(images) > 0
    require(
        known,
        f"Images have shape {tuple(images.shape)}, {images.dtype}: give (n, rows, columns) uint8.",
    )
    wanted = [pair_offset(d, a) for d in distances for a in angles_deg]
    parts = []
    for batch in images.split(BATCH):
        batch = batch.to(device).long()
        found = {offset: haralick(count_pairs(batch, *offset)) for offset in sorted(set(wanted))}
        parts.append(torch.stack([found[offset] for offset in wanted], dim=-1).flatten(1).cpu())
    return torch.cat(parts).numpy().astype(np.float64, copy=False)


def count_pairs(images, down, across):
    """Symmetric co-occurrence counts.

    Parameters
    ----------
    images : tensor, shape (n, rows, columns), int64
    down, across : int
        From a pixel to its partner; `down` is zero or more.

    Returns
    -------
    tensor, shape (n, 256, 256), float64
    """
    n, rows, columns = images.shape
    start, stop = max(0, -across), min(columns, columns - across)
    here, there = (
        images[:, : max(rows - down, 0), start:stop],
        images[:, down:, start + across : stop + across],
    )
    number = torch.arange(n, device=images.device).view(-1, 1, 1)
    pairs = (number * LEVELS + here) * LEVELS + there
    counts = (
        torch.bincount(pairs.flatten(), minlength=n * LEVELS**2).view(n, LEVELS, LEVELS).double()
    )
    return counts + counts.transpose(1, 2)


def haralick(counts):
    """Six features of symmetric counts, in the order of `features.PROPERTIES`
    (doi:10.1109/TSMC.1973.4309314).

    Parameters
    ----------
    counts : tensor, shape (n, 256, 256), float64

    Returns
    -------
    tensor, shape (n, 6), float64
        The correlation of an image of one grey value is 1, as in scikit-image.
    """
    p = counts / counts.sum((1, 2), keepdim=True).clamp(min=1)
    level = torch.arange(LEVELS, device=counts.device, dtype=torch.float64)
    gap = (level[:, None] - level).abs()
    asm, mean = (p**2).sum((1, 2)), (p.sum(2) * level).sum(1)
    variance = (p.sum(2) * level**2).sum(1) - mean**2
    shared = torch.einsum("nij,i,j->n", p, level, level) - mean**2
    flat = variance <= 1e-9  # grey values are whole numbers: what is smaller is rounding
    correlation = torch.where(flat, torch.ones_like(shared), shared / variance.clamp(min=1e-9))
    sums = [(p * weight).sum((1, 2)) for weight in (gap**2, gap, 1 / (1 + gap**2))]
    return torch.stack([*sums, asm, asm.sqrt(), correlation], dim=1)
