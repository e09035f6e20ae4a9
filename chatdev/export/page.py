"""Gathers what a run's page shows, and renders it.

Contract: `page` gives one HTML document that needs no other file, no script and no network. Every text goes through
jinja2's escaping; its content policy forbids scripts besides. Pictures are the evidence of the checks, within bounds.
"""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chatdev.run.journal import Event, Journal, read_events
from chatdev.run.ledger import Ledger
from chatdev.run.past import counting
from chatdev.run.product import Product
from chatdev.run.report import make_report
from chatdev.run.steps import steps_of
from chatdev.screen.text import event_lines, seconds_text, speaker
from chatdev.software.history import History

PICTURES = 24
"""Screenshots in one page at most, the newest."""
PICTURE_BYTES = 3_000_000
PATCH_LINES = 4_000
"""Lines of one commit's patch."""
_SIGNATURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


@dataclass
class Shown:
    """One thing in a step, in the order it happened."""

    kind: str
    """said, told, commit, note or picture"""
    title: str = ""
    text: str = ""
    lines: list[tuple[str, str]] = field(default_factory=list)
    """Of a patch: class and text of each line."""


@dataclass
class ShownStep:
    """One step of the run."""

    label: str
    path: str
    shown: list[Shown] = field(default_factory=list)


def page(product: Product) -> str:
    """The run of a product as HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    events, _ = read_events(product.journal)
    now = counting(events)
    ledger = Ledger()
    ledger.read_all(events, product.journal)
    report = make_report(product, Journal.reading(product.journal, events), ledger)
    started = next((event for event in events if event.kind == "run_started"), None)
    titles: dict[str, str] = started["titles"] if started else {}
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(duration=seconds_text, money=_money)
    text = environment.get_template("page.html").render(
        report=report,
        when=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(events[0].at)) if events else "",
        steps=_steps(product, now, titles),
        files=_files(product),
        titles=titles,
    )
    # Broken decoders leave halves of characters; a page holds whole ones.
    return text.encode("utf-8", "replace").decode("utf-8")


def _money(value: float | None) -> str:
    return "price unknown" if value is None else f"${value:.4f}"


def _steps(product: Product, now: list[Event], titles: dict[str, str]) -> list[ShownStep]:
    """Steps with what was said and done in each; what came before the first is not shown."""
    known = {step.started: step for step in steps_of(now)}
    history = History(product.root) if (product.root / ".git").is_dir() else None
    pictures = _pictures(product)
    steps: list[ShownStep] = []
    for event in now:
        if event.id in known:
            steps.append(ShownStep(known[event.id].label, known[event.id].path))
        elif steps:
            steps[-1].shown += _shown(event, titles, history)
            if event.kind == "checked":
                steps[-1].shown += pictures.get(event["step"], [])
    return steps


def _shown(event: Event, titles: dict[str, str], history: History | None) -> list[Shown]:
    if event.kind == "said":
        usage = event["usage"]
        tokens = usage["prompt_tokens"] + usage["completion_tokens"]
        title = f"{speaker(titles, event['agent'])} · {tokens:,} tokens, {seconds_text(usage['seconds'])}"
        return [Shown("said", title, event["text"])]
    if event.kind == "told":
        title = f"{speaker(titles, event['by'])} → {speaker(titles, event['agent'])}"
        return [Shown("told", title, event["text"])]
    if event.kind == "committed" and event["sha"]:
        lines = _patch(history, event["sha"])
        return [Shown("commit", f"commit {event['sha'][:12]}: {event['message']}", lines=lines)]
    if event.kind in ("words", "step_ended", "artifact"):
        return []
    return [Shown("note", text=line.strip()) for line in event_lines(event, titles)]


def _patch(history: History | None, sha: str) -> list[tuple[str, str]]:
    from chatdev.errors import UserError
    from chatdev.software.safegit import GitFailed

    try:
        text = history.patch_of(sha) if history is not None else ""
    except (UserError, GitFailed):
        return [("meta", "(this commit is not in the repository any more)")]
    lines = text.splitlines()
    more = [("meta", f"({len(lines) - PATCH_LINES:,} more lines)")] if len(lines) > PATCH_LINES else []
    return [(_class(line), line) for line in lines[:PATCH_LINES]] + more


def _class(line: str) -> str:
    if line.startswith(("diff ", "index ", "--- ", "+++ ", "new file", "deleted file", "old mode", "new mode")):
        return "meta"
    return {"+": "add", "-": "del", "@": "hunk"}.get(line[:1], "")


def _pictures(product: Product) -> dict[str, list[Shown]]:
    """Screenshots of the checks by step, as data URLs; what is no picture or too large is left out."""
    found: list[tuple[str, Path]] = []
    if product.evidence.is_dir():
        for path in sorted(product.evidence.rglob("*")):
            if path.is_file() and not path.is_symlink() and path.suffix.lower() in (".png", ".jpg", ".jpeg", ".gif"):
                step = path.relative_to(product.evidence).parts[0]
                found.append((step, path))
    shown: dict[str, list[Shown]] = {}
    for step, path in found[-PICTURES:]:
        data = path.read_bytes() if path.stat().st_size <= PICTURE_BYTES else b""
        kind = next((kind for start, kind in _SIGNATURES if data.startswith(start)), "")
        if kind:
            url = f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
            shown.setdefault(step, []).append(Shown("picture", path.name, url))
    return shown


def _files(product: Product) -> dict[str, Any]:
    """The text files of the product as they lie there."""
    from chatdev.software.workspace import Workspace

    return {path: text for path, text in Workspace(product.root).texts().items() if len(text) <= 200_000}
