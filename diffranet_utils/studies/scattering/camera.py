"""What each pixel of a scattering station sees: angles and scattering vectors.

Laboratory axes: the beam along x, y to the right of the image, z up. Angles inside are radians,
scattering vectors 1/angstrom with the 2 pi.
"""

from dataclasses import dataclass

import numpy as np

from diffranet_utils.core.checks import Count, Positive, check_fields
from diffranet_utils.core.errors import require


@dataclass(frozen=True)
class Camera:
    """A flat area detector behind a sample, shown as a square image.

    Parameters
    ----------
    width_mm, height_mm : float
        Sides of the sensitive area; each is divided into `n` pixels, so that the image of a
        detector that is not square is squeezed.
    distance_mm : float
        From the sample to the detector plane, along its normal.
    wavelength_A : float
    beam_right, beam_down : float
        Where the normal through the sample meets the detector (without a swing: the direct
        beam), as fractions of its width from the left and of its height from the top. Outside 0
        to 1 it misses the detector.
    swing_deg : float
        Turn of the detector about the vertical axis through the sample, towards the right.
    n : int
        Pixels along each side of the image.

    Raises
    ------
    InputError
        If a length is not positive or the detector is swung by 90 degrees or more.
    """

    width_mm: Positive
    height_mm: Positive
    distance_mm: Positive
    wavelength_A: Positive
    beam_right: float = 0.5
    beam_down: float = 0.5
    swing_deg: float = 0.0
    n: Count = 256

    def __post_init__(self):
        check_fields(self)
        require(abs(self.swing_deg) < 90, f"swing_deg is {self.swing_deg}: give less than 90.")

    @property
    def wavenumber(self):
        """2 pi over the wavelength, 1/angstrom."""
        return 2 * np.pi / self.wavelength_A

    def positions_mm(self):
        """Place of each pixel's centre from the foot of the normal.

        Returns
        -------
        right, up : ndarray, shape (1, n) and (n, 1), float64
        """
        steps = (np.arange(self.n) + 0.5) / self.n
        right = (steps - self.beam_right) * self.width_mm
        up = (self.beam_down - steps) * self.height_mm
        return right[None, :], up[:, None]

    def directions(self):
        """Unit vectors from the sample to the pixels.

        Returns
        -------
        ndarray, shape (3, n, n), float64
            Components along the beam, to the right, and up.
        """
        right, up = self.positions_mm()
        swing = np.radians(self.swing_deg)
        ahead = self.distance_mm * np.cos(swing) - right * np.sin(swing)
        aside = self.distance_mm * np.sin(swing) + right * np.cos(swing)
        vectors = np.stack(np.broadcast_arrays(ahead, aside, up))
        return vectors / np.linalg.norm(vectors, axis=0)

    def transmission(self):
        """Length and azimuth of the scattering vector of a sample in transmission.

        Returns
        -------
        q_A : ndarray, shape (n, n), float64
            4 pi sin(theta) / wavelength.
        chi : ndarray, shape (n, n), float64
            Azimuth about the beam, from the right, anticlockwise, radians.
        """
        ahead, aside, up = self.directions()
        two_theta = np.arctan2(np.hypot(aside, up), ahead)
        return 2 * self.wavenumber * np.sin(two_theta / 2), np.arctan2(up, aside)

    def grazing(self, incidence_deg):
        """Exit angle and scattering vector in the frame of a surface struck at grazing incidence.

        Parameters
        ----------
        incidence_deg : float
            Angle between beam and surface; the surface faces up.

        Returns
        -------
        exit_angle : ndarray, shape (n, n), float64
            Above the surface, radians; negative below the horizon.
        q_A : ndarray, shape (3, n, n), float64
            Components along the beam's trace on the surface, across it, and along its normal.
        """
        ahead, aside, up = self.directions()
        cos, sin = np.cos(np.radians(incidence_deg)), np.sin(np.radians(incidence_deg))
        along, normal = ahead * cos + up * sin, up * cos - ahead * sin
        q = np.stack([along - cos, aside, normal + sin]) * self.wavenumber
        return np.arcsin(normal), q

    def solid_angle(self):
        """Solid angle of each pixel relative to one in the foot of the normal.

        Returns
        -------
        ndarray, shape (n, n), float64
            Cube of the cosine of the angle to the normal.
        """
        right, up = self.positions_mm()
        return (self.distance_mm / np.sqrt(self.distance_mm**2 + right**2 + up**2)) ** 3
