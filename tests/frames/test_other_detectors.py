"""Every public frame of the folder named by DIFFRANET_OTHER is read, or refused in one line."""

import csv
import os
from pathlib import Path

import pytest

from diffranet_utils.core.errors import InputError
from diffranet_utils.frames.formats import ImageFile

FOLDER = os.environ.get("DIFFRANET_OTHER", "")


@pytest.mark.skipif(not FOLDER, reason="DIFFRANET_OTHER names no folder of frames")
def test_each_file_is_read_or_refused():
    for row in csv.DictReader((Path(FOLDER) / "labels.csv").read_text().splitlines()):
        path = Path(FOLDER) / row["file"]
        if row["label"] == "refuse":
            with pytest.raises(InputError) as error, ImageFile(path) as images:
                images.read(0)
            assert "\n" not in str(error.value) and path.name in str(error.value)
        else:
            with ImageFile(path) as images:
                assert images.read(len(images) - 1).usable().mean() > 0.5, path.name
