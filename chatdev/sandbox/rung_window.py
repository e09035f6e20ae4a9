"""Rung 4: what has a window shows one that is not blank and moves (`rung_page` judges pages)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from chatdev.sandbox.entry import Entry
from chatdev.sandbox.job import Run
from chatdev.sandbox.proof import makes_window, takes_arguments
from chatdev.sandbox.report import Rung
from chatdev.sandbox.rung_page import judge_page

BLANK = 6
"""A window in which no more pixels than this differ from its background is blank."""
_ARROWS = re.compile(r"K_(?:RIGHT|LEFT)\b|<(?:Key-)?(?:Right|Left)>|['\"](?:Right|Left)['\"]|Key_(?:Right|Left)\b")


def judge_window(run: Run, entry: Entry, files: Mapping[str, bytes], no_browser: str = "") -> Rung:
    """The window rung: a window of the product was seen, it is not blank, and it moves when its source says it
    should.
    """
    if entry.web and not entry.gui:
        return judge_page(run, entry, files, no_browser)
    if not entry.gui:
        return Rung("window", "skipped", "the product opens no window")
    pictures = run.facts.get("pictures", [])
    names = tuple(p["name"] for p in pictures)
    no_display = [n for n in run.notes if n.startswith("no display")]
    if no_display:
        return Rung("window", "unverified", no_display[0])
    windows = run.facts.get("windows", [])
    if not windows:
        if run.exit_code == 0 and not run.facts.get("typed") and _should_have_shown(entry, files):
            ended = f"it ended after {run.seconds:.1f} s, before its window could be seen: does it run its main loop?"
            return Rung("window", "failed", ended, facts={"windows": []})
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


def _should_have_shown(entry: Entry, files: Mapping[str, bytes]) -> bool:
    return makes_window(files, entry) and not takes_arguments(files, entry)


def _wants_arrows(files: Mapping[str, bytes]) -> bool:
    return any(name.endswith(".py") and _ARROWS.search(data.decode("utf-8", "replace")) for name, data in files.items())
