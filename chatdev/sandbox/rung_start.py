"""Rungs 3 and 4: the program starts, and what has a window shows one that is not blank.

Judged by facts from inside the box: exit status, signs of life, limits. A handled traceback with exit status 0 is
fine; a program that is alive but printed an unhandled error is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from chatdev.sandbox.config import SandboxConfig
from chatdev.sandbox.entry import Entry
from chatdev.sandbox.job import Run, Step, Watch
from chatdev.sandbox.missing import explain, requirements_of
from chatdev.sandbox.report import Rung, shorten
from chatdev.sandbox.traces import has_traceback, has_unhandled, last_error, plain

NAME = "start"
BLANK = 6
"""A window in which no more pixels than this differ from its background is blank."""
TALK = ("1", "2", "3", "y", "q")
"""Lines typed to a program that asks: small numbers first, then a yes, then a wish to leave."""
FORGIVEN = ("ValueError", "EOFError", "KeyboardInterrupt", "InvalidOperation")
"""What a program may die of when the typed lines were not what it wanted; any other error is its own."""
_ARROWS = re.compile(r"K_(?:RIGHT|LEFT)\b|<(?:Key-)?(?:Right|Left)>|['\"](?:Right|Left)['\"]|Key_(?:Right|Left)\b")


def start_step(entry: Entry, config: SandboxConfig) -> Step:
    """The step that starts the product and watches it."""
    quiet = max(config.quiet_seconds, config.start_seconds)
    watch = Watch(config.start_seconds, quiet, gui=entry.gui, talk=TALK)
    return Step(
        NAME,
        list(entry.command),
        seconds=max(config.seconds, quiet) + 1,
        watch=watch,
        pty=entry.terminal and not entry.gui,
    )


def judge_start(run: Run, entry: Entry, files: Mapping[str, bytes]) -> Rung:
    """The start rung from the watched run."""
    ok, summary = _verdict(run, entry, files)
    evidence = ["start.stdout.txt", "start.stderr.txt"]
    details = "" if ok else _details(run)
    notes = "; ".join(run.notes)
    if notes and not ok:
        details = f"{notes}\n{details}"
    elif notes:
        summary += f" ({notes})"
    return Rung(
        "start", "passed" if ok else "failed", summary, details, tuple(evidence), run.seconds,
        facts={
            **run.facts, "exit_code": run.exit_code, "alive": run.alive, "signs": list(run.signs), "limit": run.limit,
        },
    )  # fmt: skip


def judge_window(run: Run, entry: Entry, files: Mapping[str, bytes]) -> Rung:
    """The window rung: a window of the product was seen, it is not blank, and it moves when its source says it
    should.
    """
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


def _wants_arrows(files: Mapping[str, bytes]) -> bool:
    return any(name.endswith(".py") and _ARROWS.search(data.decode("utf-8", "replace")) for name, data in files.items())


def needs_arguments(run: Run) -> bool:
    """A command-line program that rightly refuses to run without arguments: its usage, and exit status 2."""
    text = run.stderr.text
    return run.exit_code == 2 and not has_traceback(text) and "usage:" in text.lower()


def _verdict(run: Run, entry: Entry, files: Mapping[str, bytes]) -> tuple[bool, str]:
    stderr = run.stderr.text
    if run.error:
        return False, run.error
    if run.limit and run.limit != "time":
        return False, f"it ran into the {run.limit} limit of the sandbox after {run.seconds:.1f} s"
    if run.exit_code is not None:
        return _ended(run, stderr, files)
    if not run.alive:
        busy = run.facts.get("cpu_seconds", 0) > run.seconds / 2
        doing = "kept the processor busy, " if busy else ""
        return (
            False,
            f"it ran on for {run.seconds:.0f} s, {doing}showed no window, no port, no output and asked for nothing",
        )
    if has_traceback(stderr) or has_unhandled(stderr):
        if _by_talk(run):
            return True, f"it goes on after typed input it did not expect: {last_error(stderr)}"
        return False, f"it goes on, but with an error: {last_error(stderr)}"
    failing = [s for s in run.signs if "answers HTTP 5" in s]
    if failing:
        return False, f"{failing[0]}: the server fails on its first page"
    if entry.kind == "html" and not any("answers HTTP 200" in s for s in run.signs):
        return False, "the page could not be served"
    if entry.kind == "html":
        return True, f"{entry.file} and the files it names are served"
    return True, f"alive after {run.seconds:.1f} s: {'; '.join(run.signs)}"


def _ended(run: Run, stderr: str, files: Mapping[str, bytes]) -> tuple[bool, str]:
    code = run.exit_code or 0
    if code == 0 and has_unhandled(stderr):
        return False, f"exit status 0 after {run.seconds:.1f} s, but with an unhandled error: {last_error(stderr)}"
    typed = f" and typed input ({', '.join(run.facts.get('typed', []))})" if run.facts.get("typed") else ""
    if code == 0:
        return True, f"exit status 0 after {run.seconds:.1f} s{typed}"
    if _by_talk(run):
        return True, f"it asked for input and ended on lines it did not expect{typed}: {last_error(stderr)}"
    how = f"signal {-code}" if code < 0 else f"exit status {code}"
    if has_traceback(stderr) or "Error" in stderr:
        why = explain(stderr, files, requirements_of(files))
        return False, f"{how} after {run.seconds:.1f} s: {last_error(stderr)}" + (f" -> {why}" if why else "")
    said = last_error(stderr)
    return False, f"{how} after {run.seconds:.1f} s" + (f": {said}" if said else ", without a message")


def _by_talk(run: Run) -> bool:
    """True when the program was alive and asking, and only what was typed then ended it."""
    if not run.facts.get("typed") or (run.exit_code or 0) < 0:
        return False
    stderr = run.stderr.text
    if has_traceback(stderr) or has_unhandled(stderr):
        return any(name in last_error(stderr) for name in FORGIVEN)
    return run.exit_code is not None  # it said no in its own words


def _details(run: Run) -> str:
    parts = []
    for name, output, room in (("stderr", run.stderr, 2400), ("stdout", run.stdout, 900)):
        text = plain(output.text).strip()
        if text:
            parts.append(f"--- {name} ---\n{shorten(text, room)}")
    return "\n".join(parts) or "It printed nothing."
