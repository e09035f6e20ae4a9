"""What an agent is shown: prompts that grow with what is new, not with the length of the project.

A prompt names artifacts (`{{ review }}`, `{{ files }}`). When it is rendered for an agent, whatever that agent's
stream still holds in its current version is referred to; whatever it never saw, or lost, or has changed since, is
shown in full. What was shown is returned beside the text, because the agent now knows it.

Values become text only where the template really prints them: a name inside an `if` that is not taken shows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from chatdev.chain.agent import Agent
from chatdev.chain.brief import Brief, Item
from chatdev.chain.filemap import file_map, relevance
from chatdev.chain.interfaces import interfaces
from chatdev.chain.pieces import numbered
from chatdev.chain.requests import MOST, Wanted, answer
from chatdev.chain.views import imports, only_tests, sources, suspects, tried
from chatdev.chain.words import Words
from chatdev.company.templates import rendered

CHARS_PER_TOKEN = 3
"""A low guess, for bounding how much text a prompt may take of a window."""
SHORT = 400
"""An artifact up to this many characters is simply said again; a reference would not be shorter to read."""

FEW = 60
"""Files of an existing project up to which all of them are shown or named; more are put on a map."""
MAP = 12_000
"""Characters of a map at most."""


class Printed:
    """A template value that is made, and recorded as shown, when the template prints it."""

    def __init__(self, make: Callable[[], str], there: Callable[[], bool]) -> None:
        self._make, self._there = make, there
        self._text: str | None = None

    def __str__(self) -> str:
        if self._text is None:
            self._text = self._make()
        return self._text

    def __bool__(self) -> bool:
        return self._there()


class Composer:
    """Renders the templates of phases for one agent at a time."""

    def __init__(
        self,
        brief: Brief,
        words: Words,
        files: Callable[[], dict[str, str]],
        changed: Callable[[], set[str]] = lambda: set(),
    ) -> None:
        """`files` gives the text files of the product as they are now, `changed` the paths that the run has written."""
        self._brief, self._words, self._read, self._changed = brief, words, files, changed
        self._now: dict[str, str] | None = None

    def _files(self) -> dict[str, str]:
        """The files as they are; while one prompt is made they are read once."""
        return self._read() if self._now is None else self._now

    def compose(
        self, template: str, where: str, agent: Agent, reads: Iterable[str], room: int, **names: Any
    ) -> tuple[str, list[Item]]:
        """Render `template` for `agent`; returns the text and the items it shows.

        Args:
            where: the phase's file, for the error message.
            reads: the artifacts the template may print.
            room: characters that the files may take in the prompt.
            names: further values (role, instructor, comment …).

        Raises:
            UserError: the template names something unknown, or does what the sandbox forbids.
        """
        shown: list[Item] = []
        reads = list(reads)
        values: dict[str, Any] = {name: self._value(name, agent, shown, room, reads) for name in reads}
        values.update(names)
        self._now = self._read()
        try:
            return rendered(template, values, where=where).strip() + "\n", shown
        finally:
            self._now = None

    def requested(self, asked: list[Wanted], room: int, last: bool) -> tuple[str, list[Item]]:
        """What an agent asked to see, as its next prompt; see `requests`."""
        text, shown = answer(asked, self._files(), self._words, room)
        return self._words.say("files_asked_last" if last else "files_asked", files=text), shown

    def _value(self, name: str, agent: Agent, shown: list[Item], room: int, reads: list[str]) -> Printed:
        views: dict[str, Callable[[], dict[str, str]]] = {
            "files": self._files,
            "sources": lambda: sources(self._files()),
            "tests": lambda: only_tests(self._files()),
            "suspects": lambda: self._suspects(reads, agent, room),
            "planned": lambda: suspects(self._files(), self._brief.text("plan")),
            "changed": self._written,
            "reviewed": lambda: suspects(self._files(), self._brief.text("review")),
        }
        if name in views:
            return Printed(lambda: self._show_files(views[name](), agent, shown, room), lambda: bool(views[name]()))
        if name == "interfaces":
            return Printed(
                lambda: self._once("interfaces", interfaces(self._files(), room), agent, shown),
                lambda: bool(self._files()),
            )
        made: dict[str, Callable[[], str]] = {
            "pieces": lambda: numbered(self._brief.text("task")),
            "imports": lambda: imports(self._files()),
            "changes": lambda: "\n".join(self._changes(agent)),
        }
        if name in made:
            return Printed(made[name], lambda: bool(made[name]()))
        return Printed(lambda: self._show(name, agent, shown), lambda: self._brief.has(name))

    def _suspects(self, reads: Iterable[str], agent: Agent, room: int) -> dict[str, str]:
        """What the report speaks of, and the summary where the phase reads it; with what the tests among them try, as
        long as all of it takes no more than a quarter of the agent's window and of `room`, characters."""
        files = self._files()
        summary = self._brief.text("error_summary") if "error_summary" in reads else ""
        found = suspects(files, f"{self._brief.text('test_report')}\n{summary}")
        more = {**found, **tried(files, found)}
        most = room if agent.window is None else min(room, agent.window * CHARS_PER_TOKEN)
        return more if sum(map(len, more.values())) <= most // 4 else found

    def _show(self, name: str, agent: Agent, shown: list[Item]) -> str:
        return self._once(name, self._brief.text(name), agent, shown)

    def _once(self, name: str, text: str, agent: Agent, shown: list[Item]) -> str:
        """The text, or a reference to it when the agent still holds exactly this version."""
        item = Item(name, text)
        if len(item.text) > SHORT and agent.knows(item):
            return self._words.say("held", name=name)
        shown.append(item)
        return item.text

    def _changes(self, agent: Agent) -> list[str]:
        """Paths that are new, different or gone since the agent last saw them."""
        now = {file_item(path, text) for path, text in self._files().items()}
        lines = [item.name.removeprefix("files/") for item in now if not agent.knows(item)]
        there = {item.name for item in now}
        gone = [name for name in agent.met() if name.startswith("files/") and name not in there]
        return sorted(lines) + [self._words.say("file_gone", path=name.removeprefix("files/")) for name in gone]

    def _written(self) -> dict[str, str]:
        changed = self._changed()
        return {path: text for path, text in self._files().items() if path in changed} or self._files()

    def _show_files(self, files: dict[str, str], agent: Agent, shown: list[Item], room: int) -> str:
        if not files:
            return self._words.say("files_none")
        if self._brief.has("existing") and (self._is_large(files, agent, room) or len(self._files()) > FEW):
            return self._show_large(files, agent, shown, room)
        parts: list[str] = []
        omitted: list[str] = []
        order = self._by_relevance(files)
        # One file is always shown: without any there is nothing to work on.
        room = max(room, min(len(text) for text in files.values()))
        for path in order:
            item = file_item(path, files[path])
            if agent.knows(item):
                lines = files[path].count("\n")
                parts.append(self._words.say("file_held", path=path, lines=lines))
            elif len(files[path]) <= room:
                room -= len(files[path])
                shown.append(item)
                text = files[path] if files[path].endswith("\n") else files[path] + "\n"
                parts.append(self._words.say("file", path=path, text=text).rstrip("\n"))
            else:
                omitted.append(path)
        if omitted:
            parts.append(self._words.say("files_omitted", paths=omitted))
        others = sorted(set(self._files()) - set(files))
        if others:
            parts.append(self._words.say("files_others", paths=others))
        return "\n".join(parts)

    def _is_large(self, files: dict[str, str], agent: Agent, room: int) -> bool:
        return sum(len(text) for path, text in files.items() if not agent.knows(file_item(path, text))) > room

    def _show_large(self, files: dict[str, str], agent: Agent, shown: list[Item], room: int) -> str:
        """Of an existing project that does not fit: the files that matter, and a map of the others."""
        everything = self._files()
        talk = "\n".join(self._brief.text(name) for name in ("task", "plan", "review", "test_report", "placeholders"))
        scores = relevance(everything, talk, self._changed())
        whole = len(files) < len(everything)
        left = room // 2
        parts: list[str] = []
        seen: set[str] = set()
        for path in sorted(files, key=lambda each: (-scores[each], each)):
            item = file_item(path, files[path])
            if agent.knows(item):
                parts.append(self._words.say("file_held", path=path, lines=files[path].count("\n")))
            elif len(files[path]) <= left and (whole or scores[path] > 0):
                left -= len(files[path])
                shown.append(item)
                text = files[path] if files[path].endswith("\n") else files[path] + "\n"
                parts.append(self._words.say("file", path=path, text=text).rstrip("\n"))
            else:
                continue
            seen.add(path)
        others = {path: text for path, text in everything.items() if path not in seen}
        if others:
            example = max(others, key=lambda each: (scores[each], each))
            listed = file_map(others, scores, min(room // 4, MAP))
            parts.append(self._words.say("files_map", map=listed, example=example, most=MOST).rstrip("\n"))
        return "\n".join(parts)

    def _by_relevance(self, files: dict[str, str]) -> list[str]:
        """Files named in the task or the newest findings first, then by path; all of them when there is room."""
        talk = " ".join(self._brief.text(name) for name in ("test_report", "review", "placeholders", "task"))
        named = {path for path in files if re.search(rf"(?<![\w/]){re.escape(path)}(?!\w)", talk)}
        return sorted(files, key=lambda path: (path not in named, path))


def file_item(path: str, text: str) -> Item:
    """The item under which an agent knows a file."""
    return Item(f"files/{path}", text)
