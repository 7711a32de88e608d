"""One training on several GPUs or machines, started by torch's own launcher, ``torchrun``.

Each process runs the same program and takes its share of every batch; torch averages the gradients.
Without the launcher there is one process, and everything here does nothing. torch is imported late:
records ask who leads.
"""

import atexit
import os


def is_shared():
    """Whether `torchrun` started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def is_leader():
    """Whether this process writes files and prints: the first of those that `torchrun` started, or
    the only one.
    """
    return not is_shared() or os.environ["RANK"] == "0"


def join(device):
    """Meet the other processes; they talk through NCCL between GPUs and through Gloo otherwise."""
    from torch import distributed

    if is_shared() and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        atexit.register(distributed.destroy_process_group)


def shared(network, device):
    """A network whose gradients are averaged over the processes; the network itself where there is
    one process.

    Parameters
    ----------
    network : Module
        On `device`, with the same weights in every process.
    device : torch.device

    Returns
    -------
    Module
    """
    from torch.nn.parallel import DistributedDataParallel

    if not is_shared():
        return network
    return DistributedDataParallel(network, device_ids=[device] if device.type == "cuda" else None)


def n_processes():
    """How many processes train together."""
    return int(os.environ["WORLD_SIZE"]) if is_shared() else 1


def share(batch):
    """This process's part of a batch, shape (n,); all parts are equally long, and what is left over
    is dropped.
    """
    n = n_processes()
    return batch[int(os.environ["RANK"]) : len(batch) // n * n : n] if n > 1 else batch


def total(number):
    """Sum of a tensor over the processes."""
    from torch import distributed

    if is_shared():
        distributed.all_reduce(number)
    return number
