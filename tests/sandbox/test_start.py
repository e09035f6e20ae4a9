"""`start`: a product for a person, by the real terminal, browser requests and signals; nothing stays behind."""

import http.cookiejar
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from chatdev.sandbox.docker_engine import LABEL
from tests.sandbox.browser import chromium

PERSON = """
import sys
from pathlib import Path
from chatdev.sandbox import SandboxConfig, open_engine
from chatdev.sandbox.attach import start
engine = open_engine(SandboxConfig(engine=sys.argv[1]), run_id="start-test")
code = start(Path(sys.argv[2]), engine, lambda line: print(f"[{line}]", flush=True))
print("code", code, flush=True)
"""


@pytest.fixture
def person(boxed):
    """Start a product in a process of its own; everything is ended at the end of the test."""
    started = []

    def go(folder, **streams):
        process = subprocess.Popen([sys.executable, "-c", PERSON, boxed.name, str(folder)], **streams)
        started.append(process)
        return process

    yield go
    for process in started:
        process.kill()
        process.wait()


def pipes():
    return {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}


class Seen:
    """What a process has written so far; `wait_for` finds patterns in it, one after the other."""

    def __init__(self, handle):
        self.handle, self.data = handle, b""

    def wait_for(self, pattern):
        while not (found := re.search(pattern, self.data)):
            more = os.read(self.handle, 4096)
            assert more, self.data
            self.data += more
        self.data = self.data[found.end() :]
        return found


def test_piped_input_reaches_the_program_and_its_status_comes_back(person, product):
    folder = product({"main.py": "print('Hello', input('name? '))\nraise SystemExit(7)\n"})
    output, _ = person(folder, **pipes()).communicate(b"Ada\n", timeout=60)
    assert output.replace(b"\r\n", b"\n") == b"name? Hello Ada\ncode 7\n"


