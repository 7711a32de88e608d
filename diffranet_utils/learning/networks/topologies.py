"""The fourteen topologies of the paper's Table 9, and what follows from their numbers alone: sizes,
views, cost.
"""

from dataclasses import dataclass, replace

from diffranet_utils.core.errors import require

EXPANSION = (
    4  # a bottleneck block puts out four times the channels that its 3 x 3 convolution works on
)


@dataclass(frozen=True)
class Topology:
    """One column of the paper's Table 9.

    Parameters
    ----------
    name : str
    filters : int
        Channels after the first convolution; stage k works on ``filters * 2**k``.
    second_pool, second_pool_stride : int
        Average pooling before the classifier, pixels.
    block_strides : tuple of int
        Stride with which each of the four stages begins.
    first_conv, conv_stride, first_pool, pool_stride : int
        Kernel and stride of the first convolution and of the max pooling after it, pixels.
    blocks : tuple of int
        Residual blocks per stage; (3, 4, 6, 3) makes ResNet-50.
    """

    name: str
    filters: int = 64
    second_pool: int = 7
    second_pool_stride: int = 1
    block_strides: tuple = (1, 2, 2, 2)
    first_conv: int = 7
    conv_stride: int = 2
    first_pool: int = 3
    pool_stride: int = 2
    blocks: tuple = (3, 4, 6, 3)

    @property
    def channels(self):
        """Channels that leave each of the four stages."""
        return tuple(EXPANSION * self.filters * 2**k for k in range(len(self.blocks)))


_DEFAULT = Topology("Default")
#: Table 9: number -> `Topology`; 0 is the Default.
TOPOLOGIES = {
    0: _DEFAULT,
    1: replace(_DEFAULT, name="1", second_pool=9, second_pool_stride=2),
    2: replace(_DEFAULT, name="2", second_pool=13, second_pool_stride=2),
    3: replace(_DEFAULT, name="3", block_strides=(2, 2, 2, 2)),
    4: replace(_DEFAULT, name="4", conv_stride=4),
    5: replace(_DEFAULT, name="5", second_pool_stride=2, block_strides=(2, 2, 2, 2)),
    6: replace(_DEFAULT, name="6", second_pool=15, second_pool_stride=2),
    7: replace(_DEFAULT, name="7", second_pool=8, block_strides=(2, 2, 2, 2)),
    8: replace(_DEFAULT, name="8", block_strides=(1, 2, 3, 3)),
    9: replace(_DEFAULT, name="9", filters=8),
    10: replace(_DEFAULT, name="10", filters=8, second_pool_stride=2),
    11: replace(
        _DEFAULT, name="11", second_pool=9, second_pool_stride=2, block_strides=(1, 2, 2, 3)
    ),
    12: replace(_DEFAULT, name="12", filters=16, second_pool=9, second_pool_stride=2),
    13: replace(_DEFAULT, name="13", filters=16, second_pool_stride=2),
}


def find_topology(topology):
    """Look a topology up by its key in `TOPOLOGIES`; a `Topology` is returned as it is.

    Raises
    ------
    InputError
        If there is no such key.
    """
    if isinstance(topology, Topology):
        return topology
    require(
        topology in TOPOLOGIES,
        f"Unknown topology {topology!r}: choose one of 0 (Default) to {max(TOPOLOGIES)}.",
    )
    return TOPOLOGIES[topology]


def layers(topology):
    """Kernel, stride and padding of every step that changes the resolution or widens the view.

    Returns
    -------
    list of (str, int, int, int)
        Name, kernel, stride, padding, in pixels of the step's input; the 1 x 1 convolutions are
        left out.
    """
    t = topology
    steps = [
        ("first convolution", t.first_conv, t.conv_stride, t.first_conv // 2),
        ("first pool", t.first_pool, t.pool_stride, t.first_pool // 2),
    ]
    for k, (n_blocks, stride) in enumerate(zip(t.blocks, t.block_strides, strict=True), start=1):
        steps += [(f"stage {k}", 3, stride if block == 0 else 1, 1) for block in range(n_blocks)]
    return [*steps, ("second pool", t.second_pool, t.second_pool_stride, 0)]


def map_sizes(topology, image_size=512):
    """Side of the feature map after each stage of the network.

    Parameters
    ----------
    topology : Topology
    image_size : int
        Pixels.

    Returns
    -------
    dict of str to int
        ``first convolution``, ``first pool``, ``stage 1`` to ``stage 4``, ``second pool``; pixels.

    Raises
    ------
    InputError
        If the map is smaller than the second pool.
    """
    size, sizes = image_size, {}
    for name, kernel, stride, padding in layers(topology):
        require(
            size + 2 * padding >= kernel,
            f"{image_size} pixels are too few for topology {topology.name}: {size} reach the "
            f"{name} of {kernel}.",
        )
        size = (size + 2 * padding - kernel) // stride + 1
        sizes[name] = size
    return sizes


def receptive_fields(topology):
    """How many pixels of the image one number of each feature map has seen.

    Each step widens the view by (kernel - 1) times the distance between its input's pixels
    (Araujo et al., 2019, doi:10.23915/distill.00021).

    Returns
    -------
    dict of str to (int, int)
        For the names of `map_sizes`: side of the receptive field and distance between neighbours,
        image pixels.
    """
    field, jump, fields = 1, 1, {}
    for name, kernel, stride, _ in layers(topology):
        field += (kernel - 1) * jump
        jump *= stride
        fields[name] = (field, jump)
    return fields


def multiply_adds(topology, image_size=512, n_classes=5):
    """Multiplications of convolutions and classifier for one grey image.

    Parameters
    ----------
    topology : Topology
    image_size, n_classes : int

    Returns
    -------
    int
    """
    t, sizes = topology, map_sizes(topology, image_size)
    total = sizes["first convolution"] ** 2 * t.first_conv**2 * t.filters
    n_in, before = t.filters, sizes["first pool"] ** 2
    for k, (n_blocks, n_out) in enumerate(zip(t.blocks, t.channels, strict=True), start=1):
        width, after = n_out // EXPANSION, sizes[f"stage {k}"] ** 2
        # The first block sees the larger map, and its shortcut is a convolution too.
        total += before * n_in * width + after * (9 * width**2 + width * n_out + n_in * n_out)
        total += (n_blocks - 1) * after * (2 * n_out * width + 9 * width**2)
        n_in, before = n_out, after
    return total + flattened_size(topology, image_size) * n_classes


def flattened_size(topology, image_size=512):
    """Numbers that reach the classifier: channels times the area of the last map."""
    return topology.channels[-1] * map_sizes(topology, image_size)["second pool"] ** 2
