"""Networks that are trained once and kept: a training that was stopped goes on, a finished one is
read.
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch

from diffranet_utils.core.fingerprint import code_fingerprint
from diffranet_utils.studies.space_groups.models import (
    NetworkSettings,
    PairNetwork,
    ResidualPairNetwork,
    ResidualSettings,
)
from diffranet_utils.studies.space_groups.network_training import fit_network

CODE = tuple(
    f"diffranet_utils.studies.space_groups.{name}" for name in ("models", "network_training")
)
NETWORKS = {NetworkSettings: PairNetwork, ResidualSettings: ResidualPairNetwork}


def kept_network(sizes, train, settings, folder, test=None):
    """A network trained on curves, or the one that was trained on just these before.

    Parameters
    ----------
    sizes : NetworkSettings or ResidualSettings
        The paper's network or our own.
    train : Collection
        Training curves.
    settings : FitSettings
        How to train.
    folder : path-like
        Where the checkpoints lie; made if missing.
    test : Collection, optional
        Curves whose loss and accuracy are followed and never learnt from.

    Returns
    -------
    network : torch.nn.Module
        In evaluation mode.
    history : list of dict
        See `network_training.fit_network`.
    """
    torch.manual_seed(settings.seed)  # layers draw their first weights from torch's own generator
    network = NETWORKS[type(sizes)](sizes)
    checkpoint = (
        Path(folder) / f"{type(network).__name__}-{_digest(sizes, train, settings)}.safetensors"
    )
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    followed = None if test is None else (test.x, test.labels)
    history = fit_network(network, train.x, train.labels, settings, followed, checkpoint)
    return network.eval(), history


def _digest(sizes, train, settings):
    """Of all that decides the weights: sizes, settings, code and curves."""
    digest = hashlib.sha256(json.dumps([asdict(sizes), asdict(settings)]).encode())
    digest.update(code_fingerprint(*CODE).encode())
    digest.update(train.x.tobytes())
    digest.update(train.labels.tobytes())
    return digest.hexdigest()[:16]
