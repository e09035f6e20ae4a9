"""Rung 3: the program starts.

Judged by facts from inside the box: exit status, signs of life, limits. A handled traceback with exit status 0 is
fine where it is not all that was shown; a program that is alive but printed an unhandled error is not. An end without
any trace proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from chatdev.sandbox.config import SandboxConfig
from chatdev.sandbox.entry import Entry
from chatdev.sandbox.guest.signs import DEAF, SILENT
from chatdev.sandbox.job import Run, Step, Watch
from chatdev.sandbox.missing import explain, requirements_of
from chatdev.sandbox.proof import does_nothing, nothing_seen, only_error, takes_arguments, waits_for_its_time
from chatdev.sandbox.report import Rung, State, shorten
from chatdev.sandbox.traces import all_errors, has_traceback, has_unhandled, last_error, plain
from chatdev.sandbox.typed import ended_by_typing

NAME = "start"
TALK = ("1", "2", "3", "y", "q")
"""Lines typed to a program that asks: small numbers first, then a yes, then a wish to leave."""
_HUNG_UP = re.compile(r"\b(?:Connection(?:Reset|Aborted)Error|BrokenPipeError)\b")
_KNOCKED = re.compile(
    _HUNG_UP.pattern + r"|\b(?:IncompleteReadError|JSONDecodeError|UnicodeDecodeError|struct\.error)\b|\bGET /? ?HTTP"
)
_USAGE = re.compile(r"^\W{0,3}usage\b", re.IGNORECASE | re.MULTILINE)


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


def judge_start(run: Run, entry: Entry, files: Mapping[str, bytes], *, tested: bool = False) -> Rung:
    """The start rung from the watched run. `tested`: the product has tests, which prove what a start cannot show."""
    state, summary = _verdict(run, entry, files, tested)
    details = "" if state == "passed" else _details(run)
    notes = "; ".join(run.notes)
    if notes and state != "passed":
        details = f"{notes}\n{details}"
    elif notes:
        summary += f" ({notes})"
    return Rung(
        "start", state, summary, details, ("start.stdout.txt", "start.stderr.txt"), run.seconds,
        facts={
            **run.facts, "exit_code": run.exit_code, "alive": run.alive, "signs": list(run.signs), "limit": run.limit,
        },
    )  # fmt: skip


def asks_for_arguments(run: Run, entry: Entry, files: Mapping[str, bytes]) -> bool:
    """A command-line program that was started without arguments and rightly says how it is used, or does nothing."""
    if run.facts.get("typed") or has_traceback(run.stderr.text):
        return False
    if run.exit_code == 0:
        return nothing_seen(run) and takes_arguments(files, entry)
    return run.exit_code in (1, 2, 64) and _USAGE.search(run.stderr.text + "\n" + run.stdout.text) is not None


def judge_help(refused: Run, done: Run, entry: Entry, files: Mapping[str, bytes]) -> Rung:
    """The start rung of such a program, from its run with `--help`: it explains itself, or takes that for one more
    argument it did not expect. An error of its own is one here too.
    """
    first = judge_start(refused, entry, files)
    code = f"exit status {refused.exit_code}"
    evidence = (*first.evidence, "help.stdout.txt")
    seconds = first.seconds + done.seconds
    stderr = done.stderr.text
    if done.exit_code == 0 and (done.stdout.text + stderr).strip():
        summary = f"it asks for arguments ({code}) and explains them with --help (exit status 0)"
        return Rung("start", "passed", summary, "", evidence, seconds, first.facts)
    if has_traceback(stderr) and "--help" not in last_error(stderr):
        summary = f"with --help it ends with {last_error(stderr)}"
        return Rung("start", "failed", summary, _details(done), evidence, seconds, first.facts)
    if _USAGE.search(refused.stderr.text + "\n" + refused.stdout.text) and done.exit_code is not None:
        summary = f"it asks for arguments in its own words ({code})"
        return Rung("start", "passed", summary, "", evidence, seconds, first.facts)
    return first


def _verdict(run: Run, entry: Entry, files: Mapping[str, bytes], tested: bool) -> tuple[State, str]:
    stderr = run.stderr.text
    if run.error:
        return "failed", run.error
    if run.limit and run.limit != "time":
        return "failed", f"it ran into the {run.limit} limit of the sandbox after {run.seconds:.1f} s"
    if run.exit_code is not None:
        return _ended(run, entry, files, tested)
    if has_traceback(stderr) or has_unhandled(stderr):
        if run.alive and ended_by_typing(run):
            return "passed", f"it goes on after typed input it did not expect: {last_error(stderr)}"
        if run.alive and _by_probe(run, entry):
            return "passed", f"alive after {run.seconds:.1f} s: {'; '.join(run.signs)}"
        return "failed", f"it goes on, but with an error: {last_error(stderr)}"
    if not run.alive:
        if waits_for_its_time(run, files, entry):
            return "passed", f"it printed what it does and sleeps until its time ({run.seconds:.0f} s without an error)"
        busy = run.facts.get("cpu_seconds", 0) > run.seconds / 2
        doing = "kept the processor busy, " if busy else ""
        return (
            "failed",
            f"it ran on for {run.seconds:.0f} s, {doing}showed no window, no port, no output and asked for nothing",
        )
    return _serves(run, entry)


def _by_probe(run: Run, entry: Entry) -> bool:
    """True when all its errors come from our knocking on its port: we speak HTTP, hang up, and it expected neither."""
    errors = all_errors(run.stderr.text)
    pattern = _HUNG_UP if entry.web else _KNOCKED
    return bool(run.facts.get("ports") and errors) and all(pattern.search(error) for error in errors)


def _serves(run: Run, entry: Entry) -> tuple[State, str]:
    """A program that is alive with a sign of life: what its ports answer."""
    failing = [s for s in run.signs if "answers HTTP 5" in s]
    if failing:
        return "failed", f"{failing[0]}: the server fails on its first page"
    answered = any("answers HTTP" in s for s in run.signs)
    mute = [s for s in run.signs if s.endswith(DEAF) or (s.endswith(SILENT) and entry.web)]
    if mute and not answered and (entry.web or len(mute) == len(run.signs)):
        return "failed", f"{mute[0]}: a server has to answer"
    if entry.kind == "html" and not any("answers HTTP 200" in s for s in run.signs):
        return "failed", "the page could not be served"
    if entry.kind == "html":
        return "passed", f"{entry.file} and the files it names are served"
    return "passed", f"alive after {run.seconds:.1f} s: {'; '.join(run.signs)}"


def _ended(run: Run, entry: Entry, files: Mapping[str, bytes], tested: bool) -> tuple[State, str]:
    stderr = run.stderr.text
    code = run.exit_code or 0
    if code == 0 and has_unhandled(stderr):
        return (
            "failed",
            f"exit status 0 after {run.seconds:.1f} s, but with an unhandled error: {last_error(stderr)}",
        )
    if code == 0 and nothing_seen(run):
        return _without_trace(run, entry, files, tested)
    if code == 0 and only_error(run):
        return "failed", f"exit status 0 after {run.seconds:.1f} s, but all it shows is an error: {last_error(stderr)}"
    typed = f" and typed input ({', '.join(run.facts.get('typed', []))})" if run.facts.get("typed") else ""
    if code == 0:
        return "passed", f"exit status 0 after {run.seconds:.1f} s{typed}"
    if ended_by_typing(run):
        said = last_error(stderr or run.stdout.text)
        return "passed", f"it asked for input and ended on lines it did not expect{typed}: {said}"
    if code == 1 and _by_probe(run, entry):
        return "passed", f"it served one connection and ended when that was closed: {last_error(stderr)}"
    how = f"signal {-code}" if code < 0 else f"exit status {code}"
    if has_traceback(stderr) or "Error" in stderr:
        why = explain(stderr, files, requirements_of(files))
        return "failed", f"{how} after {run.seconds:.1f} s: {last_error(stderr)}" + (f" -> {why}" if why else "")
    said = last_error(stderr or run.stdout.text)
    return "failed", f"{how} after {run.seconds:.1f} s{typed}" + (f": {said}" if said else ", without a message")


def _without_trace(run: Run, entry: Entry, files: Mapping[str, bytes], tested: bool) -> tuple[State, str]:
    """Exit status 0, and nothing was printed, written, opened, served or asked for."""
    why = does_nothing(files, entry)
    if tested and not why.endswith("never calls it"):
        return "skipped", "it ends at once and shows nothing; its tests have to prove it"
    if why:
        return "failed", f"nothing happens when it is started: {why}"
    return (
        "failed",
        f"it ended with exit status 0 after {run.seconds:.1f} s and printed, wrote, opened and served nothing: "
        "nothing is proved by that",
    )


def _details(run: Run) -> str:
    parts = []
    for name, output, room in (("stderr", run.stderr, 2400), ("stdout", run.stdout, 900)):
        text = plain(output.text).strip()
        if text:
            parts.append(f"--- {name} ---\n{shorten(text, room)}")
    return "\n".join(parts) or "It printed nothing."
