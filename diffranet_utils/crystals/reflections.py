"""The fast way to a top-hat Bragg image: loop over reflections, not over pixels.

For each reflection near the Ewald sphere and each mosaic domain, the spot is the cut of a small
ellipsoid with the sphere. Its box on the detector follows from a quadratic form at the mean
orientation, widened to be safe; every sub-pixel in the box is then tested exactly, in double
precision. All spots of one reflection get boxes of one size, so that the tests run through them in
step, several at a time in a vector register.
"""

import math
from collections import namedtuple

import numpy as np
from numba import njit

from diffranet_utils.instrument import geometry

# Detector plane in sub-pixels: position of the first centre along slow and fast axis, step,
# distance (metre), number of rows and columns, and the pixel that each of them belongs to.
Plane = namedtuple("Plane", "first_slow first_fast step distance n_rows n_columns pixel_of")
# One source: unit vector along the beam, wavelength (angstrom).
Source = namedtuple("Source", "x y z wavelength")
# Crystal: reciprocal cell (rows a*, b*, c*), M = diag(cells) x cell, cells, table of F and its
# first index.
Lattice = namedtuple("Lattice", "reciprocal m n_cells table origin")
# What bounds the search: spot radius (of M q), largest domain angle, relative margin of the boxes,
# largest half-thickness of a spot (1/angstrom), largest |q| that the detector sees.
Search = namedtuple("Search", "radius theta margin thickness q_max")
# Per domain: incident direction (3, n) and a row of beam, fast, slow axis in the domain's frame,
# then M U^T / wavelength applied to beam axis x distance, slow axis, fast axis, incident direction:
# (n, 21).
Domains = namedtuple("Domains", "incident rows")

# Scratch space for the spots of one reflection, an entry per mosaic domain: excitation error,
# numbers of the domains that meet the sphere; then for each of these the corner of its box, which
# of them are lit, squared distance from the node in the sub-pixel under test, and (14, n) what that
# test needs: row and column of the corner as numbers to calculate with, then the last twelve
# columns of `Domains.rows`.
Scratch = namedtuple("Scratch", "excitation chosen row column lit distance2 steps")

# A list of spots: weight of each pixel; rows of h, k, l and the sums of weight, weight x slow,
# weight x fast (in sub-pixels); how many rows are filled, in an array of one element.
Spots = namedtuple("Spots", "weight rows filled")

MIN_COSINE = 0.02  # rays that leave more sideways than this never meet the detector


def lit_intensity(crystal, beam, detector, domains, oversample, tophat_r2, spots=None):
    """Sum of F^2 N^2 over the sub-pixels, domains and sources that a top-hat spot lights.

    Parameters
    ----------
    crystal : Crystal
    beam : Beam
    detector : Detector
    domains : ndarray, shape (n_domains, 3, 3), float64
    oversample : int
    tophat_r2 : float
        See `bragg.expected_photons`.
    spots : Spots, optional
        Filled with what every single reflection contributes.

    Returns
    -------
    ndarray, shape (n_slow, n_fast), float64
        Electrons squared.
    """
    total = np.zeros(detector.shape)
    for lattice, source, plane, search, turned in prepare(
        crystal, beam, detector, domains, oversample, tophat_r2
    ):
        _kernel(total, lattice, source, plane, search, turned, spots)
    return total * float(np.prod(crystal.n_cells)) ** 2


def prepare(crystal, beam, detector, domains, oversample, tophat_r2):
    """Everything that the loop needs, source by source.

    Arguments as `lit_intensity`.

    Yields
    ------
    Lattice, Source, Plane, Search, Domains
    """
    n_cells = np.asarray(crystal.n_cells, float)
    m = np.diag(n_cells) @ crystal.cell_vectors_A
    reciprocal = np.linalg.inv(crystal.cell_vectors_A).T.copy()
    lattice = Lattice(
        reciprocal, m, n_cells, crystal.factors.table, np.array(crystal.factors.origin)
    )
    y, z = geometry.positions(detector, oversample)
    pixel_of = np.arange(max(len(y), len(z))) // oversample
    plane = Plane(
        -y[0], z[0], detector.pixel_m / oversample, detector.distance_m, len(y), len(z), pixel_of
    )
    for direction, wavelength in zip(*beam.incident(), strict=True):
        search = _search(m, domains, tophat_r2, direction, wavelength, detector)
        turned = _domains(domains, m, direction, wavelength, detector)
        yield lattice, Source(*direction, wavelength), plane, search, turned


