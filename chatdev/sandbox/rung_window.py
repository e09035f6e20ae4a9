"""Rung 4: what has a window shows one that is not blank and moves; a page looks like something and its scripts run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chatdev.sandbox.entry import Entry
from chatdev.sandbox.job import Run
from chatdev.sandbox.report import Rung
from chatdev.sandbox.traces import plain

BLANK = 6
"""A window in which no more pixels than this differ from its background is blank."""
_ARROWS = re.compile(r"K_(?:RIGHT|LEFT)\b|<(?:Key-)?(?:Right|Left)>|['\"](?:Right|Left)['\"]|Key_(?:Right|Left)\b")


def judge_window(run: Run, entry: Entry, files: Mapping[str, bytes], no_browser: str = "") -> Rung:
    """The window rung: a window of the product was seen, it is not blank, and it moves when its source says it
    should.
    """
    if entry.web and not entry.gui:
        return _judge_page(run, files, no_browser)
    if not entry.gui:
        return Rung("window", "skipped", "the product opens no window")
    pictures = run.facts.get("pictures", [])
    names = tuple(p["name"] for p in pictures)
    no_display = [n for n in run.notes if n.startswith("no display")]
    if no_display:
        return Rung("window", "unverified", no_display[0])
    windows = run.facts.get("windows", [])
    if not windows:
        if run.exit_code is not None or run.error:
            return Rung("window", "skipped", "it ended by itself before it opened a window")
        return Rung("window", "failed", "no window was seen on its display", facts={"windows": []})
    shown = f'"{windows[0]["title"]}", {windows[0]["width"]}x{windows[0]["height"]}'
    if not pictures:
        return Rung("window", "unverified", f"the window {shown} was too short-lived to be photographed")
    blank = all(p["drawn"] <= BLANK for p in pictures)
    # A window that merely paints itself after it opened has not moved.
    changed = len({p["checksum"] for p in pictures if p["drawn"] > BLANK}) > 1
    moves = "it changes" if changed else "it does not change by itself, with keys or with a click"
    facts = {"windows": windows, "pictures": pictures, "changes": changed}
    if blank:
        return Rung("window", "failed", f"the window {shown} is blank", "", names, facts=facts)
    if not changed and len(pictures) > 2 and _wants_arrows(files):
        still = f"the window {shown} stands still: it handles arrow keys, but neither time, keys nor a click changes it"
        return Rung("window", "failed", still, "", names, facts=facts)
    return Rung(
        "window",
        "passed",
        f"the window {shown} shows {pictures[-1]['colours']} colours; {moves}",
        "",
        names,
        facts=facts,
    )


def _judge_page(run: Run, files: Mapping[str, bytes], no_browser: str) -> Rung:
    """A page that was opened in the browser: it has a picture with something on it, and no script died."""
    page: dict[str, Any] | None = run.facts.get("page")
    if no_browser:
        return Rung("window", "skipped", f"the page is not photographed: {no_browser}")
    if page is None:
        return Rung("window", "skipped", "no page was served that could be opened")
    said = [plain(m) for m in page["messages"]]
    died = [m for m in said if "Uncaught" in m]
    if page["problem"]:
        return Rung("window", "unverified", f"the page could not be photographed: {plain(page['problem'])[:300]}")
    facts = {"console": said}
    colours = _colours(run.collected.get("page.png", b""))
    if died and not _needs_elsewhere(files):
        return Rung(
            "window", "failed", f"a script of the page died: {died[0]}", "\n".join(said), ("page.png",), facts=facts
        )
    if colours < 2:
        return Rung("window", "failed", "the page is blank", "\n".join(said), ("page.png",), facts=facts)
    note = f"; {len(died)} errors, as it loads from sites that cannot be reached here" if died else ""
    return Rung(
        "window", "passed", f"the page shows {colours} colours{note}", "\n".join(said), ("page.png",), facts=facts
    )


def _colours(png: bytes) -> int:
    """Number of different colours in a picture; 0 when it cannot be read."""
    import io

    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(png)) as image:
            found = image.convert("RGB").getcolors(1 << 24)
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return 0
    return len(found or [])


def _needs_elsewhere(files: Mapping[str, bytes]) -> bool:
    """True when a page loads scripts from another site, which no box can reach."""
    pattern = re.compile(rb"<script[^>]{0,300}src\s*=\s*[\"']?(?:https?:)?//", re.IGNORECASE)
    return any(pattern.search(data) for name, data in files.items() if name.lower().endswith((".html", ".htm")))


def _wants_arrows(files: Mapping[str, bytes]) -> bool:
    return any(name.endswith(".py") and _ARROWS.search(data.decode("utf-8", "replace")) for name, data in files.items())
