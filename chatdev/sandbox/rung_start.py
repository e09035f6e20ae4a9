"""Rung 3: the program starts.

Judged by facts from inside the box: exit status, signs of life, limits. A handled traceback with exit status 0 is
fine; a program that is alive but printed an unhandled error is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from chatdev.sandbox.config import SandboxConfig
from chatdev.sandbox.entry import Entry
from chatdev.sandbox.job import Run, Step, Watch
from chatdev.sandbox.missing import explain, requirements_of
from chatdev.sandbox.report import Rung, shorten
from chatdev.sandbox.traces import has_traceback, has_unhandled, last_error, plain

NAME = "start"
TALK = ("1", "2", "3", "y", "q")
"""Lines typed to a program that asks: small numbers first, then a yes, then a wish to leave."""
FORGIVEN = ("ValueError", "EOFError", "KeyboardInterrupt", "InvalidOperation")
"""What a program may die of when the typed lines were not what it wanted; any other error is its own."""


def start_step(entry: Entry, config: SandboxConfig, *, browser: bool = False) -> Step:
    """The step that starts the product and watches it."""
    quiet = max(config.quiet_seconds, config.start_seconds)
    watch = Watch(config.start_seconds, quiet, gui=entry.gui, talk=TALK, browser=_first_page(entry) if browser else "")
    return Step(
        NAME,
        list(entry.command),
        fresh=not entry.build,
        seconds=max(config.seconds, quiet) + 1,
        watch=watch,
        pty=entry.terminal and not entry.gui,
    )


def _first_page(entry: Entry) -> str:
    return "/" + quote(entry.file) if entry.kind == "html" else "/"


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