def _search(m, domains, tophat_r2, direction, wavelength, detector):
    radius, stretch = math.sqrt(tophat_r2), np.linalg.svd(m, compute_uv=False)
    cosine = (np.trace(domains, axis1=1, axis2=2) - 1) / 2
    theta = float(np.max(np.arccos(np.clip(cosine, -1, 1))))
    # A domain's turn changes the cross-section by at most about theta x anisotropy; take several
    # times that.
    margin = 0.04 + 4 * theta * stretch[0] / stretch[-1]
    thickness = (1 + margin) * radius / stretch[-1]
    q_max = (
        2 * geometry.stol(detector, wavelength).max()
        + np.linalg.norm(direction - geometry.BEAM_AXIS) / wavelength
    )
    return Search(radius, theta, margin, thickness, 1.02 * float(q_max) + 2 * thickness)


def _domains(domains, m, direction, wavelength, detector):
    axes = np.stack([geometry.BEAM_AXIS, geometry.FAST_AXIS, geometry.SLOW_AXIS])
    turned_axes = np.einsum("dji,aj->dai", domains, axes).reshape(-1, 9)
    columns = np.stack(
        [axes[0] * detector.distance_m, axes[2], axes[1], direction],
        axis=1,
    )
    steps = np.einsum("ij,dkj,kc->dci", m / wavelength, domains, columns, optimize=True).reshape(
        -1, 12
    )
    incident = np.ascontiguousarray(np.einsum("dji,j->id", domains, direction))
    return Domains(incident, np.concatenate([turned_axes, steps], axis=1))


@njit(cache=True, nogil=True)
def _kernel(total, lattice, source, plane, search, domains, spots):
    """Visit the reflections that can touch the sphere: for each (h, k), the roots of a parabola in
    l.
    """
    star, origin, shape = lattice.reciprocal, lattice.origin, lattice.table.shape
    wavelength = source.wavelength
    n = domains.rows.shape[0] + 1  # one spare entry for loops that write first and count then
    chosen, row, column, lit = (
        np.empty(n, np.int64),
        np.empty(n, np.int64),
        np.empty(n, np.int64),
        np.empty(n, np.int64),
    )
    scratch = Scratch(np.empty(n - 1), chosen, row, column, lit, np.empty(n), np.empty((14, n)))
    widest = 1.05 * (search.theta + search.theta**2 / 2) * search.q_max + search.thickness
    band = 2 / wavelength * widest
    c2 = star[2, 0] ** 2 + star[2, 1] ** 2 + star[2, 2] ** 2
    for ih in range(shape[0]):
        for ik in range(shape[1]):
            h, k = ih + origin[0], ik + origin[1]
            x = h * star[0, 0] + k * star[1, 0]
            y = h * star[0, 1] + k * star[1, 1]
            z = h * star[0, 2] + k * star[1, 2]
            # |q + k|^2 - k^2 = c2 l^2 + 2 half l + constant, wanted between -band and band
            half = star[2, 0] * (x + source.x / wavelength)
            half += star[2, 1] * (y + source.y / wavelength) + star[2, 2] * (
                z + source.z / wavelength
            )
            constant = (
                x * x
                + y * y
                + z * z
                + 2 / wavelength * (x * source.x + y * source.y + z * source.z)
            )
            outer = half * half - c2 * (constant - band)
            if outer < 0:
                continue
            inner = half * half - c2 * (constant + band)
            low = int(math.ceil((-half - math.sqrt(outer)) / c2))
            high = int(math.floor((-half + math.sqrt(outer)) / c2))
            low, high = max(low, origin[2]), min(high, origin[2] + shape[2] - 1)
            # Between the inner roots the reflection lies too deep inside the sphere.
            gap_from, gap_to = high + 1, high
            if inner > 0:
                gap_from = int(math.floor((-half - math.sqrt(inner)) / c2)) + 1
                gap_to = int(math.ceil((-half + math.sqrt(inner)) / c2)) - 1
            l = low
            while l <= high:
                if gap_from <= l <= gap_to:
                    l = gap_to + 1
                    continue
                f = float(lattice.table[ih, ik, l - origin[2]])
                if f > 0:
                    q = (x + l * star[2, 0], y + l * star[2, 1], z + l * star[2, 2])
                    _one_reflection(
                        total,
                        f * f,
                        (h, k, l),
                        q,
                        lattice,
                        source,
                        plane,
                        search,
                        domains,
                        scratch,
                        spots,
                    )
                l += 1


