"""The model that `diffranet space-group` uses: our network without torch, so that it starts at
once.

Its batch normalisations are folded into the convolutions before them, and NumPy does the rest.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from diffranet_utils.core.errors import InputError, MissingDataError, require
from diffranet_utils.core.files import atomic_path, plain

SHIPPED = Path(__file__).with_name("shipped") / "space_groups.safetensors"
R_MIN_A, R_STEP_A = 1.5, np.pi / 23.0  # the study's grid
KIND = "space groups from pair distribution functions"


@dataclass(frozen=True)
class GroupModel:
    """Weights, and what was known of the model when it was made.

    Parameters
    ----------
    tensors : dict of str to ndarray
        See `folded`.
    about : dict
        ``groups``, ``temperature``, ``fading_limits``, ``least_mass``, and how it was trained and
        tested.
    """

    tensors: dict
    about: dict

    @property
    def groups(self):
        """Numbers of the space groups, in the order of the probabilities."""
        return tuple(self.about["groups"])

    def hidden(self, x):
        """Hidden features, shape (n, 256), of normalised curves, shape (n, 209)."""
        t = self.tensors
        layer = _relu(
            _convolve(np.asarray(x, np.float32)[:, None], t["stem.weight"], t["stem.bias"], 2)
        )
        for k in range(self.about["n_blocks"]):
            stride = int(self.about["strides"][k])
            inner = _relu(_convolve(layer, t[f"{k}.first.weight"], t[f"{k}.first.bias"], stride))
            inner = _convolve(inner, t[f"{k}.second.weight"], t[f"{k}.second.bias"])
            shortcut = t.get(f"{k}.shortcut.weight")
            layer = _relu(
                inner + (layer if shortcut is None else _convolve(layer, shortcut, None, stride))
            )
        return _relu(layer.reshape(len(layer), -1) @ t["hidden.weight"].T + t["hidden.bias"])

    def answers(self, x):
        """Calibrated probabilities, shape (n, 45), float64, of normalised curves, shape (n,
        209).
        """
        scores = self.hidden(x) @ self.tensors["classify.weight"].T + self.tensors["classify.bias"]
        scores = scores.astype(float) / self.about["temperature"]
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True)

    def doubts(self, x, probabilities):
        """Why curves are unlike all training; an empty text where nothing speaks against one.

        Parameters
        ----------
        x : ndarray, shape (n, 209)
            Normalised curves.
        probabilities : ndarray, shape (n, 45)
            From `answers`.

        Returns
        -------
        list of str
        """
        low, high = self.about["fading_limits"]
        mass = np.sort(probabilities, axis=1)[:, -6:].sum(axis=1)
        return [
            "fades faster than any crystal of the training"
            if ratio < low
            else "is as strong far away as near, like noise"
            if ratio > high
            else "six groups hold too little of the probability"
            if share < self.about["least_mass"]
            else ""
            for ratio, share in zip(fading(x), mass, strict=True)
        ]


def fading(x):
    """Spread of curves beyond 20 angstrom over that below 10 angstrom, shape (n,)."""
    r_A = R_MIN_A + R_STEP_A * np.arange(np.shape(x)[1])
    x = np.asarray(x, float)
    return x[:, r_A > 20].std(axis=1) / x[:, r_A < 10].std(axis=1)


def _relu(x):
    return np.maximum(x, 0)


def _convolve(x, weight, bias, stride=1):
    """Convolve (n, channels_in, length) with (channels_out, channels_in, kernel), zeros beyond both
    ends.
    """
    kernel = weight.shape[-1]
    padded = np.pad(x, ((0, 0), (0, 0), (kernel // 2, kernel // 2)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=2)[:, :, ::stride]
    n, channels, length, _ = windows.shape
    rows = windows.transpose(0, 2, 1, 3).reshape(n * length, channels * kernel)
    out = (rows @ weight.reshape(len(weight), -1).T).reshape(n, length, -1).transpose(0, 2, 1)
    return out if bias is None else out + bias[:, None]


def folded(network):
    """Tensors of our network with its batch normalisations folded in.

    Parameters
    ----------
    network : models.ResidualPairNetwork
        In evaluation mode.

    Returns
    -------
    tensors : dict of str to ndarray, float32
    strides : list of int
        Of the residual blocks.
    """
    stem, stem_norm, _, *blocks, _ = network.features
    tensors = _named("stem", *_absorbed(stem, stem_norm))
    strides = []
    for k, block in enumerate(blocks):
        first, first_norm, _, second, second_norm = block.path
        tensors |= _named(f"{k}.first", *_absorbed(first, first_norm))
        tensors |= _named(f"{k}.second", *_absorbed(second, second_norm))
        if hasattr(block.shortcut, "weight"):
            tensors[f"{k}.shortcut.weight"] = block.shortcut.weight
        strides.append(first.stride[0])
    _, dense, norm, _, _, last = network.classify
    tensors |= _named("hidden", *_absorbed(dense, norm)) | _named(
        "classify", last.weight, last.bias
    )
    return {
        name: value.detach().cpu().numpy().astype(np.float32) for name, value in tensors.items()
    }, strides


def _named(name, weight, bias):
    return {f"{name}.weight": weight, f"{name}.bias": bias}


def _absorbed(layer, norm):
    """Weight and bias of a layer that does what it and the normalisation after it do."""
    scale = norm.weight / (norm.running_var + norm.eps) ** 0.5
    bias = norm.running_mean if layer.bias is None else norm.running_mean - layer.bias
    shape = (-1,) + (1,) * (layer.weight.ndim - 1)
    return layer.weight * scale.reshape(shape), norm.bias - bias * scale


def write_model(path, model):
    """Write a model into one safetensors file, whole or not at all."""
    with atomic_path(path) as temporary:
        about = json.dumps({"kind": KIND} | model.about, default=plain)
        save_file(
            {k: np.ascontiguousarray(v) for k, v in model.tensors.items()},
            temporary,
            metadata={"about": about},
        )


def read_model(path=SHIPPED):
    """Read a model that `write_model` wrote.

    Raises
    ------
    MissingDataError
        If there is no such file.
    InputError
        If it is not such a model.
    """
    if not Path(path).is_file():
        raise MissingDataError(f"There is no model {path}. Name another with --model.")
    try:
        with safe_open(str(path), "np") as file:
            about = json.loads((file.metadata() or {}).get("about", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, ValueError, OSError) as error:
        raise InputError(
            f"{path} is no readable model: {error}. Name another with --model."
        ) from error
    require(
        about.get("kind") == KIND, f"{path} is no model of space groups. Name another with --model."
    )
    return GroupModel(tensors, about)