def test_a_real_terminal_gets_keys_colours_and_its_size(person, product):
    folder = product({
        "main.py": "import os, sys, tty\nprint(os.get_terminal_size(), sys.stdin.isatty())\ntty.setcbreak(0)\n"
        "print('\\x1b[31mpress a key', flush=True)\nprint('got', os.read(0, 1))\n"
    })  # fmt: skip
    master, slave = pty.openpty()
    process = person(folder, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    seen = Seen(master)
    seen.wait_for(rb"terminal_size\(columns=\d+, lines=\d+\) True")
    seen.wait_for(rb"\x1b\[31mpress a key")
    os.write(master, b"k")
    assert seen.wait_for(rb"got b'k'")
    assert seen.wait_for(rb"code 0")
    assert process.wait(timeout=30) == 0
    os.close(master)


def test_control_c_goes_to_the_program(person, product):
    folder = product({
        "main.py": "import time\ntry:\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    print('told to stop')\n    raise SystemExit(5)\n"
    })  # fmt: skip
    master, slave = pty.openpty()
    person(folder, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    seen = Seen(master)
    seen.wait_for(rb"ready")
    os.write(master, b"\x03")
    assert seen.wait_for(rb"told to stop")
    assert seen.wait_for(rb"code 5")
    os.close(master)


def test_control_c_twice_ends_what_does_not_listen(person, product):
    folder = product({
        "main.py": "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('ready', flush=True)\n"
        "while True: time.sleep(1)\n"
    })  # fmt: skip
    master, slave = pty.openpty()
    person(folder, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    seen = Seen(master)
    seen.wait_for(rb"ready")
    os.write(master, b"\x03")
    time.sleep(0.3)
    os.write(master, b"\x03")
    assert seen.wait_for(rb"code 130")
    os.close(master)


SERVER = """\
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class H(BaseHTTPRequestHandler):
    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[::-1])
if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", 8765), H).serve_forever()
"""


def test_a_server_is_reached_on_a_forwarded_port(person, product):
    process = person(product({"server.py": SERVER}), **pipes())
    address = Seen(process.stdout.fileno()).wait_for(rb"port 8765 is at (http://127\.0\.0\.1:\d+/)")[1].decode()
    for size in (1, 100_000, 3_000_000):
        data = os.urandom(size)
        with urllib.request.urlopen(urllib.request.Request(address, data=data), timeout=30) as answer:
            assert answer.read() == data[::-1]
    process.send_signal(signal.SIGINT)
    assert b"code 130" in process.communicate(timeout=30)[0]


@pytest.mark.docker
def test_a_window_is_shown_in_the_browser_behind_a_one_time_token(docker, product):
    text = "import tkinter as tk\nroot = tk.Tk()\ntk.Label(root, text='hello').pack()\nroot.mainloop()\n"
    folder = product({"main.py": text})
    process = subprocess.Popen([sys.executable, "-c", PERSON, "docker", str(folder)], **pipes())
    try:
        address = (
            Seen(process.stdout.fileno())
            .wait_for(rb"window is at (http://127\.0\.0\.1:\d+/\?token=[\w-]+)")[1]
            .decode()
        )
        for wrong in (address.split("?")[0], address[:-3] + "abc"):
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(wrong, timeout=10)
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        page = browser.open(address, timeout=20).read()
        assert b"noVNC" in page
        assert b"RFB" in browser.open(address.split("?")[0] + "core/rfb.js", timeout=20).read()
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(address, timeout=10)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert docker.client.containers.list(all=True, filters={"label": f"{LABEL}=start-test"}) == []
    finally:
        process.kill()
        process.wait()


TYPING = """\
import tkinter as tk
root = tk.Tk()
root.geometry("400x200+0+0")
root.bind("<Key>", lambda event: print("root got", event.keysym, flush=True))
root.bind("<Button>", lambda event: print("clicked", event.x, event.y, flush=True))
def second():
    other = tk.Toplevel(root)
    other.geometry("300x200+500+400")
    other.bind("<Key>", lambda event: print("other got", event.keysym, flush=True))
    print("two windows", flush=True)
root.bind("o", lambda event: second())
root.mainloop()
"""


def test_keys_and_clicks_in_the_browser_reach_the_window(boxed, person, product):
    if boxed.name == "bubblewrap" and not shutil.which("x11vnc"):
        pytest.skip("x11vnc is not installed on this machine")
    with chromium() as browser:
        if browser is None:
            pytest.skip("chromium and its driver are not installed")
        process = person(product({"main.py": TYPING}), **pipes())
        seen = Seen(process.stdout.fileno())
        browser.open(seen.wait_for(rb"window is at (http://127\.0\.0\.1:\d+/\?token=[\w-]+)")[1].decode())
        left, top, width = browser.wait_for(
            "const shown = document.querySelector('canvas');"
            "if (!shown || shown.width < 1000 || !document.querySelector('.noVNC_connected')) return null;"
            "const box = shown.getBoundingClientRect(); return [box.x, box.y, box.width]"
        )
        scale = width / 1024
        browser.type("k")
        seen.wait_for(rb"root got k")
        browser.click(left + 100 * scale, top + 50 * scale)
        x, y = (int(number) for number in seen.wait_for(rb"clicked (\d+) (\d+)").groups())
        assert abs(x - 100) < 4
        assert abs(y - 50) < 4
        browser.type("o")
        seen.wait_for(rb"two windows")
        time.sleep(1)
        browser.type("z")
        seen.wait_for(rb"other got z")
        browser.click(left + 200 * scale, top + 100 * scale)
        seen.wait_for(rb"clicked")
        time.sleep(1)
        browser.type("b")
        seen.wait_for(rb"root got b")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_nothing_to_start_is_told(boxed, product):
    from chatdev.errors import UserError
    from chatdev.sandbox.attach import start

    with pytest.raises(UserError, match="no entry point to start"):
        start(product({"notes.txt": "hello"}), boxed, print)
