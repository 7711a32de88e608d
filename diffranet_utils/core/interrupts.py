"""Ctrl-C, TERM and HUP end a command in order: it cleans up and says what it kept."""

import contextlib
import signal
import sys
import threading
import time

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
SIGNALS = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
DOUBLE_S = 0.3  # `timeout` and terminals send one request twice: to the process and to its group


class Stopped(KeyboardInterrupt):
    """A request to end, raised in the main thread; ``except Exception`` does not hold it up.

    Attributes
    ----------
    signal_number : int
    """

    def __init__(self, signal_number):
        super().__init__(signal.Signals(signal_number).name)
        self.signal_number = signal_number


@contextlib.contextmanager
def interruptible(kept):
    """Let code clean up when it is asked to end, then print one line and exit; also a decorator.

    The first Ctrl-C, TERM or HUP raises `Stopped` in the main thread; a second one ends the process
    at once. Signals that were ignored before, as ``nohup`` has it, stay so. In another thread no
    handler is set.

    Parameters
    ----------
    kept : str or callable
        What was kept and how to go on, or a function without arguments that says so when it is
        needed.

    Raises
    ------
    SystemExit
        With code 130 after Ctrl-C, 143 after TERM, 129 after HUP.
    """
    handlers = _install() if threading.current_thread() is threading.main_thread() else {}
    try:
        yield
    except KeyboardInterrupt as error:
        number = getattr(error, "signal_number", signal.SIGINT)
        text = " ".join((kept() if callable(kept) else kept).split())
        _close_bars()
        with contextlib.suppress(OSError):  # after a HUP the terminal may be gone
            print(f"Stopped by {signal.Signals(number).name}. {text}", file=sys.stderr, flush=True)
        raise SystemExit(128 + number) from None
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _close_bars():
    """Leave the line of a progress bar, which would be drawn again after ours."""
    tqdm = sys.modules.get("tqdm")
    for bar in list(getattr(tqdm and tqdm.tqdm, "_instances", ())):
        with contextlib.suppress(Exception):  # whatever became of its stream
            bar.close()


def _install():
    """Set our handlers; return those that were there, of the signals that are not ignored."""
    # None is a handler that was not set by Python and cannot be put back.
    kept = (signal.SIG_IGN, None)
    ours = [number for number in SIGNALS if signal.getsignal(number) not in kept]
    old = {number: signal.getsignal(number) for number in ours}
    is_stopping = False

    def stop(number, frame):
        nonlocal is_stopping
        if is_stopping:
            return
        is_stopping = True
        time.sleep(DOUBLE_S)
        for each in old:  # the system's own way, so that a second signal ends compiled code too
            signal.signal(each, signal.SIG_DFL)
        raise Stopped(number)

    for number in old:
        signal.signal(number, stop)
    return old
