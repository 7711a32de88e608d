"""The paper's models of space groups: logistic regression, trees, and its network.

Source: Liu, Tao, Hsu, Du & Billinge (2019), Acta Cryst. A75, 633, section 3 and Table S1.
"""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from torch import nn
from torch.nn import functional

from diffranet_utils.core.errors import require

N_POINTS = 209
N_CLASSES = 45


def quadratic_features(x):
    """Products of different points, X_i X_j with j > i: equation 5 of the paper.

    Parameters
    ----------
    x : ndarray, shape (n, d)
        Normalised curves.

    Returns
    -------
    ndarray, shape (n, d (d - 1) / 2), float32
        For the study's 209 points 21,736 products; squares are not among them.
    """
    x = np.asarray(x, np.float32)
    first, second = np.triu_indices(x.shape[1], k=1)
    return x[:, first] * x[:, second]


def logistic_regression(alpha=1e-5, l1_share=0.75, seed=0, passes=60):
    """Elastic-net logistic regression with the paper's two hyperparameters.

    Features are brought to zero mean and a length of about one, since the steps of stochastic
    gradient descent are made for such; the number of passes is fixed, so that its cost is known.

    Parameters
    ----------
    alpha : float
        Strength of the regularisation; the paper's best is 1e-5 for X and for its products.
    l1_share : float
        Its Lambda: 0.75 is best for X, 1.0 for the products.
    seed : int
        Of the order of the samples.
    passes : int
        Passes of the descent through the structures.

    Returns
    -------
    Pipeline
        Unfitted: one logistic function a class, behind the scaling.
    """
    descent = SGDClassifier(
        loss="log_loss",
        penalty="elasticnet",
        alpha=alpha,
        l1_ratio=l1_share,
        random_state=seed,
        max_iter=passes,
        tol=None,
    )
    return make_pipeline(StandardScaler(), FunctionTransformer(_of_unit_length), descent)


def _of_unit_length(scaled):
    """Standardised features divided by the root of their number."""
    return scaled / np.sqrt(np.float32(scaled.shape[1]))


def randomised_trees(n_trees=300, seed=0, n_jobs=1):
    """Extremely randomised trees, the simple rival (Geurts et al., 2006, Mach. Learn. 63, 3).

    Parameters
    ----------
    n_trees, seed, n_jobs : int
        Size of the forest, its seed, and processes.

    Returns
    -------
    ExtraTreesClassifier
        Unfitted.
    """
    return ExtraTreesClassifier(n_trees, max_features="sqrt", random_state=seed, n_jobs=n_jobs)


@dataclass(frozen=True)
class NetworkSettings:
    """Sizes of the network: a row of the paper's Table S1, by default its last and best.

    Parameters
    ----------
    filters : tuple of int
        Channels of the two convolutions.
    kernel : int
        Their length in points.
    hidden : int
        Width of the first dense layer.
    dropout : float
        Share of the pooled values that is dropped; the paper gives no number.
    """

    filters: tuple = (256, 64)
    kernel: int = 32
    hidden: int = 128
    dropout: float = 0.5


