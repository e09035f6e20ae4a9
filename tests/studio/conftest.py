"""A studio that runs, and a real Chromium that looks at it."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from chatdev.data import library_root

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Studio:
    """A running studio: where it listens, and the folder it was started in."""

    address: str
    token: str
    folder: Path
    process: subprocess.Popen

    @property
    def origin(self):
        return self.address.split("/#")[0]


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def script_with_pace(folder, pace, extra=""):
    """The snake script, played at a pace (tokens a second)."""
    text = (library_root() / "scripts" / "snake.yaml").read_text(encoding="utf-8")
    path = folder / "paced.yaml"
    path.write_text(text.replace("replies:", f"pace: {pace}\nreplies:{extra}", 1), encoding="utf-8")
    return path


def start_studio(folder):
    """`python -m chatdev studio` in a folder."""
    process = subprocess.Popen(
        [sys.executable, "-m", "chatdev", "studio", "--port", "0"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    found = None
    while found is None:
        line = process.stdout.readline()
        assert line, "the studio did not start"
        found = re.search(r"http://127\.0\.0\.1:\d+/#token=([\w-]+)", line)
    return Studio(found[0], found[1], folder, process)


def end_studio(studio):
    studio.process.kill()
    studio.process.wait(20)
    studio.process.stdout.close()


@pytest.fixture
def studio(tmp_path):
    """A studio in an empty folder."""
    made = start_studio(tmp_path)
    yield made
    end_studio(made)


@pytest.fixture
def another_studio(tmp_path):
    """Starts a further studio on the same warehouse."""
    made = []

    def start():
        made.append(start_studio(tmp_path))
        return made[-1]

    yield start
    for one in made:
        end_studio(one)


@pytest.fixture(scope="session")
def chromium():
    """A browser for all tests of the session; skipped where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium here")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, studio):
    """Opens pages of the studio, each in a browser profile of its own; what a page complains of fails the test."""
    complaints, contexts = [], []

    def open_one(rest="#/", at=studio, **more):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 860}, **more})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.goto(at.address)
        page.wait_for_selector("h1")
        page.evaluate("rest => { location.hash = rest }", rest)
        return page

    open_one.complaints, open_one.expected = complaints, []
    """`expected` holds parts of what a test makes the browser complain of."""
    yield open_one
    for context in contexts:
        context.close()
    assert [one for one in complaints if not any(text in one for text in open_one.expected)] == []