@njit(cache=True, nogil=True)
def _one_reflection(  # noqa: PLR0913 - called from one place, in the hot loop
    total, f2, hkl, q, lattice, source, plane, search, domains, scratch, spots
):
    """Add F^2 to every sub-pixel that one reflection lights, domain by domain."""
    wavelength, radius = source.wavelength, (1 + search.margin) * search.radius
    q2 = q[0] * q[0] + q[1] * q[1] + q[2] * q[2]
    along_beam = q[0] * source.x + q[1] * source.y + q[2] * source.z
    shell = wavelength * q2 / 2
    q_perp = math.sqrt(max(q2 - along_beam * along_beam, 0.0))
    widest = 1.05 * (search.theta * q_perp + search.theta**2 * math.sqrt(q2) / 2) + search.thickness
    # Components of the exit wave along the beam, fast and slow axes.
    beam, fast, slow = (
        q[0] + source.x / wavelength,
        q[2] + source.z / wavelength,
        -q[1] - source.y / wavelength,
    )
    if abs(along_beam + shell) > widest or beam < MIN_COSINE / wavelength:
        return
    step, distance = plane.step, plane.distance
    n_rows, n_columns = plane.n_rows, plane.n_columns
    exit_wave = math.sqrt(beam * beam + fast * fast + slow * slow)
    path = distance / beam * exit_wave
    column, row = (
        (distance * fast / beam - plane.first_fast) / step,
        (distance * slow / beam - plane.first_slow) / step,
    )
    reach = 2.2 * search.theta * path * path / (distance * step) + 6
    if row < -reach or column < -reach or row > n_rows + reach or column > n_columns + reach:
        return
    exit_ray = (beam / exit_wave, fast / exit_wave, slow / exit_wave)
    shape = _cross_section(lattice.m, exit_ray, step / (path * wavelength))
    n = _meet_sphere(q, shell, radius / math.sqrt(shape[2]), domains, scratch)
    half_width, half_height = radius * shape[3], radius * shape[4]
    box = min(int(2 * half_height) + 1, n_rows), min(int(2 * half_width) + 1, n_columns)
    corner = plane.first_slow / step + half_height, plane.first_fast / step + half_width
    _place_boxes(n, q, shape, corner, box, source, plane, scratch, domains.rows)
    node = hkl[0] * lattice.n_cells[0], hkl[1] * lattice.n_cells[1], hkl[2] * lattice.n_cells[2]
    _light(total, f2, n, node, search.radius * search.radius, box, plane, scratch, spots)
    if spots is not None:
        _close(spots, hkl)


@njit(cache=True, nogil=True)
def _meet_sphere(q, shell, limit, domains, scratch):
    """Choose the domains whose spot reaches the sphere, without branches; return how many."""
    incident, excitation, n = domains.incident, scratch.excitation, 0
    for d in range(excitation.size):
        excitation[d] = (
            incident[0, d] * q[0] + incident[1, d] * q[1] + incident[2, d] * q[2] + shell
        )
    for d in range(excitation.size):
        scratch.chosen[n] = d
        n += abs(excitation[d]) < limit
    return n


@njit(cache=True, nogil=True)
def _place_boxes(n, q, shape, corner, box, source, plane, scratch, rows):  # noqa: PLR0913 - as its caller
    """Find the first sub-pixel of each spot's box, moved inwards at the detector's edge; gather
    what the tests need.
    """
    s, inverse_wavelength = scratch.steps, 1 / source.wavelength
    n_rows, n_columns = plane.n_rows, plane.n_columns
    for c in range(n):
        p, axis = scratch.excitation[scratch.chosen[c]], rows[scratch.chosen[c]]
        for k in range(12):
            s[2 + k, c] = axis[9 + k]
        beam = axis[0] * q[0] + axis[1] * q[1] + axis[2] * q[2] + source.x * inverse_wavelength
        fast = axis[3] * q[0] + axis[4] * q[1] + axis[5] * q[2] + source.z * inverse_wavelength
        slow = axis[6] * q[0] + axis[7] * q[1] + axis[8] * q[2] - source.y * inverse_wavelength
        scale = plane.distance / (plane.step * beam)
        row = np.ceil(scale * slow + p * shape[1] - corner[0])
        column = np.ceil(scale * fast + p * shape[0] - corner[1])
        s[0, c] = min(max(row, 0.0), float(n_rows - box[0]))
        s[1, c] = min(max(column, 0.0), float(n_columns - box[1]))
        scratch.row[c], scratch.column[c] = int(s[0, c]), int(s[1, c])


