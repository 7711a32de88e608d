"""Imported once by the server that forks children: kernels compiled, tables made, no threads
yet.
"""

from tests.data.test_split import STATION

from diffranet_utils.studies.diffranet.dataset import make_image

make_image(STATION, 3, "train", 0)
