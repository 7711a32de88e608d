"""Render a picture of a crystallisation drop together with its truth."""

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from diffranet_utils.core.errors import require

from . import clutter, crystals, precipitate
from .drop import paint_drop
from .labels import CLASSES, VARIETIES
from .optics import draw_exposure, take_picture
from .scene import empty_scene, smooth_noise
from .well import paint_light, paint_well

FAILURES = {
    "out_of_focus": ("blur_px", (9.0, 22.0)),
    "dark": ("gain", (0.08, 0.3)),
    "overexposed": ("gain", (1.45, 3.0)),
}
"""Which setting of the exposure goes wrong, and to what (pixels, or a factor on the light)."""


@dataclass(frozen=True)
class RenderedDrop:
    """A picture and what is in it.

    Attributes
    ----------
    jpeg : bytes
        The picture as the camera's program writes it.
    label : int
        Index into `labels.CLASSES`.
    variety : str
        One of `labels.VARIETIES` of that class.
    imager : str
        Name of the imager.
    crystals, grains, drop : ndarray, shape (height, width), bool
        Truth: pixels of crystals, of precipitate, of the drop.
    """

    jpeg: bytes
    label: int
    variety: str
    imager: str
    crystals: np.ndarray
    grains: np.ndarray
    drop: np.ndarray

    @cached_property
    def picture(self):
        """The JPEG decoded: RGB, ndarray of shape (height, width, 3), uint8."""
        coded = np.frombuffer(self.jpeg, np.uint8)
        return cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _background(scene, rng, imager):
    """Paint plate, letters and dirt."""
    paint_light(scene, rng, imager)
    paint_well(scene, rng, imager)
    if rng.random() < imager.letters:
        clutter.paint_letters(scene, rng)
        clutter.paint_plate_edge(scene, rng)
    clutter.paint_scratches(scene, rng, int(rng.integers(0, 4)))
    clutter.paint_dust(scene, rng, int(rng.integers(0, 9)), inside=False)


def _clear(scene, rng, variety):
    """Paint what a clear drop may hold."""
    if variety == "dust":
        clutter.paint_dust(scene, rng, int(rng.integers(4, 16)), inside=True)
    elif variety == "bubbles":
        clutter.paint_bubbles(scene, rng)
    elif variety == "edges":
        clutter.paint_edges(scene, rng)


def _dried(scene, rng):
    """Crack and crumple what is left of a drop: dark veins on a rough crust."""
    height, width = scene.shade.shape
    precipitate.paint_skin(scene, rng)
    cells = rng.uniform(9, 20)
    low = smooth_noise(rng, (height // 4, width // 4), cells)
    low += 0.5 * smooth_noise(rng, low.shape, 2.5 * cells)
    veins = cv2.resize(np.exp(-np.abs(low) / 0.07), (width, height))
    slope = cv2.GaussianBlur(cv2.Sobel(low, cv2.CV_32F, 1, 0, ksize=3), (0, 0), 1.5)
    relief = cv2.resize(slope / (3 * slope.std()), (width, height))
    crust = 1 - 0.75 * veins + 0.35 * np.clip(relief, -1, 1)
    scene.shade *= 1 + scene.drop * (np.clip(crust, 0.1, 1.3) - 1)
    scene.grains[:] = 0


def _contents(scene, rng, label, variety):
    """Paint what makes the class, after the drop itself."""
    if label == "crystals":
        crystals.PAINTERS[variety](scene, rng)
    elif label == "precipitate":
        precipitate.PAINTERS[variety](scene, rng)
    elif label == "clear":
        _clear(scene, rng, variety)
    elif variety == "dried":
        _dried(scene, rng)


def _exposure(rng, imager, variety):
    """Draw the camera's settings, one of them wrong for the failures of class other."""
    exposure = draw_exposure(rng, imager)
    if variety not in FAILURES:
        return exposure
    setting, (low, high) = FAILURES[variety]
    factor = imager.height / 960 if setting == "blur_px" else 1.0
    return replace(exposure, **{setting: factor * rng.uniform(low, high)})


def _chosen_variety(rng, label, variety):
    require(label in CLASSES, f"There is no class {label!r}. Choose one of {', '.join(CLASSES)}.")
    known = VARIETIES[label]
    require(
        variety is None or variety in known,
        f"Class {label} has no variety {variety!r}. Choose one of {', '.join(known)}.",
    )
    return variety or known[rng.integers(len(known))]


def render_drop(rng, imager, label, variety=None, empty=False):
    """Render one picture; the same generator state gives the same bytes.

    A class is exact by construction: crystals reach `crystals.VISIBLE_LEVELS` of contrast, and
    no picture of another class holds one.

    Parameters
    ----------
    rng : numpy.random.Generator
    imager : Imager
    label : str
        One of `labels.CLASSES`.
    variety : str, optional
        One of `labels.VARIETIES` of the class; drawn when None.
    empty : bool
        Leave the crystals or precipitate out and keep all else: what they add can be measured.

    Returns
    -------
    RenderedDrop

    Raises
    ------
    InputError
        If there is no such class or variety.
    """
    variety = _chosen_variety(rng, label, variety)
    for_plate, for_drop, for_contents, for_camera = rng.spawn(4)
    scene = empty_scene(imager)
    _background(scene, for_plate, imager)
    if variety != "no_drop":
        paint_drop(scene, for_drop, imager)
    exposure = _exposure(for_camera, imager, variety)
    if not (empty and label in ("crystals", "precipitate")):
        _contents(scene, for_contents, label, variety)
    if label == "crystals" and not empty:
        crystals.make_visible(scene, exposure.blur_px)
    return RenderedDrop(
        jpeg=take_picture(scene, for_camera, exposure),
        label=CLASSES.index(label),
        variety=variety,
        imager=imager.name,
        crystals=scene.crystals > 0,
        grains=scene.grains > 0,
        drop=scene.drop > 0.5,
    )
