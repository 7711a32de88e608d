"""Networks of the catalogue: published parameter counts, lengths of features, own weights."""

import pytest
import torch
from safetensors.torch import save_file

from diffranet_utils.core.errors import InputError, MissingDataError
from diffranet_utils.learning.networks.catalogue import NETWORKS, build
from diffranet_utils.learning.networks.weights import load_weights

# Trainable parameters with 1,000 classes and three channels, as torchvision and Keras count them.
# Inception-ResNet-v2: Keras has 55,813,192 and no scale in its 30,272 normalised channels.
PUBLISHED = {
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "resnet50": 25_557_032,
    "xception": 22_855_952,
    "inception_resnet_v2": 55_813_192 + 30_272,
    "efficientnet_lite0": 4_652_008,
}
SMALL = {"lenet": 32, "vgg16": 32, "resnet50": 32, "xception": 71, "efficientnet_lite0": 32}


def on_paper(name, n_channels=3):
    """A network without memory for its weights."""
    with torch.device("meta"):
        return NETWORKS[name].make(1000, n_channels, 1.0)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_parameter_counts(name):
    assert sum(p.numel() for p in on_paper(name).parameters()) == PUBLISHED[name]


def test_lenet_counts_by_hand():
    """Convolutions 1-64-64-48 of 3 x 3, two numbers a normalised channel, dense 192, 64, 4."""
    convolutions = (9 + 1) * 64 + (9 * 64 + 1) * 64 + (9 * 64 + 1) * 48 + 2 * (64 + 64 + 48)
    dense = (48 * 32 * 32 + 1) * 192 + (192 + 1) * 64 + (64 + 1) * 4
    network = build("lenet", 4, n_channels=1)
    assert sum(p.numel() for p in network.parameters()) == convolutions + dense


@pytest.mark.parametrize("name", [*PUBLISHED, "lenet"])
def test_lengths_of_features(name):
    entry = NETWORKS[name]
    images = torch.zeros(2, 3, entry.image_size, entry.image_size, device="meta")
    assert on_paper(name).eval().features(images).shape == (2, entry.n_features)


@pytest.mark.parametrize("name", SMALL)
def test_narrow_networks_score_images_and_come_from_their_generator(name):
    options = {"image_size": 32} if name == "lenet" else {}
    images = torch.rand(2, 1, SMALL[name], SMALL[name], generator=torch.Generator().manual_seed(1))
    scores = []
    for seed in (3, 3, 4):
        generator = torch.Generator().manual_seed(seed)
        network = build(name, 4, n_channels=1, width=0.05, generator=generator, **options).eval()
        with torch.no_grad():
            scores.append(network(images))
    assert scores[0].shape == (2, 4) and torch.isfinite(scores[0]).all()
    assert torch.equal(scores[0], scores[1]) and not torch.equal(scores[0], scores[2])


def test_weights_go_through_a_file(tmp_path):
    first = build("resnet50", 4, width=0.05, generator=torch.Generator().manual_seed(1)).eval()
    other = build("resnet50", 7, width=0.05, generator=torch.Generator().manual_seed(2)).eval()
    save_file(first.state_dict(), tmp_path / "own.safetensors")
    load_weights(other, tmp_path / "own.safetensors", with_classifier=False)
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        assert torch.equal(first.features(images), other.features(images))
    with pytest.raises(InputError):
        load_weights(other, tmp_path / "own.safetensors")


def test_files_that_cannot_be_used_are_refused(tmp_path):
    network = build("lenet", 4, n_channels=1, width=0.05, image_size=32)
    with pytest.raises(MissingDataError):
        load_weights(network, tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("no weights")
    with pytest.raises(InputError):
        load_weights(network, tmp_path / "text.safetensors")


def test_unknown_networks_and_sizes_are_refused():
    with pytest.raises(InputError):
        build("alexnet", 4)
    with pytest.raises(InputError):
        build("lenet", 0)