@njit(
    cache=True, nogil=True, error_model="numpy"
)  # a check for division by zero would stop the vectors
def _light(total, f2, n, node, r2, box, plane, scratch, spots):  # noqa: PLR0913 - the hot loop
    """Test sub-pixel by sub-pixel of all boxes at once, and add F^2 where it is lit."""
    s, row, column, lit, distance2 = (
        scratch.steps,
        scratch.row,
        scratch.column,
        scratch.lit,
        scratch.distance2,
    )
    first_slow, first_fast, step, pixel_of = (
        plane.first_slow,
        plane.first_fast,
        plane.step,
        plane.pixel_of,
    )
    node_h, node_k, node_l = node
    forward2 = plane.distance * plane.distance
    for i in range(box[0]):
        for j in range(box[1]):
            down, right = float(i), float(j)
            for c in range(n):
                slow = first_slow + (s[0, c] + down) * step
                fast = first_fast + (s[1, c] + right) * step
                per_length = 1 / math.sqrt(forward2 + slow * slow + fast * fast)
                dh = (s[2, c] + slow * s[5, c] + fast * s[8, c]) * per_length - s[11, c] - node_h
                dk = (s[3, c] + slow * s[6, c] + fast * s[9, c]) * per_length - s[12, c] - node_k
                dl = (s[4, c] + slow * s[7, c] + fast * s[10, c]) * per_length - s[13, c] - node_l
                distance2[c] = dh * dh + dk * dk + dl * dl
            n_lit = 0
            for c in range(n):
                lit[n_lit] = c
                n_lit += distance2[c] < r2
            for k in range(n_lit):
                y, x = row[lit[k]] + i, column[lit[k]] + j
                total[pixel_of[y], pixel_of[x]] += f2
                if spots is not None:
                    _note(spots, f2 * spots.weight[pixel_of[y], pixel_of[x]], y, x)


@njit(cache=True, nogil=True)
def _note(spots, share, i, j):
    """Add one lit sub-pixel to the row in work."""
    row = spots.rows[spots.filled[0]]
    row[3] += share
    row[4] += share * i
    row[5] += share * j


@njit(cache=True, nogil=True)
def _close(spots, hkl):
    """Keep the row in work if it holds light and there is room for another."""
    row, last = spots.rows[spots.filled[0]], spots.rows.shape[0] - 1
    if row[3] > 0 and spots.filled[0] < last:
        row[0], row[1], row[2] = hkl
        spots.filled[0] += 1


@njit(cache=True, nogil=True)
def _cross_section(m, exit_ray, per_step):
    """Shape of the spot where it meets the sphere, in detector steps.

    With v = M (offset), the lit area is ``|m_x dx + m_y dy - P m_e|^2 < R^2`` for excitation error
    P. Returns the shift of its centre per unit P, the squared thickness along the ray, and its
    half-widths at P = 0 for R = 1.
    """
    beam, fast, slow = exit_ray
    gxx = gxy = gyy = gex = gey = gee = 0.0
    for c in range(3):
        m_beam, m_fast, m_slow = m[c, 0], m[c, 2], -m[c, 1]
        m_e = m_beam * beam + m_fast * fast + m_slow * slow
        m_x, m_y = (m_fast - m_e * fast) * per_step, (m_slow - m_e * slow) * per_step
        gxx, gxy, gyy = gxx + m_x * m_x, gxy + m_x * m_y, gyy + m_y * m_y
        gex, gey, gee = gex + m_e * m_x, gey + m_e * m_y, gee + m_e * m_e
    det = gxx * gyy - gxy * gxy
    shift_x, shift_y = (gyy * gex - gxy * gey) / det, (gxx * gey - gxy * gex) / det
    return (
        shift_x,
        shift_y,
        gee - gex * shift_x - gey * shift_y,
        math.sqrt(gyy / det),
        math.sqrt(gxx / det),
    )
