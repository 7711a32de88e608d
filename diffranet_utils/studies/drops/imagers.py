"""Five imagers that differ as the set-ups of the five institutions in MARCO's Table 1 do.

The paper names the set-ups (Rock Imager, Minstrel, a home-made system; sitting drops or
microbatch under oil; true colour or grey; narrow or wide field of view); the numbers here are
chosen by eye, so they describe no real instrument.
"""

from dataclasses import dataclass

from diffranet_utils.core.errors import InputError


@dataclass(frozen=True)
class Imager:
    """One imaging set-up. Lengths are fractions of the picture's height.

    Attributes
    ----------
    name : str
    stands_for : str
        The set-up in Table 1 of doi:10.1371/journal.pone.0198883 that it is like.
    width, height : int
        Size of its pictures, pixels.
    well_radius : float
        Half-width of the well's floor.
    well_corner : float
        Radius of the floor's corners over its half-width: 1 is a round well, 0 a square one.
    wall_width : float
        Width of the dark wall around the floor; 0 where it is outside the field of view.
    flat_bottom : float
        Chance that the lower edge of the well is cut straight.
    letters : float
        Chance that letters of the plate stand beside the well.
    under_oil : bool
        Microbatch under oil: soft edges of the drop, which fills the well.
    drop_radius : tuple of float
        Smallest and largest mean radius of a drop over the well's.
    colour : bool
        True colour, or grey.
    lamp : tuple of float
        Mean red, green and blue of the lit field, 0 to 1.
    colour_swing : float
        Amplitude of the pink-to-green drift within a picture.
    gradient : float
        Amplitude of the uneven brightness.
    vignette : float
        Loss of light in the corners.
    blur_px : tuple of float
        Smallest and largest blur of a picture in focus (standard deviation, pixels).
    noise : float
        Standard deviation of the sensor's noise, grey levels of 255.
    jpeg_quality : tuple of int
        Lowest and highest quality of the compression.
    """

    name: str
    stands_for: str
    width: int = 1280
    height: int = 960
    well_radius: float = 0.49
    well_corner: float = 1.0
    wall_width: float = 0.165
    flat_bottom: float = 0.5
    letters: float = 0.8
    under_oil: bool = False
    drop_radius: tuple = (0.5, 0.8)
    colour: bool = True
    lamp: tuple = (0.78, 0.78, 0.83)
    colour_swing: float = 0.065
    gradient: float = 0.06
    vignette: float = 0.08
    blur_px: tuple = (0.7, 1.1)
    noise: float = 1.6
    jpeg_quality: tuple = (85, 95)


IMAGERS = (
    Imager("rock_wide", "Formulatrix Rock Imager, sitting drop, wide field (Merck)"),
    Imager(
        "rock_close",
        "Formulatrix Rock Imager, sitting drop, narrow field (GlaxoSmithKline)",
        well_radius=0.66,
        well_corner=0.55,
        wall_width=0.12,
        letters=0.1,
        drop_radius=(0.42, 0.6),
        lamp=(0.70, 0.74, 0.79),
        colour_swing=0.04,
        gradient=0.1,
        jpeg_quality=(80, 92),
    ),
    Imager(
        "minstrel_grey",
        "Rigaku Minstrel, sitting drop, grey (CSIRO)",
        width=1024,
        height=768,
        well_radius=0.60,
        wall_width=0.10,
        letters=0.0,
        flat_bottom=0.0,
        drop_radius=(0.45, 0.66),
        colour=False,
        lamp=(0.66, 0.66, 0.66),
        colour_swing=0.0,
        gradient=0.07,
        vignette=0.25,
        noise=2.6,
        jpeg_quality=(75, 90),
    ),
    Imager(
        "oil_home",
        "home-made system, microbatch under oil (HWMRI)",
        width=800,
        height=640,
        well_radius=0.52,
        well_corner=0.45,
        wall_width=0.16,
        flat_bottom=0.0,
        letters=0.0,
        under_oil=True,
        drop_radius=(0.55, 0.8),
        lamp=(0.62, 0.68, 0.66),
        colour_swing=0.02,
        gradient=0.08,
        vignette=0.2,
        blur_px=(0.9, 1.5),
        noise=2.2,
        jpeg_quality=(70, 85),
    ),
    Imager(
        "rock_old",
        "Formulatrix Rock Imager, older camera and plate (Bristol-Myers Squibb)",
        width=1024,
        height=1024,
        well_radius=0.44,
        well_corner=0.8,
        wall_width=0.09,
        flat_bottom=0.2,
        letters=0.3,
        drop_radius=(0.4, 0.62),
        lamp=(0.84, 0.80, 0.70),
        colour_swing=0.03,
        gradient=0.09,
        vignette=0.15,
        blur_px=(0.8, 1.4),
        noise=2.0,
        jpeg_quality=(60, 80),
    ),
)
"""The five imagers, in the order in which chapters number them."""

TABLE_1_IMAGES = {
    "rock_wide": 305_804,
    "rock_close": 83_126,
    "minstrel_grey": 15_933,
    "oil_home": 79_632,
    "rock_old": 8_719,
}
"""Pictures that the institution of each imager gave (Table 1)."""


def imager_named(name):
    """Return the imager called `name`.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    for imager in IMAGERS:
        if imager.name == name:
            return imager
    known = ", ".join(imager.name for imager in IMAGERS)
    raise InputError(f"There is no imager {name!r}. Choose one of {known}.")
