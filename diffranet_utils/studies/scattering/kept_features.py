"""Features of a run kept on disk, with the networks that made them: no network is trained twice."""

import json
from dataclasses import asdict, dataclass

import numpy as np
import torch

from diffranet_utils.core.files import atomic_path, sha256_of
from diffranet_utils.core.fingerprint import code_fingerprint
from diffranet_utils.learning.checkpoints import read_tensors, write_tensors
from diffranet_utils.studies.scattering import representations
from diffranet_utils.studies.scattering.representations import (
    Features,
    describe_with,
    make_network,
    trained_network,
)


@dataclass(frozen=True)
class Halves:
    """A collection, how it is halved, and where features of it are kept.

    Parameters
    ----------
    collection : Collection
    train, test : ndarray of int
        Rows.
    name : str
        ``random`` or ``session``.
    folder : Path
    """

    collection: object
    train: np.ndarray
    test: np.ndarray
    name: str
    folder: object

    def path(self, one, sizes, suffix):
        """File of a representation, named by all that decides what is in it."""
        rows = np.ascontiguousarray(self.train).tobytes()
        facts = json.dumps({"name": one.name, "n": len(self.collection)} | asdict(sizes))
        code = code_fingerprint(representations.__name__)
        key = sha256_of(facts.encode(), code.encode(), rows, self._images_key())[:16]
        return self.folder / f"{one.name.replace('/', '-')}-{self.name}-{key}{suffix}"

    def _images_key(self):
        first = np.ascontiguousarray(self.collection.images[::97])
        return sha256_of(first.tobytes()).encode()


def features_of_half(one, halves, sizes):
    """Features of the test half by a method that has seen the training half; from disk if there.

    Parameters
    ----------
    one : Representation
    halves : Halves
    sizes : NetworkSizes

    Returns
    -------
    Features
    """
    path = halves.path(one, sizes, ".npz")
    if not path.exists():
        features = _compute(one, halves, sizes)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **asdict(features))
    with np.load(path, allow_pickle=False) as kept:
        seconds = float(kept["train_s"]), float(kept["image_s"])
        return Features(kept["table"], *seconds, str(kept["start"]))


def _compute(one, halves, sizes):
    collection = halves.collection
    if one.training == "classic":
        return describe_with(one, None, collection.images[halves.test])
    trained = trained_network(one, collection, halves.train, sizes)
    about = {"name": one.name, "start": trained.start, "seconds": trained.seconds}
    path = halves.path(one, sizes, ".safetensors")
    write_tensors(path, trained.network.state_dict(), about)
    return describe_with(one, trained, collection.images[halves.test])


def network_of(one, halves, sizes):
    """The trained network of a representation, made first if it is not on disk.

    Returns
    -------
    network : nn.Module
        In evaluation mode, on the processor.
    to_input : callable
    """
    features_of_half(one, halves, sizes)
    tensors, _ = read_tensors(halves.path(one, sizes, ".safetensors"))
    network, _, to_input = make_network(one.method, sizes)
    network.load_state_dict(tensors)
    return network.to(torch.device("cpu")).eval(), to_input
