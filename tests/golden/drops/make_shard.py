"""Write shard.tfrecord and make the pictures in it with the `tfrecord` package (1.14.6).

pip install tfrecord==1.14.6
python tests/golden/drops/make_shard.py
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from tfrecord.writer import TFRecordWriter

NAMES = ("clear", "crystals", "precipitate", "other")


def png(value):
    """Return a PNG of 6 x 4 pixels that all have the value (value, 2 value, 3 value)."""
    pixels = np.broadcast_to(np.uint8([value, 2 * value, 3 * value]), (4, 6, 3))
    buffer = io.BytesIO()
    Image.fromarray(pixels.copy()).save(buffer, format="PNG")
    return buffer.getvalue()


writer = TFRecordWriter(str(Path(__file__).with_name("shard.tfrecord")))
for number, name in enumerate(NAMES):
    writer.write(
        {
            "image/encoded": (png(10 * (number + 1)), "byte"),
            "image/class/label": (number, "int"),
            "image/class/text": (name.encode(), "byte"),
            "image/numbers": ([-1, 2, 300], "int"),
            "image/shares": ([0.5, -2.25], "float"),
        }
    )
writer.close()
