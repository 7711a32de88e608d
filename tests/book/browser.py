"""A headless Chromium that tests talk to through its debugging socket; nothing but 127.0.0.1
answers it.
"""

import json
import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import websocket

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-background-networking",
    "--disable-dev-shm-usage", "--remote-debugging-port=0", "--host-resolver-rules=MAP * "
    "~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


class Page:
    """One tab.

    Parameters
    ----------
    socket : websocket.WebSocket
    """

    def __init__(self, socket):
        self.socket, self.number, self.events = socket, 0, []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """Send a command of the DevTools protocol and return its result; events on the way are
        kept.
        """
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]
            self.events.append(message)

    def value(self, script):
        """What a JavaScript expression is worth; a promise is awaited."""
        done = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in done, done.get("exceptionDetails")
        return done["result"].get("value")

    def open(self, url, width=1280, height=900):
        """Load a page at a window width and wait until its scripts, images and formulas are
        done.
        """
        self.events.clear()
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **screen)
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")
        self.value("window.MathJax && MathJax.startup ? MathJax.startup.promise.then(() => 1) : 1")

    def wait(self, script, seconds=90):
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.value(script):
            assert time.monotonic() < end, f"still false after {seconds} s: {script}"
            time.sleep(0.05)

    def faults(self):
        """Console errors, exceptions and failed requests since the page was opened."""
        found = []
        for event in self.events:
            kind, params = event.get("method"), event.get("params", {})
            if kind == "Runtime.exceptionThrown":
                found.append(params["exceptionDetails"].get("text", "exception"))
            elif kind == "Log.entryAdded" and params["entry"]["level"] == "error":
                found.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
            elif kind == "Runtime.consoleAPICalled" and params["type"] == "error":
                found.append(str(params["args"][:1]))
            elif kind == "Network.loadingFailed" and not params.get("canceled"):
                found.append(f"failed request: {params['errorText']}")
        return found


@contextmanager
def chromium(profile):
    """Start Chromium with a fresh profile folder and yield a `Page`."""
    process = subprocess.Popen(
        [PROGRAM, *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port = _port(Path(profile) / "DevToolsActivePort", process)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=20) as answer:
            tab = next(tab for tab in json.load(answer) if tab["type"] == "page")
        socket = websocket.create_connection(
            tab["webSocketDebuggerUrl"], timeout=60, suppress_origin=True
        )
        yield Page(socket)
        socket.close()
    finally:
        process.terminate()
        process.wait(20)


def _port(path, process):
    end = time.monotonic() + 60
    while not (path.exists() and path.read_text().strip()):
        assert process.poll() is None, f"Chromium ended with {process.returncode}"
        assert time.monotonic() < end, "Chromium does not open its debugging port"
        time.sleep(0.1)
    return path.read_text().split()[0]