class LongConvolution(nn.Conv1d):
    """A convolution with ``padding="same"`` that goes through Fourier space on a CPU.

    With kernels of 32 points and 256 channels that is five times faster than the direct sum, and
    equal to rounding (the convolution theorem). A GPU and a single channel take the direct sum.
    """

    def forward(self, x):
        """Convolve, (n, channels_in, n_points) to (n, channels_out, n_points)."""
        n_points, kernel = x.shape[-1], self.weight.shape[-1]
        if x.device.type != "cpu" or self.in_channels < 8:
            padded = functional.pad(x, ((kernel - 1) // 2, kernel // 2))
            return functional.conv1d(padded, self.weight)
        size = 1 << (n_points + kernel - 2).bit_length()
        waves = torch.fft.rfft(x, size).permute(2, 1, 0)  # (n_waves, channels_in, n)
        filters = torch.fft.rfft(self.weight, size).conj().permute(2, 0, 1)
        circular = torch.fft.irfft((filters @ waves).permute(2, 1, 0), size)
        return torch.roll(circular, (kernel - 1) // 2, -1)[..., :n_points]


class PairNetwork(nn.Module):
    """The paper's convolutional network of Figure 4.

    Parameters
    ----------
    settings : NetworkSettings, optional
        Sizes.
    n_points, n_classes : int
        Length of a curve and number of groups.
    """

    def __init__(self, settings=None, n_points=N_POINTS, n_classes=N_CLASSES):
        super().__init__()
        s = settings or NetworkSettings()
        require(n_points >= 2, f"A curve of {n_points} points cannot be pooled. Give at least 2.")
        self.features = nn.Sequential(
            *_convolution(1, s.filters[0], s.kernel),  # (n, 256, 209)
            *_convolution(s.filters[0], s.filters[1], s.kernel),  # (n, 64, 209)
            nn.MaxPool1d(2),  # (n, 64, 104)
            nn.Dropout(s.dropout),
            nn.Flatten(),  # (n, 6656)
        )
        self.hidden = nn.Sequential(nn.Linear(s.filters[1] * (n_points // 2), s.hidden), nn.ReLU())
        self.classify = nn.Linear(s.hidden, n_classes)
        self.apply(_initialise)

    def forward(self, x):
        """Scores before the softmax, shape (n, n_classes), of curves of shape (n, n_points)."""
        return self.classify(self.hidden(self.features(x[:, None])))


def _convolution(channels_in, channels_out, kernel):
    convolve = LongConvolution(channels_in, channels_out, kernel, padding="same", bias=False)
    return convolve, nn.BatchNorm1d(channels_out), nn.ReLU()


def _initialise(layer):
    """Weights after He et al. (2015), as the paper says."""
    if isinstance(layer, nn.Conv1d | nn.Linear):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def class_weights(labels, n_classes=N_CLASSES):
    """Weight of each class in the loss: all structures over those of the class.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Class of each training structure.
    n_classes : int
        Number of classes.

    Returns
    -------
    ndarray, shape (n_classes,), float64
        0 for a class without structures.
    """
    counts = np.bincount(labels, minlength=n_classes)
    return np.divide(counts.sum(), counts, out=np.zeros(n_classes), where=counts > 0)


def learning_rate(epoch, first=0.1, drops=(81, 122)):
    """Learning rate of the paper's schedule: a tenth after each of two of its 164 epochs.

    Parameters
    ----------
    epoch : int
        Counted from 0.
    first : float
        Rate at the start.
    drops : tuple of int
        Epochs from which it is ten times smaller.

    Returns
    -------
    float
        The rate.
    """
    return first * 0.1 ** sum(epoch >= drop for drop in drops)


@dataclass(frozen=True)
class ResidualSettings:
    """Sizes of our own network.

    Parameters
    ----------
    widths : tuple of int
        Channels of the stages; each stage halves the length.
    kernel : int
        Length of the convolutions of the stages, in points.
    stem_kernel : int
        Length of the first convolution: as long as a peak of G(r) with its ripples.
    hidden : int
        Width of the dense layer.
    dropout : float
        Share of its inputs that is dropped.
    """

    widths: tuple = (32, 64, 96)
    kernel: int = 5
    stem_kernel: int = 15
    hidden: int = 256
    dropout: float = 0.3


class ResidualPairNetwork(nn.Module):
    """Our own network: residual stages (He et al., 2016) that keep where along r a feature lies.

    The last stage is flattened and not averaged, since the distance of a peak carries the cell.

    Parameters
    ----------
    settings : ResidualSettings, optional
        Sizes.
    n_points, n_classes : int
        Length of a curve and number of groups.
    """

    def __init__(self, settings=None, n_points=N_POINTS, n_classes=N_CLASSES):
        super().__init__()
        s = settings or ResidualSettings()
        stem = nn.Conv1d(
            1, s.widths[0], s.stem_kernel, stride=2, padding=s.stem_kernel // 2, bias=False
        )
        stages, before, length = [], s.widths[0], (n_points + 1) // 2
        for width in s.widths:
            stages += [
                _ResidualBlock(before, width, s.kernel, 2),
                _ResidualBlock(width, width, s.kernel, 1),
            ]
            before, length = width, (length + 1) // 2
        self.features = nn.Sequential(
            stem, nn.BatchNorm1d(s.widths[0]), nn.ReLU(), *stages, nn.Flatten()
        )
        self.classify = nn.Sequential(
            nn.Dropout(s.dropout),
            nn.Linear(before * length, s.hidden),
            nn.BatchNorm1d(s.hidden),
            nn.ReLU(),
            nn.Dropout(s.dropout),
            nn.Linear(s.hidden, n_classes),
        )
        self.apply(_initialise)

    def forward(self, x):
        """Scores before the softmax, shape (n, n_classes), of curves of shape (n, n_points)."""
        return self.classify(self.features(x[:, None]))


class _ResidualBlock(nn.Module):
    def __init__(self, channels_in, channels_out, kernel, stride):
        super().__init__()
        padding = kernel // 2
        self.path = nn.Sequential(
            nn.Conv1d(channels_in, channels_out, kernel, stride, padding, bias=False),
            nn.BatchNorm1d(channels_out),
            nn.ReLU(),
            nn.Conv1d(channels_out, channels_out, kernel, 1, padding, bias=False),
            nn.BatchNorm1d(channels_out),
        )
        same = stride == 1 and channels_in == channels_out
        self.shortcut = (
            nn.Identity() if same else nn.Conv1d(channels_in, channels_out, 1, stride, bias=False)
        )

    def forward(self, x):
        return torch.relu(self.path(x) + self.shortcut(x))
