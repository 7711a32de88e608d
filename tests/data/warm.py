"""Imported once by the server that forks children: kernels compiled, tables made, no threads
yet.
"""

from diffranet_utils.studies.diffranet.dataset import make_image
from tests.data.test_split import STATION

make_image(STATION, 3, "train", 0)
