"""The paper's network for drops and its file: weights, shape, framing and classes in one."""

import torch

from diffranet_utils.core.errors import DiffranetError, require
from diffranet_utils.learning.checkpoints import read_tensors, write_tensors
from diffranet_utils.learning.networks.blocks import with_fresh_weights
from diffranet_utils.learning.networks.inception import MARCO_LIMITS, Inception

from .labels import CLASSES
from .settings import Framing, Shape


def build_network(shape, generator=None):
    """Make an Inception-v3 for drops with fresh weights, without dropout.

    Parameters
    ----------
    shape : settings.Shape
    generator : torch.Generator, optional
        Source of the weights; seed 0 without it.

    Returns
    -------
    learning.networks.inception.Inception
    """
    limits = MARCO_LIMITS if shape.limited else None

    def make():
        return Inception(len(CLASSES), 3, shape.width, shape.front, limits)

    return with_fresh_weights(make, generator)


def table_3(shape):
    """Return the most filters of any convolution in each layer that Table 3 limits.

    Parameters
    ----------
    shape : settings.Shape

    Returns
    -------
    list of dict
        ``layer``, ``limit`` (Table 3), ``unlimited`` and ``filters`` (most filters at width 1
        without and with the limit), ``here`` (those of `shape`).
    """
    made = [_most_filters(Shape(1.0, limited=limited)) for limited in (False, True)]
    ours = _most_filters(shape)
    return [
        {"layer": name, "limit": limit, "unlimited": made[0][name], "filters": made[1][name],
            "here": ours[name]}
        for name, limit in MARCO_LIMITS.items()
    ]  # fmt: skip


def n_parameters(network):
    """Count the trainable numbers of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def _most_filters(shape):
    limits = MARCO_LIMITS if shape.limited else None
    with torch.device("meta"):
        network = Inception(len(CLASSES), 3, shape.width, shape.front, limits)
    return {
        name: max(m.out_channels for m in layer.modules() if isinstance(m, torch.nn.Conv2d))
        for name, layer in network.layers.named_children()
        if name in MARCO_LIMITS
    }


def save_model(path, network, shape, framing, about=None):
    """Write a trained network with all that `load_model` needs, whole or not at all.

    Parameters
    ----------
    path : path-like
        Ends in ``.safetensors``.
    network : Inception
    shape : settings.Shape
    framing : settings.Framing
    about : dict, optional
        Story of its training; anything JSON holds.
    """
    facts = {"study": "drops", "classes": list(CLASSES), "shape": vars(shape)}
    write_tensors(path, network.state_dict(), facts | {"framing": vars(framing)} | (about or {}))


def load_model(path):
    """Read a network that `save_model` wrote; no code in the file is run.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    network : Inception
        In evaluation mode.
    framing : settings.Framing
    about : dict

    Raises
    ------
    MissingDataError
        If there is no such file.
    DiffranetError
        If it is damaged.
    InputError
        If it is no network for drops.
    """
    tensors, about = read_tensors(path)
    ours = isinstance(about, dict) and about.get("study") == "drops" and "shape" in about
    require(ours, f"{path} is no network for drops. Give one that `diffranet drops train` wrote.")
    try:
        network = build_network(Shape(**about["shape"]))
        network.load_state_dict(tensors)
        return network.eval(), Framing(**about["framing"]), about
    except (KeyError, TypeError, RuntimeError) as error:
        raise DiffranetError(
            f"{path} holds a network of another version: {error}. Train it again."
        ) from error
