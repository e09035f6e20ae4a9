"""The table at which people and agents meet: questions and their answers, and what is said without being asked.

Everything a person does here is an event. A question is asked anew in every life of a run until its answer is recorded;
a message stays in the inbox until the agent that should hear it was told.
"""

from __future__ import annotations

import _thread
import signal
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from chatdev.chain.people import Answer, Arrived, Person, Question
from chatdev.errors import StoppedByPerson
from chatdev.run.inbox import LONGEST_TEXT, Inbox, Letter
from chatdev.run.journal import Journal

EVERY = 0.3
"""Seconds between two looks into the inbox."""
SUBJECT = 400_000
"""Characters of a subject that the journal takes; a diff beyond that is read in the product's folder."""


class Table:
    """One run's table."""

    def __init__(self, journal: Journal, folder: Path, person: Person, roles: Collection[str]) -> None:
        """`folder` is the inbox, `roles` are those that can be spoken to."""
        self.inbox = Inbox(folder, self._tell)
        self._journal, self._person, self._roles = journal, person, roles
        self._reached = {(event["letter"], event["to"]) for event in journal.of_kind("message")}
        for event in journal.of_kind("answered"):
            if event.get("by") == person.by:
                person.passed(event["phase"])

    @property
    def occupied(self) -> bool:
        """True when somebody is there to answer."""
        return self._person.by != "nobody"

    @property
    def attended(self) -> bool:
        """True when somebody is there who can answer what nobody foresaw."""
        return self._person.by in ("terminal", "inbox")

    def recorded(self, key: str) -> bool:
        """True when the question of this key was answered, in this life of the run or before."""
        return self._journal.recorded(key) is not None

    def ask(self, key: str, make: Callable[[], Question]) -> Answer:
        """The person's answer: the recorded one of this key, or a new one to the question that `make` makes.

        Raises:
            StoppedByPerson: they stop the run; whoever resumes is asked again.
        """
        event = self._journal.recorded(key)
        if event is not None:
            return Answer(event["answer"], event["text"], event.get("files", {}))
        question = make()
        asked = self._journal.append("asked", self._free(key), **self._shortened(question))
        begun = time.monotonic()
        answer = self._person.ask(question, self._letterbox(str(asked.key), question))
        # A stop is recorded without the key.
        self._journal.append(
            "answered",
            key if answer.kind != "stop" else None,
            step=question.step,
            phase=question.phase,
            question=asked.key,
            answer=answer.kind,
            text=answer.text,
            files=answer.files,
            by="inbox" if answer.letter else self._person.by,
            waited=round(time.monotonic() - begun, 3),
        )
        if answer.letter:
            self.inbox.remove(answer.letter)
        if answer.kind == "stop":
            raise StoppedByPerson(f'stopped at "{question.title}"')
        return answer

    def _free(self, key: str) -> str:
        """A key for this asking; a question that was asked in an earlier life and not answered is asked again."""
        made, lives = f"{key}/asked", 1
        while self._journal.recorded(made) is not None:
            lives += 1
            made = f"{key}/asked~{lives}"
        return made

    @staticmethod
    def _shortened(question: Question) -> dict[str, Any]:
        fields = question.to_json()
        if len(question.subject) > SUBJECT:
            fields["subject"] = question.subject[:SUBJECT] + "\n(cut here; the whole lies in the product's folder)\n"
        return fields

    def _letterbox(self, asked: str, question: Question) -> Arrived:
        def look() -> Answer | None:
            for letter in self.inbox.letters():
                if letter.kind != "answer":
                    continue
                if letter.question != asked:
                    self.inbox.refuse(letter.name, "it answers no open question")
                elif letter.answer not in question.choices:
                    self.inbox.refuse(letter.name, f"{letter.answer} cannot be answered here")
                elif letter.answer == "comment" and not letter.text.strip():
                    self.inbox.refuse(letter.name, "it says nothing")
                else:
                    # A reply from a role's chair may hold files, as an edit does.
                    whole = letter.answer == "edit" or question.about == "question"
                    text = letter.text if whole else letter.text[:LONGEST_TEXT]
                    return Answer(letter.answer, text, letter.files, letter.name)
            return None

        return look

    def messages(self, role: str, key: str, phase: str) -> list[str]:
        """What was said to a role and it has not heard yet; recorded as heard under `key`."""
        heard: list[str] = []
        while (event := self._journal.recorded(f"{key}/message{len(heard) + 1}")) is not None:
            heard.append(event["text"])
        for letter in self.inbox.letters():
            if letter.kind != "message" or not self._is_for(letter, role):
                continue
            text = letter.text[:LONGEST_TEXT].strip()
            heard.append(text)
            self._journal.append(
                "message", f"{key}/message{len(heard)}", to=role, text=text, phase=phase, letter=letter.name
            )
            self._reached.add((letter.name, role))
            if letter.to != "all" or all((letter.name, one) in self._reached for one in self._roles):
                self.inbox.remove(letter.name)
        return heard

    def _is_for(self, letter: Letter, role: str) -> bool:
        if letter.to not in ("", "all", *self._roles):
            self.inbox.refuse(letter.name, f'there is no "{letter.to[:40]}" here')
            return False
        if letter.to != "all" and any(name == letter.name for name, _ in self._reached):
            self.inbox.remove(letter.name)  # it was told, and the run killed before the letter was removed
            return False
        return letter.to in ("", "all", role) and (letter.name, role) not in self._reached

    def leave(self) -> None:
        """The chain is through: say what nobody heard, and take the letters away."""
        for letter in self.inbox.letters():
            self.inbox.remove(letter.name)
            if letter.kind == "message" and letter.to != "all":
                self._tell(f"nobody was left to hear: {letter.text.strip()[:200]}")

    def _tell(self, text: str) -> None:
        self._journal.append("notice", text=text, step="")


class StopWatch:
    """Looks for a letter that asks the run to stop, whatever the run is doing, and interrupts it like Ctrl-C."""

    def __init__(self, folder: Path) -> None:
        self._inbox, self._over = Inbox(folder), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> StopWatch:
        for name in filter(self._inbox.is_stop, self._inbox.names()):
            self._inbox.remove(name)  # it was meant for an earlier life
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        seen: set[str] = set()
        while not self._over.wait(EVERY):
            for name in self._inbox.names():
                if name not in seen and self._inbox.is_stop(name):
                    self._inbox.remove(name)
                    interrupt()
                    return
                seen.add(name)


def interrupt() -> None:
    """Raise KeyboardInterrupt in the main thread, also where it waits for the network."""
    handled = callable(signal.getsignal(signal.SIGTERM)) and hasattr(signal, "pthread_kill")
    if handled and threading.main_thread().ident is not None:
        signal.pthread_kill(threading.main_thread().ident, signal.SIGTERM)  # type: ignore[arg-type]
    else:
        _thread.interrupt_main()
