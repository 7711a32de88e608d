"""Networks on disk: tensors and their description in one file, written whole, read without running
any code.
"""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from diffranet_utils.core.errors import DiffranetError, MissingDataError, require
from diffranet_utils.core.files import atomic_path, plain, sha256_of, write_json
from diffranet_utils.core.fingerprint import code_fingerprint
from diffranet_utils.learning.networks.resnet import build_deepfreak
from diffranet_utils.learning.networks.topologies import Topology
from diffranet_utils.learning.predict import TrainedNetwork

# Whose change makes a half-done training another one.


def write_tensors(path, tensors, about):
    """Write tensors and a JSON description into one safetensors file, whole or not at all.

    Parameters
    ----------
    path : path-like
    tensors : dict of str to Tensor
    about : dict
        Anything JSON holds; it goes into the file's header, so that the two cannot part.
    """
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(kept, temporary, metadata={"about": json.dumps(about, default=plain)})


def read_tensors(path):
    """Read what `write_tensors` wrote.

    Returns
    -------
    tensors : dict of str to Tensor
    about : dict

    Raises
    ------
    MissingDataError
        If there is no such file.
    DiffranetError
        If it is damaged or was not written by `write_tensors`.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["about"])
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118 (not a dict)
    except FileNotFoundError as error:
        raise MissingDataError(
            f"No network {path}. Run the chapter that trains it first."
        ) from error
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise DiffranetError(
            f"Cannot read the network {path}: {error}. Delete it and train again."
        ) from error


def save_network(path, network, about=None):
    """Write a network to ``path`` (safetensors) and its description beside it (JSON, for people).

    Parameters
    ----------
    path : path-like
        Ends in ``.safetensors``.
    network : DeepFreak
    about : dict, optional
        Settings, accuracies, origin; anything JSON holds.
    """
    channels, size, _ = network.pixel_mean.shape
    shape = {
        "n_classes": network.classifier.out_features,
        "in_channels": channels,
        "image_size": size,
    }
    about = {"topology": asdict(network.topology), **shape, **(about or {})}
    write_tensors(path, network.state_dict(), about)
    write_json(Path(path).with_suffix(".json"), about)


def load_network(path, device=None):
    """Read a network that `save_network` wrote.

    Returns
    -------
    TrainedNetwork

    Raises
    ------
    MissingDataError, DiffranetError
        If the file is missing or damaged.
    """
    tensors, about = read_tensors(path)
    try:
        fields = {
            name: tuple(v) if isinstance(v, list) else v for name, v in about["topology"].items()
        }
        topology = Topology(**fields)
        network = build_deepfreak(
            topology, about["n_classes"], about["in_channels"], about["image_size"]
        )
        network.load_state_dict(tensors)
    except (KeyError, TypeError, RuntimeError) as error:
        raise DiffranetError(
            f"{path} does not hold a network of this version: {error}. Train it again."
        ) from error
    return TrainedNetwork(network.eval(), about, device)


def save_state(path, network, optimizer, about):
    """Write a training that goes on later: weights, momenta and a description.

    Parameters
    ----------
    path : path-like
    network : DeepFreak
    optimizer : torch.optim.SGD
    about : dict
        Must have ``settings``, which `restore_state` compares; anything JSON holds.
    """
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        buffer = optimizer.state[parameter].get("momentum_buffer")
        if buffer is not None:
            tensors[f"momentum.{name}"] = buffer
    write_tensors(path, tensors, about)


def restore_state(path, network, optimizer, settings):
    """Load what `save_state` wrote into a network and its optimizer.

    Parameters
    ----------
    path : path-like
    network : DeepFreak
        With the per-pixel mean of the images that training goes on with.
    optimizer : torch.optim.SGD
    settings : dict
        Must equal the ones in the file.

    Returns
    -------
    dict
        The description.

    Raises
    ------
    InputError
        If the file belongs to other settings, another topology or other images.
    DiffranetError
        If it is damaged.
    """
    tensors, about = read_tensors(path)
    then = about["settings"]
    changed = [
        f"{name} {then.get(name)} not {value}"
        for name, value in settings.items()
        if then.get(name) != value
    ]
    require(
        not changed,
        f"{path} was trained with {', '.join(changed)}: delete it or choose another file.",
    )
    same = torch.equal(tensors["network.pixel_mean"], network.pixel_mean.cpu())
    require(same, f"{path} was trained on other images: delete it or choose another file.")
    network.load_state_dict(
        {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
    )
    for name, parameter in network.named_parameters():
        if f"momentum.{name}" in tensors:
            # Like the weight itself in memory, or the same sum is done in another order.
            buffer = torch.empty_like(parameter).copy_(tensors[f"momentum.{name}"])
            optimizer.state[parameter]["momentum_buffer"] = buffer
    return about


def work_name(run, root, module):
    """Name for unfinished work: the same while code, preset, images and seed are the same.

    Parameters
    ----------
    run : provenance.Run
    root : Path
    module : str
        Full name of the module that does the work: its code counts, with all that it imports.

    Returns
    -------
    str
        A killed run finds its files under this name; after any change a new run starts afresh.
    """
    code = code_fingerprint(module)
    return sha256_of(root / "manifest.csv", f"{code} {run.preset.name} {run.seed}".encode())[:16]
