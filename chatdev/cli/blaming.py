"""`show --blame FILE:LINE`: the dialogue that wrote a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatdev.screen.text import safe, speaker

if TYPE_CHECKING:
    from chatdev.chain.blame import Blame
    from chatdev.run.journal import Event


def blame_lines(found: Blame, titles: dict[str, str]) -> list[str]:
    """The line, its commit, and what was said before it; every word."""
    lines = [safe(f"{found.path}:{found.line}: {found.text}"), ""]
    commit = found.commit
    if commit is None:
        return [*lines, "never committed: it was edited by hand since the last commit"]
    lines.append(safe(f"commit {commit.sha[:12]}  {commit.author}, {commit.date:%Y-%m-%d %H:%M:%S} UTC"))
    lines.append(safe(f"  {commit.message}"))
    lines += [safe(f"  {name}: {value}") for name, value in commit.trailers.items()]
    if not found.dialogue:
        why = "edited by hand" if commit.trailers.get("Phase") == "hand" else "from before this run"
        return [*lines, "", f"no dialogue of this run wrote it: {why}"]
    for event in found.dialogue:
        lines += ["", _who(event, titles)]
        lines += [f"| {safe(line)}" for line in event["text"].splitlines()]
    return lines


def _who(event: Event, titles: dict[str, str]) -> str:
    if event.kind == "told":
        return f"{speaker(titles, event['by'])} -> {speaker(titles, event['agent'])}:"
    if event.kind == "said":
        return f"{speaker(titles, event['agent'])} ({event['model']}):"
    return f"You -> {speaker(titles, event['to'])}:" if event.kind == "message" else f"You ({event['answer']}):"


def blame_json(found: Blame) -> dict[str, Any]:
    """The same for programs."""
    commit = found.commit
    about = (
        None
        if commit is None
        else {"sha": commit.sha, "author": commit.author, "message": commit.message, "trailers": commit.trailers}
    )
    said = [{"id": event.id, "kind": event.kind, "key": event.key, **event.data} for event in found.dialogue]
    return {"path": found.path, "line": found.line, "text": found.text, "commit": about, "dialogue": said}
