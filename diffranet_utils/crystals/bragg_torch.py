"""The reflection loop as tensor code: the same spots, tested by the same arithmetic, on a GPU where
there is one.

Reflections near the Ewald sphere are listed first; all pairs of reflection and mosaic domain are
screened at once; every pair that lights something is unrolled into the sub-pixels of its box, and
each of these is tested exactly, in double precision, as in `reflections`.
"""

import numpy as np
import torch

from diffranet_utils.crystals.reflections import MIN_COSINE, prepare

PAIRS = 2**21  # pairs of reflection and domain screened at once: some hundred megabytes of tensors


def device():
    """The first GPU, or the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def lit_intensity(crystal, beam, detector, domains, oversample, tophat_r2):
    """Sum of F^2 N^2 over the sub-pixels, domains and sources that a top-hat spot lights.

    Arguments and result as `reflections.lit_intensity`.
    """
    total = torch.zeros(detector.n_slow * detector.n_fast, dtype=torch.float64, device=device())
    for parts in prepare(crystal, beam, detector, domains, oversample, tophat_r2):
        _add_source(total, detector, oversample, *parts)
    return total.reshape(detector.shape).cpu().numpy() * float(np.prod(crystal.n_cells)) ** 2


def _add_source(  # noqa: PLR0913 - as the compiled loop
    total, detector, oversample, lattice, source, plane, search, domains
):
    """Add what one source lights, a chunk of reflections at a time."""
    reflections = _Reflections(lattice, source, plane, search, total.device)
    grid = _Grid(plane, detector, oversample)
    incident = torch.as_tensor(domains.incident, device=total.device)
    rows = torch.as_tensor(domains.rows, device=total.device)
    chunk = max(1, PAIRS // incident.shape[1])
    for start in range(0, len(reflections.f2), chunk):
        part = slice(start, start + chunk)
        excitation = reflections.q[part] @ incident + reflections.shell[part, None]
        which, domain = torch.nonzero(
            excitation.abs() < reflections.limit[part, None], as_tuple=True
        )
        pair = _Pairs(reflections, which + start, excitation[which, domain], rows[domain])
        pixel, f2 = _lit(pair, grid, source, search)
        total.index_add_(0, pixel, f2)


class _Grid:
    """The detector plane in sub-pixels."""

    def __init__(self, plane, detector, oversample):
        self.plane, self.oversample, self.n_fast = plane, oversample, detector.n_fast


class _Reflections:
    """Reflections that can light the detector, with the shape of their spots, as tensors of one row
    each.
    """

    def __init__(self, lattice, source, plane, search, place):
        hkl, q, f2 = _near_sphere(lattice, source, search)
        wavelength = source.wavelength
        wave = q + np.array([source.x, source.y, source.z]) / wavelength
        beam, fast, slow = wave[:, 0], wave[:, 2], -wave[:, 1]
        shell, along = wavelength * (q**2).sum(1) / 2, q @ np.array([source.x, source.y, source.z])
        turn = search.theta * np.sqrt(np.maximum((q**2).sum(1) - along**2, 0))
        widest = 1.05 * (turn + search.theta**2 * np.linalg.norm(q, axis=1) / 2) + search.thickness
        keep = (np.abs(along + shell) <= widest) & (beam >= MIN_COSINE / wavelength)
        hkl, q, f2, shell, beam, fast, slow = (
            x[keep] for x in (hkl, q, f2, shell, beam, fast, slow)
        )
        exit_wave = np.sqrt(beam**2 + fast**2 + slow**2)
        path = plane.distance / beam * exit_wave
        keep = _on_detector(plane, search, beam, fast, slow, path)
        directions = np.stack([beam, fast, slow], axis=1) / exit_wave[:, None]
        shape = _cross_sections(lattice.m, directions[keep], plane.step / (path[keep] * wavelength))
        limit = (1 + search.margin) * search.radius / np.sqrt(shape[:, 2])
        node = hkl * lattice.n_cells
        arrays = (q[keep], f2[keep], shell[keep], node[keep], shape, limit)
        tensors = (
            torch.as_tensor(np.ascontiguousarray(x), dtype=torch.float64, device=place)
            for x in arrays
        )
        self.q, self.f2, self.shell, self.node, self.shape, self.limit = tensors


class _Pairs:
    """Pairs of reflection and domain: everything that the test of a sub-pixel needs, gathered."""

    def __init__(self, reflections, which, excitation, rows):
        self.q, self.f2, self.node = (
            reflections.q[which],
            reflections.f2[which],
            reflections.node[which],
        )
        self.shape, self.excitation, self.rows = reflections.shape[which], excitation, rows


def _near_sphere(lattice, source, search):
    """Miller indices, q and F^2 of the table's reflections within reach of the Ewald sphere."""
    widest = 1.05 * (search.theta + search.theta**2 / 2) * search.q_max + search.thickness
    band, direction = 2 / source.wavelength * widest, np.array([source.x, source.y, source.z])
    found = []
    k_l = np.stack(
        np.meshgrid(*(np.arange(n) for n in lattice.table.shape[1:]), indexing="ij"), axis=-1
    )
    for h in range(
        lattice.table.shape[0]
    ):  # plane by plane: the whole table at once would fill the memory
        index = np.concatenate([np.full((*k_l.shape[:2], 1), h), k_l], axis=-1) + np.array(
            lattice.origin
        )
        q = index @ lattice.reciprocal
        near = np.abs((q**2).sum(-1) + 2 / source.wavelength * (q @ direction)) <= band
        near &= lattice.table[h] > 0
        found.append((index[near], q[near], lattice.table[h][near].astype(float) ** 2))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _on_detector(plane, search, beam, fast, slow, path):
    """True where the mean spot lies close enough for one of its domains to meet the detector."""
    column = (plane.distance * fast / beam - plane.first_fast) / plane.step
    row = (plane.distance * slow / beam - plane.first_slow) / plane.step
    reach = 2.2 * search.theta * path * path / (plane.distance * plane.step) + 6
    return (
        (row >= -reach)
        & (column >= -reach)
        & (row <= plane.n_rows + reach)
        & (column <= plane.n_columns + reach)
    )


