"""A real headless Chromium for tests, steered by its own driver over WebDriver (W3C)."""

import base64
import contextlib
import json
import re
import shutil
import subprocess
import time
import urllib.request

ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1100,900"]


class Browser:
    """One tab."""

    def __init__(self, driver):
        self.driver = driver
        chrome = {"binary": shutil.which("chromium"), "args": ARGUMENTS}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": chrome}}}
        self.session = "/session/" + self._ask("POST", "/session", wanted)["sessionId"]

    def _ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.driver + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, address):
        self._ask("POST", f"{self.session}/url", {"url": address})

    def run(self, script, *arguments):
        return self._ask("POST", f"{self.session}/execute/sync", {"script": script, "args": list(arguments)})

    def wait_for(self, script, seconds=30):
        """The first value of a script that is not null."""
        until = time.monotonic() + seconds
        while (value := self.run(script)) is None:
            assert time.monotonic() < until, script
            time.sleep(0.2)
        return value

    def type(self, text):
        """Press and release real keys, wherever the focus is."""
        keys = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self._ask("POST", f"{self.session}/actions", {"actions": [{"type": "key", "id": "keys", "actions": keys}]})

    def click(self, x, y):
        """Move the real mouse to a place of the page and press it."""
        acts = [
            {"type": "pointerMove", "duration": 50, "x": int(x), "y": int(y)},
            {"type": "pointerDown", "button": 0},
            {"type": "pause", "duration": 50},
            {"type": "pointerUp", "button": 0},
        ]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": acts}
        self._ask("POST", f"{self.session}/actions", {"actions": [mouse]})

    def picture(self):
        """The page as PNG bytes."""
        return base64.b64decode(self._ask("GET", f"{self.session}/screenshot"))

    def close(self):
        self._ask("DELETE", self.session)


@contextlib.contextmanager
def chromium():
    """A started browser; None where Chromium or its driver is not installed."""
    driver = shutil.which("chromedriver")
    if driver is None or shutil.which("chromium") is None:
        yield None
        return
    process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        port = next(m[1] for line in process.stdout if (m := re.search(r"successfully on port (\d+)", line)))
        browser = Browser(f"http://127.0.0.1:{port}")
        with contextlib.closing(browser):
            yield browser
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
