"""The collection on disk: simulated once for a preset and a seed, read by every chapter after
it.
"""

import numpy as np

from diffranet_utils.core.files import atomic_path, sha256_of
from diffranet_utils.core.fingerprint import code_fingerprint
from diffranet_utils.studies.scattering import collection
from diffranet_utils.studies.scattering.collection import Collection
from diffranet_utils.studies.scattering.labels import total_counts


def counts_of(share):
    """Images of each technique in a part of the paper's collection.

    Parameters
    ----------
    share : float
        Above 0, at most 1.

    Returns
    -------
    dict of str to int
        Rounded up to even numbers, so that halves are equal, but never above the paper's.
    """
    return {
        name: min(n, 2 * int(np.ceil(share * n / 2 - 1e-9))) for name, n in total_counts().items()
    }


def ensure_collection(run):
    """The collection of a run's preset, simulated unless it is on disk.

    Parameters
    ----------
    run : provenance.Run
        Its preset has ``dataset`` with ``share``, ``n_sessions`` and ``size``.

    Returns
    -------
    Collection
        Its images are memory-mapped.
    """
    asked = run.preset.dataset
    facts = f"{asked.share} {asked.n_sessions} {asked.size} {run.seed}"
    code = code_fingerprint(collection.__name__)
    folder = run.data_dir / "scattering" / sha256_of(f"{facts} {code}".encode())[:16]
    path = folder / "images.npy"
    if not path.exists():
        made = collection.make_collection(
            counts_of(asked.share),
            asked.n_sessions,
            run.seed,
            asked.size,
            workers=run.preset.n_workers,
            scheduler=run.scheduler,
        )
        for name in ("labels", "sessions", "images"):  # the images last: with them all is there
            _write(folder / f"{name}.npy", getattr(made, name))
    images = np.load(path, mmap_mode="r", allow_pickle=False)
    labels, sessions = (
        np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("labels", "sessions")
    )
    return Collection(images, labels, sessions)


def _write(path, array):
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)
