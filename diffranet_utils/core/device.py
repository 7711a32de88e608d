"""Whether a GPU does the work."""

import os
from ctypes.util import find_library
from functools import lru_cache

from diffranet_utils.core.errors import DiffranetError

GPU_VARIABLE = "DIFFRANET_GPU"


def wants_gpu():
    """Whether a GPU does the work: as the environment variable DIFFRANET_GPU says (1 or 0), else if
    there is one.
    """
    setting = os.environ.get(GPU_VARIABLE)
    return _gpu_here() if setting is None else setting == "1"


@lru_cache(maxsize=1)
def _gpu_here():
    if find_library("cuda") is None:  # without a driver there is no need to wait for torch
        return False
    import torch

    return torch.cuda.is_available()


def use_gpu(yes):
    """Let this process and its workers compute Bragg spots on the GPU, or keep them from it.

    Parameters
    ----------
    yes : bool

    Raises
    ------
    DiffranetError
        If torch sees none.
    """
    if yes:
        import torch

        if not torch.cuda.is_available():
            raise DiffranetError("No GPU here that torch can use: leave --gpu out.")
    os.environ[GPU_VARIABLE] = str(int(yes))
