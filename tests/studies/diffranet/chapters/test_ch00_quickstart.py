"""The quickstart: images of the data set, in its order, and a forest that beats guessing."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from diffranet_utils.records import provenance
from diffranet_utils.studies.diffranet import dataset
from diffranet_utils.studies.diffranet.chapters import ch00_quickstart as quickstart
from tests.data import test_split as test_dataset

RUN = provenance.Run(
    test_dataset.resized(test_dataset.TINY, "quickstart", station=test_dataset.STATION),
    7,
    Path("data"),
    Path("results"),
)


def test_images_come_in_the_order_of_the_data_set():
    images, labels = quickstart.simulate(RUN, "train", 5)
    made = [dataset.make_image(RUN.preset.quickstart.experiment, 7, "train", k) for k in range(5)]
    assert all(np.array_equal(image, shot.image) for image, shot in zip(images, made, strict=True))
    assert labels.tolist() == [int(shot.label) for shot in made]


def test_forest_beats_the_commonest_class():
    small = test_dataset.resized(RUN.preset, "quickstart", n_train=60, n_test=40)
    values, details = quickstart.step(replace(RUN, seed=3, preset=small))
    commonest = np.bincount(details["truth"]).max() / 40
    assert values["quickstart_accuracy"]["value"] > commonest
    assert values["quickstart_accuracy"]["n"] == len(details["predicted"]) == 40
