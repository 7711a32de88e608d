"""Where does a network look? Two maps of attention by captum, scored against where the simulator
put the spots.
"""

import numpy as np
import torch


def grad_cam(network, images, classes, stage=2):
    """Grad-CAM (Selvaraju et al., 2017, doi:10.1109/ICCV.2017.74): maps that speak for a class,
    weighted and added.

    Parameters
    ----------
    network : DeepFreak
        In evaluation mode.
    images : ndarray, shape (n, size, size), uint8
    classes : sequence of int
        Class to explain for each image, 1 to 5.
    stage : int
        1 to 4; early stages are sharp and late ones summarise.

    Returns
    -------
    ndarray, shape (n, size, size), float32
        Zero or more; what speaks against the class is cut off.
    """
    layer = network.stages[stage - 1]
    return layer_grad_cam(network, layer, _input(images), _targets(classes), images.shape[1:])


def layer_grad_cam(network, layer, x, targets, shape):
    """Grad-CAM of any layer of any network.

    Parameters
    ----------
    network, layer : nn.Module
        The layer gives maps, shape (n, channels, h, w).
    x : Tensor
        What the network takes.
    targets : Tensor, shape (n,), int64
        Column of the scores to explain.
    shape : (int, int)
        Rows and columns of the answer.

    Returns
    -------
    ndarray, shape (n, *shape), float32
        Zero or more.
    """
    from captum.attr import LayerAttribution, LayerGradCam

    explainer = LayerGradCam(network, layer)
    maps = explainer.attribute(x, target=targets, relu_attributions=True)
    return LayerAttribution.interpolate(maps, tuple(shape), "bilinear").detach().numpy()[:, 0]


def smooth_grad(network, images, classes, n_samples=8, noise=2.0, seed=0):
    """SmoothGrad (Smilkov et al., 2017, arXiv:1706.03825): size of the gradient, averaged over
    noisy copies.

    Parameters
    ----------
    network, images, classes
        As for `grad_cam`.
    n_samples : int
        Copies.
    noise : float
        Standard deviation of what is added to them, grey values.
    seed : int

    Returns
    -------
    ndarray, shape (n, size, size), float32
    """
    maps = smooth_gradients(network, _input(images), _targets(classes), n_samples, noise, seed)
    return maps.numpy()[:, 0]


def smooth_gradients(network, batch, targets, n_samples, noise, seed=0):
    """SmoothGrad of any network, channel by channel.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode; maps the batch to scores.
    batch : Tensor, shape (n, n_channels, h, w), float32
    targets : Tensor, shape (n,), int64
        Columns of the scores.
    n_samples : int
        Noisy copies.
    noise : float
        Standard deviation of the noise, in units of the batch.
    seed : int

    Returns
    -------
    Tensor, shape (n, n_channels, h, w), float32
        Zero or more.
    """
    from captum.attr import NoiseTunnel, Saliency

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # captum draws from torch's global generator and takes no other
        return NoiseTunnel(Saliency(network)).attribute(
            batch.detach().requires_grad_(), nt_type="smoothgrad", nt_samples=n_samples,
            nt_samples_batch_size=1,
            stdevs=noise, target=targets,
        ).detach()  # fmt: skip


METHODS = {"Grad-CAM": grad_cam, "SmoothGrad": smooth_grad}


def _input(images):
    return torch.from_numpy(np.array(images, dtype=np.float32))[:, None].requires_grad_()


def _targets(classes):
    return torch.as_tensor(np.asarray(classes, dtype=np.int64) - 1)


def concentration(attention, mask):
    """How much of the attention falls on a mask, and how much would if it were spread evenly.

    Parameters
    ----------
    attention : ndarray, shape (h, w)
        Zero or more.
    mask : ndarray, shape (h, w), bool

    Returns
    -------
    share, area : float
        Share of the attention's sum and of the pixels; the share is 0 where there is no attention.
    """
    total = float(attention.sum())
    return (float(attention[mask].sum()) / total if total > 0 else 0.0), float(mask.mean())
