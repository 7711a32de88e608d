"""How a command ends when it is asked to: what it says, and that nothing computes on."""

import atexit
import os
import sys
from contextlib import contextmanager

from typer.core import TyperGroup

from diffranet_utils.core.interrupts import SIGNALS, interruptible

KEPT = {
    "simulate": "The shots named above are kept; the same command makes all of them again.",
    "dataset": "The images made so far are kept; the same command goes on with the others.",
    "dataset verify": "Nothing was changed but what was repaired; the same command looks again.",
    "dataset shard": "The shards that are whole are kept; the same command writes all again.",
    "data fetch": "What has arrived is kept; the same command goes on.",
    "run": "Data, trials and checkpoints so far are kept; the same command goes on.",
    "screen": "What was printed or written so far stands; the same command starts anew.",
    "train-screener": "No model was written, and an older one is kept; start the command again.",
    "drops train": "No network was written, and an older one is kept; start the command again.",
}
OTHER = "Nothing was written by half; the same command starts anew."


def what_is_kept(arguments):
    """What remains of a command that was stopped, and how to go on.

    Parameters
    ----------
    arguments : sequence of str
        After ``diffranet``.

    Returns
    -------
    str
    """
    two, one = " ".join(arguments[:2]), " ".join(arguments[:1])
    return KEPT.get(two) or KEPT.get(one) or OTHER


class Stoppable(TyperGroup):
    """Commands that say what they kept when they are stopped.

    Typer would turn every request to stop into exit code 130, without a word.
    """

    def invoke(self, ctx):
        """Run a command; see `interruptible`."""
        with interruptible(lambda: what_is_kept(sys.argv[1:])):
            return super().invoke(ctx)


@contextmanager
def ended_at_once():
    """End the process with the exit code of a command that was stopped, also amid other threads.

    A thread that computes in compiled code while Python shuts down aborts the process.
    """
    try:
        yield
    except SystemExit as stop:
        if stop.code not in {128 + number for number in SIGNALS}:
            raise
        atexit._run_exitfuncs()  # temporary folders and clusters; `os._exit` would leave them
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                continue
        os._exit(stop.code)