def _cross_sections(m, rays, per_step):
    """`reflections._cross_section` for many rays at once, shape (n, 5)."""
    beam_fast_slow = np.stack([m[:, 0], m[:, 2], -m[:, 1]], axis=1)
    along = rays @ beam_fast_slow.T
    m_x, m_y = (
        (beam_fast_slow[:, axis] - along * rays[:, axis, None]) * per_step[:, None]
        for axis in (1, 2)
    )
    gxx, gxy, gyy = (m_x**2).sum(1), (m_x * m_y).sum(1), (m_y**2).sum(1)
    gex, gey, gee = (along * m_x).sum(1), (along * m_y).sum(1), (along**2).sum(1)
    det = gxx * gyy - gxy**2
    shift_x, shift_y = (gyy * gex - gxy * gey) / det, (gxx * gey - gxy * gex) / det
    return np.stack(
        [
            shift_x,
            shift_y,
            gee - gex * shift_x - gey * shift_y,
            np.sqrt(gyy / det),
            np.sqrt(gxx / det),
        ],
        axis=1,
    )


def _boxes(pair, grid, source, search):
    """First row, first column and extent of the sub-pixels that each pair can light."""
    plane, axis, q, p = grid.plane, pair.rows, pair.q, pair.excitation
    shift_x, shift_y, thickness, width_x, width_y = pair.shape.unbind(1)
    scale = plane.distance / (
        plane.step * ((axis[:, 0:3] * q).sum(1) + source.x / source.wavelength)
    )
    fast = (axis[:, 3:6] * q).sum(1) + source.z / source.wavelength
    slow = (axis[:, 6:9] * q).sum(1) - source.y / source.wavelength
    x = scale * fast + (p * shift_x - plane.first_fast / plane.step)
    y = scale * slow + (p * shift_y - plane.first_slow / plane.step)
    size = (search.radius**2 - p * p * thickness).clamp(
        min=0
    ).sqrt() + search.margin * search.radius
    first_row, last_row = (
        (y - size * width_y).ceil().clamp(min=0),
        (y + size * width_y).floor().clamp(max=plane.n_rows - 1),
    )
    first, last = (
        (x - size * width_x).ceil().clamp(min=0),
        (x + size * width_x).floor().clamp(max=plane.n_columns - 1),
    )
    rows, columns = (last_row - first_row + 1).clamp(min=0), (last - first + 1).clamp(min=0)
    return first_row.long(), first.long(), rows.long(), columns.long()


def _lit(pair, grid, source, search):
    """Pixel and F^2 of every lit sub-pixel."""
    first_row, first, rows, columns = _boxes(pair, grid, source, search)
    counts = rows * columns
    which = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    inside = torch.arange(len(which), device=counts.device) - (counts.cumsum(0) - counts)[which]
    i, j = first_row[which] + inside // columns[which], first[which] + inside % columns[which]
    axis, plane = pair.rows[which, 9:], grid.plane
    # In double precision: a tensor of integers times a number would be single.
    offset, sideways = (
        plane.first_slow + i.double() * plane.step,
        plane.first_fast + j.double() * plane.step,
    )
    inverse = 1 / (plane.distance**2 + offset**2 + sideways**2).sqrt()
    direction = axis[:, 0:3] + offset[:, None] * axis[:, 3:6] + sideways[:, None] * axis[:, 6:9]
    miss = direction * inverse[:, None] - axis[:, 9:12] - pair.node[which]
    lit = (miss**2).sum(1) < search.radius**2
    pixel = (i // grid.oversample) * grid.n_fast + j // grid.oversample
    return pixel[lit], pair.f2[which[lit]]
