"""Words for events, shared by every screen, and the guard between a model's text and a terminal."""

from __future__ import annotations

import unicodedata
from typing import Any

from chatdev.run.journal import Event

_KEPT = "\n\t"
_MARKS = {"passed": "ok", "failed": "FAILED", "skipped": "skipped", "unverified": "not checked"}


def safe(text: str) -> str:
    """Text from a model or a program, with control characters made visible: it cannot move the cursor, retitle the
    window, overwrite a line, or turn the reading direction around."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(char) for char in text)


def _visible(char: str) -> str:
    if char in _KEPT or unicodedata.category(char) not in ("Cc", "Cf", "Cs"):
        return char
    return " " if char == "\r" else char if char in "\u200d\ufe0f" else f"\\x{ord(char):02x}"


def tokens_text(number: int) -> str:
    return f"{number:,} tokens"


def seconds_text(seconds: float) -> str:
    """`3.2 s`, `2 min 05 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"


def window_text(window: dict[str, Any]) -> str:
    """`stream 4,096 of 182,440 tokens · 231 MB · 38 tok/s`."""
    parts = [f"stream {window['held']:,} of {window['total']:,} tokens"]
    if window["bytes"]:
        parts.append(f"{window['bytes'] / 1e6:,.0f} MB")
    if window["tokens_per_second"]:
        parts.append(f"{window['tokens_per_second']:.0f} tok/s")
    parts += [f"{name} {value}" for name, value in window.get("notes", {}).items()]
    return " · ".join(parts)


def files_text(files: list[dict[str, Any]]) -> str:
    """`main.py +81 −0, old.py deleted`."""
    parts = []
    for file in files:
        counts = f"+{file['added']} −{file['removed']}" if file.get("added") is not None else "binary"
        parts.append(f"{file['path']} deleted" if file["status"] == "deleted" else f"{file['path']} {counts}")
    return safe(", ".join(parts))


def rung_text(rung: dict[str, Any]) -> str:
    """`start ok: showed a window (6.1 s)`."""
    mark = _MARKS.get(rung["state"], rung["state"])
    return safe(f"{rung['name']:<7} {mark}: {rung['summary']}")


def speaker(titles: dict[str, str], name: str) -> str:
    return titles.get(name, {"house": "House", "human": "You"}.get(name, name))


def event_lines(event: Event, titles: dict[str, str]) -> list[str]:
    """The plain lines of one event, without the words of the dialogue; none for events that show nothing."""
    if event.kind == "step_started":
        who = ""
        if event.get("assistant"):
            who = f"   {speaker(titles, event['instructor'])} -> {speaker(titles, event['assistant'])}"
        return [f"== {event['title']} [{event['step']}]{who}"]
    if event.kind == "said":
        usage = event["usage"]
        count = usage["prompt_tokens"] + usage["completion_tokens"]
        line = f"   {speaker(titles, event['agent'])}: {tokens_text(count)}, {seconds_text(usage['seconds'])}"
        if event["window"]["bytes"]:
            line += f" · {window_text(event['window'])}"
        return [line + (" (cut at the reply limit)" if event["finish"] == "length" else "")]
    if event.kind == "artifact" and event["by"] not in ("verify", "placeholders"):
        first = event["text"].strip().splitlines()[:1] or ["(nothing)"]
        return [f"   {event['name']}: {safe(first[0])[:100]}"]
    if event.kind == "filed":
        word = "left as it is" if event.get("last") else "sent back"
        notes = [f"   note: {safe(text)}" for text in event.get("notices", [])]
        return [*notes, *(f"   {word}: {safe(problem)}" for problem in event["problems"])]
    if event.kind == "committed" and event["sha"]:
        return [f"   commit {event['sha'][:8]}  {files_text(event['files'])}"]
    if event.kind == "rung":
        return ["   " + rung_text(event["rung"])]
    if event.kind == "checked":
        report = event["report"]
        return [f"   {report['verdict']}: {safe(report['reason'])}"]
    if event.kind == "loop_ended" and not event["until"]:
        return [f"   loop {event['loop']}: all {event['rounds']} rounds are used up"]
    if event.kind == "loop_ended":
        return [f"   loop {event['loop']}: {event['until']} after {event['rounds']} rounds"]
    if event.kind == "asked":
        return [f"   waiting for you: {safe(event['title'])} [{event['step']}]"]
    if event.kind == "answered":
        first = safe(event["text"].strip().partition("\n")[0])[:100] if event["answer"] != "edit" else ""
        return [f"   You: {event['answer']}" + (f": {first}" if first else "")]
    if event.kind == "message":
        return [f"   You -> {speaker(titles, event['to'])}: {safe(event['text'])[:200]}"]
    if event.kind == "undone":
        return [f"   went back to before {safe(event['title'])} [{event['step']}]"]
    if event.kind == "redone":
        return ["   what was undone counts again"]
    if event.kind == "forked":
        return [f"   forked from {safe(event['parent'])} before {safe(event['title'])} [{event['step']}]"]
    if event.kind == "models":
        return [f"   going on with {safe(', '.join(sorted(set(event['models'].values()))))}"]
    if event.kind == "notice":
        return [f"   note: {safe(event['text'])}"]
    if event.kind == "progress" and event["done"] in (0.0, 1.0):
        return [f"   {safe(event['what'])}" + (": done" if event["done"] else " ...")]
    if event.kind == "waiting":
        return [f"   waiting {seconds_text(event['seconds'])}: {safe(event['reason'])}"]
    return []
