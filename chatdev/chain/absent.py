"""Persons who are not at the terminal: answers that come by letter, and answers that were written down before.

A file of answers is a YAML list, taken in order, or a mapping from phases to lists:

    - approve
    - comment: make the snake blue
    - edit: {files: {README.md: "# Snake"}}      (or `edit: text`, for what is no file)
    - always: run
"""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from chatdev.chain.people import Answer, Arrived, Question
from chatdev.company.fields import quoted
from chatdev.company.messages import did_you_mean
from chatdev.company.safe_yaml import Map, Node, Seq, Text, plain, read_file
from chatdev.errors import StoppedByPerson, UserError, UserErrors
from chatdev.run.inbox import ANSWERS

EVERY = 0.3
"""Seconds between two looks for a letter."""
IN_WORDS = {"answer": "comment", "reply": "comment"}
"""Other names for the answer to a question."""


class ByLetter:
    """Somebody who answers through the inbox, such as from the studio."""

    by = "inbox"

    def ask(self, question: Question, arrived: Arrived) -> Answer:
        """Wait for the letter, without burning a processor."""
        while (answer := arrived()) is None:
            time.sleep(EVERY)
        return answer

    def passed(self, phase: str) -> None:
        """Letters are removed when they are answered."""


class FromFile:
    """Answers that were written down before the run; each is used once, also over several lives of a run."""

    by = "file"

    def __init__(self, path: Path, phases: Collection[str]) -> None:
        """Read the whole file. `phases` are those that can ask.

        Raises:
            UserErrors: it is no file of answers; every line that is none, every phase that nobody has.
        """
        self._path = path
        self._lists, self._by_phase = read_answers(path, phases)
        self._used: dict[str, int] = {}

    def ask(self, question: Question, arrived: Arrived) -> Answer:
        """The next answer for this phase.

        Raises:
            StoppedByPerson: all are used up.
            UserError: the next one cannot be given here.
        """
        name = question.phase if self._by_phase else ""
        answers, number = self._lists.get(name, []), self._used.get(name, 0)
        self.passed(question.phase)
        if number >= len(answers):
            raise StoppedByPerson(f'{self._path} has no answer left for "{question.title}" [{question.step}]')
        where, answer = answers[number]
        if answer.kind not in question.choices:
            raise UserError(
                f'"{answer.kind}" cannot be answered to "{question.title}" [{question.step}]',
                where=where,
                fix=f"Possible are {', '.join(question.choices)}",
            )
        return answer

    def passed(self, phase: str) -> None:
        """Count an answer as used."""
        name = phase if self._by_phase else ""
        self._used[name] = self._used.get(name, 0) + 1


def read_answers(path: Path, phases: Collection[str]) -> tuple[dict[str, list[tuple[str, Answer]]], bool]:
    """The answers of a file with the place of each, by phase (under "" when they are one list), and whether they
    are by phase."""
    tree = read_file(path)
    errors: list[UserError] = []
    if isinstance(tree, Map):
        found = {phase: _answers(node, errors) for phase, node in tree.items.items()}
        for phase, node in tree.items.items():
            if phase not in phases:
                text = f"there is no phase {quoted(phase)} here{did_you_mean(phase, phases)}"
                errors.append(UserError(text, where=str(node.mark)))
    elif isinstance(tree, Seq):
        found = {"": _answers(tree, errors)}
    else:
        errors.append(UserError("expected a list of answers", where=str(tree.mark), fix="Such as:  - approve"))
    if errors:
        raise UserErrors(errors)
    return found, isinstance(tree, Map)


def _answers(node: Node, errors: list[UserError]) -> list[tuple[str, Answer]]:
    made = []
    for one in node.items if isinstance(node, Seq) else [node]:
        try:
            made.append((str(one.mark), _answer(one)))
        except ValueError as error:
            errors.append(UserError(str(error), where=str(one.mark), fix=f"Known: {', '.join(ANSWERS)}"))
    return made


def _answer(node: Node) -> Answer:
    if isinstance(node, Text):
        return Answer(_kind(node.value or ""), "")
    if not isinstance(node, Map) or len(node.items) != 1:
        raise ValueError("an answer is one word, or one word with its text")
    ((word, inner),) = node.items.items()
    kind, value = _kind(word), plain(inner)
    if kind == "edit" and isinstance(value, dict):
        files = value.get("files", {})
        if set(value) - {"files", "text"} or not isinstance(files, dict):
            raise ValueError("edit has files (a mapping of paths to texts) or text")
        return Answer(kind, str(value.get("text") or ""), {path: _text(text) for path, text in files.items()})
    return Answer(kind, _text(value).strip() if kind != "edit" else _text(value))


def _kind(word: str) -> Any:
    kind = IN_WORDS.get(word, word)
    if kind not in ANSWERS:
        raise ValueError(f'"{word[:40]}" is no answer')
    return kind


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError("expected a text")
    return value
