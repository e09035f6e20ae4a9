"""A page of the product, opened in a headless browser inside the box and photographed."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 30
_CONSOLE = re.compile(r':(?:INFO|ERROR|WARNING):CONSOLE[:(]\d+\)?\] "(.{0,500}?)", source: (\S*) \((\d+)\)', re.DOTALL)
_CONSOLE_OLD = re.compile(r'CONSOLE\(\d+\)\] "(.{0,500}?)", source: (\S*) \((\d+)\)', re.DOTALL)


@dataclass
class Page:
    """What the browser saw."""

    png: bytes = b""
    messages: list[str] = field(default_factory=list)
    """Lines of its console, `words (source:line)`."""
    problem: str = ""


def open_page(address: str, space: str, env: dict[str, str]) -> Page:
    """Open an address, let its scripts run for a few seconds of the page's own time, take a picture."""
    tool = shutil.which("chromium", path=env.get("PATH"))
    if tool is None:
        return Page(problem="there is no browser in this box")
    folder = Path(space) / "browser"
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / "page.png"
    command = [
        tool, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        "--no-first-run", "--disable-extensions", "--disable-sync", "--disable-background-networking", "--mute-audio",
        f"--user-data-dir={folder}", "--window-size=1024,768", "--virtual-time-budget=4000", "--enable-logging=stderr",
        f"--screenshot={picture}", address,
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, env={**env, "HOME": str(folder)}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, timeout=SECONDS, check=False, start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Page(problem=f"the browser did not finish within {SECONDS} s")
    except OSError as error:
        return Page(problem=f"the browser cannot be started: {error.strerror}")
    said = done.stderr[-200_000:].decode("utf-8", "replace")
    found = _CONSOLE.findall(said) or _CONSOLE_OLD.findall(said)
    messages = [f"{words} ({source}:{line})" for words, source, line in found[:50]]
    if not picture.is_file():
        return Page(messages=messages, problem=f"the browser took no picture (exit {done.returncode}): {said[-300:]}")
    return Page(picture.read_bytes(), messages)
