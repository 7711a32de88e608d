"""Let no child process outlive its parent, however the parent ends.

A child learns of the end through a pipe whose writing end only the parent holds: the kernel closes
it even after a SIGKILL. Under Linux the kernel then kills the child itself (``F_SETSIG``), also
amid compiled code that holds Python's lock; elsewhere a thread of the child does. Without a pipe
the child asks twice a second whose child it is, and under Linux sets the parent-death signal where
that is safe. Windows has neither: there nothing is tied.

This module imports the standard library only, since `popen` runs it as a program of its own.
"""

import contextlib
import ctypes
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import threading
import time

try:
    import fcntl
except ImportError:
    fcntl = None

POLL_S = 0.5
THREAD_NAME = "lifeline"
PR_SET_PDEATHSIG = 1  # linux/prctl.h
_pipe = []  # reading and writing end, made when first needed and open until this process ends


def tie_to_parent(parent_pid=None):
    """End this process when its parent does; an initializer for pools of processes.

    For ``ProcessPoolExecutor(initializer=tie_to_parent, initargs=(os.getpid(),))``, joblib's loky
    executor and `multiprocessing` in general. Calling it twice does no harm.

    Parameters
    ----------
    parent_pid : int, optional
        Process id of the parent. With it a parent that ended before this call is noticed also where
        there is no pipe to it.
    """
    if fcntl is None or any(thread.name == THREAD_NAME for thread in threading.enumerate()):
        return
    process = multiprocessing.parent_process()
    fd = process.sentinel if process is not None else None
    if fd is None:
        _ask_for_death_signal()
        _die_unless(parent_pid in (None, os.getppid()))
    else:
        fd = _kill_at_end_of(fd)
    thread = threading.Thread(target=_watch, args=(fd, os.getppid()), name=THREAD_NAME, daemon=True)
    thread.start()


def dask_setup(worker):
    """Tie a Dask worker to its nanny; Dask calls this.

    Start workers by ``dask worker --preload diffranet_utils.core.lifeline``.

    A worker without a nanny is left alone: it belongs to the shell or the batch system that started
    it.
    """
    if multiprocessing.parent_process() is not None:
        tie_to_parent()


def popen(command, **kwargs):
    """Start a program, any program, that ends when this process does.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    **kwargs
        For `subprocess.Popen`; not ``pass_fds``, ``shell`` or ``executable``.

    Returns
    -------
    subprocess.Popen
    """
    if fcntl is None:
        return subprocess.Popen(command, **kwargs)
    reading = _parent_pipe()[0]
    # -P and -S: neither this folder's modules nor installed ones are needed to tie a process.
    runner = [sys.executable, "-P", "-S", os.path.abspath(__file__), str(reading)]
    tied = [*runner, *map(os.fspath, command)]
    return subprocess.Popen(tied, pass_fds=(reading,), **kwargs)


def _parent_pipe():
    """Both ends of the pipe that tells children of `popen` that this process lives."""
    if not _pipe:
        _pipe.extend(os.pipe())
    return _pipe


def _drop_pipe():
    """A forked child must not keep its parent's pipe open, and has children of its own."""
    for fd in _pipe:
        os.close(fd)
    _pipe.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_pipe)


def _kill_at_end_of(fd):
    """Have the kernel kill this process when the pipe's last writer is gone.

    Returns
    -------
    int
        A descriptor of the pipe that stays open.
    """
    with contextlib.suppress(OSError):  # where the kernel cannot, the thread will
        # Opened anew: whom a pipe signals is a property of the open file, which children share.
        fd = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
    _die_unless(not _has_ended(fd, 0))
    return fd


def _ask_for_death_signal():
    """Set Linux's parent-death signal.

    It is sent when the *thread* that started this process ends, so only a parent of one thread is
    trusted with it.
    """
    parent = os.getppid()
    try:
        if len(os.listdir(f"/proc/{parent}/task")) != 1:
            return
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return
    _die_unless(os.getppid() == parent)


def _has_ended(fd, timeout_s):
    """Whether the other end of a pipe closes within the time; what is written is ignored."""
    poll = select.poll()
    poll.register(fd, 0)  # hang-ups and errors are always reported
    return bool(poll.poll(1000 * timeout_s))


def _watch(fd, parent):
    while True:
        if fd is None:
            time.sleep(POLL_S)
            _die_unless(os.getppid() == parent)
        else:
            _die_unless(not _has_ended(fd, POLL_S))


def _die_unless(parent_lives):
    if not parent_lives:
        os.kill(os.getpid(), signal.SIGKILL)


def _become(command):
    """Run a program in place of this one; what ties the process stays across the exchange."""
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


def _supervise(fd, command):
    """Run a program as a child and kill it at the end of the pipe, where the kernel does not.

    Returns
    -------
    int
        Exit status; 128 and the number of the signal that ended the program, as a shell has it.
    """
    with subprocess.Popen(command) as process:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, lambda number, frame: process.send_signal(number))
        while process.poll() is None:
            if _has_ended(fd, POLL_S / 10):
                process.kill()
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def main(arguments):
    """Run ``lifeline.py FD PROGRAM [ARGUMENT ...]``, tied to the pipe FD; what `popen` starts."""
    fd, command = int(arguments[0]), arguments[1:]
    watched = _kill_at_end_of(fd)
    if watched == fd:
        sys.exit(_supervise(fd, command))
    os.set_inheritable(fd, False)
    os.set_inheritable(watched, True)
    _become(command)


if __name__ == "__main__":
    main(sys.argv[1:])
