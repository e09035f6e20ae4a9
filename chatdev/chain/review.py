"""Review: a person looks at what a phase made, and decides what becomes of it.

    approve   it stays as it is                  comment   the agents answer and revise; asked again
    edit      the person changes it; asked again reject    it is taken back, and the phase done again
    skip      it is taken back; the run goes on  stop      the run ends, saved
    always    it stays, and nobody asks again about this phase, or in this run

Each decision is an event under a key, so a resumed run walks the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from chatdev.chain.brief import version_of
from chatdev.chain.conclusion import choice, is_control, own_lines, yaml_value
from chatdev.chain.context import Context
from chatdev.chain.people import Answer, Kind, Question
from chatdev.company import Phase
from chatdev.company.artifacts import HUMAN
from chatdev.company.bundle import dumped
from chatdev.software.blocks import FileBlock, ReplyBlocks
from chatdev.software.history import EMPTY

if TYPE_CHECKING:
    from chatdev.chain.dialogue import Dialogue

TOLD = 20_000
"""Characters of a hand edit that an agent is told; the rest it sees in the files."""
OPENED = 20
"""Files that an editor is given where nothing was written."""
FINDINGS = ("review", "error_summary")
"""Artifacts that are somebody's reasons for the work that answers them."""


class Review:
    """The sign-off of one phase at one step."""

    def __init__(self, ctx: Context, phase: Phase, step: str, head: str | None) -> None:
        """`head` is the newest commit before the phase."""
        self.ctx, self.phase, self.step, self.head = ctx, phase, step, head
        self._before = {name: ctx.brief.text(name) for name in phase.writes}
        self._of_files = phase.conclusion in ("files", "pictures")

    def wanted(self) -> bool:
        """Whether the company wants this phase signed off, and the person still does."""
        review, settled = self.ctx.bundle.company.review, self.ctx.progress.settled
        if self.phase.conclusion == "answers":  # the person has just said it
            return False
        named = review == "all" or (review != "none" and self.phase.name in review)
        return named and not settled & {"*", self.phase.name}

    def wish(self) -> str | None:
        """What a person who leads a phase wants changed; None when nothing is."""
        if self.ctx.progress.settled & {"*", self.phase.name}:
            return None
        while True:
            answer = self._ask(self._wish)
            if answer.kind == "comment":
                return answer.text
            if answer.kind != "edit":
                return None
            self._edit_files(answer)

    def sign_off(self, dialogue: Dialogue, revise: Callable[[str], None]) -> Answer:
        """Ask until the phase is approved, rejected or skipped; `revise` lets the agents answer a comment."""
        if not self.wanted():
            return Answer("approve")
        while True:
            answer = self._ask(self._result)
            if answer.kind == "comment":
                revise(answer.text)
            elif answer.kind == "edit":
                changes = self._edit_files(answer) if self._of_files else self._edit_artifact(answer)
                if changes:
                    dialogue.tell(dialogue.assistant, self.ctx.words.say("edited", changes=changes), "human")
            else:
                if answer.kind in ("reject", "skip"):
                    self._take_back(answer.kind)
                return answer

    def _ask(self, question: Callable[[], Question]) -> Answer:
        ctx = self.ctx
        answer = ctx.table.ask(ctx.key(f"{self.step}/answered"), question)
        if answer.kind == "always":
            ctx.progress.settled.add("*" if answer.text == "run" else self.phase.name)
        return answer

    def _wish(self) -> Question:
        choices: tuple[Kind, ...] = ("comment", "approve", "edit", "stop", "always")
        reasons = _in_words(self.ctx.brief.text("review"))
        return self._question("diff", self.ctx.history.diff(self._seen()), choices, reasons)

    def _seen(self) -> str:
        """The version that the person saw when this phase last asked; at first, the one before the run."""
        asked = [event for event in self.ctx.journal.of_kind("asked") if event["phase"] == self.phase.name]
        started = next(self.ctx.journal.of_kind("step_started"))
        return (asked[-1].get("head") if asked else started["head"]) or EMPTY

    def _result(self) -> Question:
        about: Literal["diff", "artifact"] = "diff" if self._of_files else "artifact"
        return self._question(about, self._subject(), self._choices(), self._reasons())

    def _question(
        self, about: Literal["diff", "artifact"], subject: str, choices: tuple[Kind, ...], reasons: str
    ) -> Question:
        return Question(
            step=self.step,
            phase=self.phase.name,
            title=self.phase.title,
            about=about,
            subject=subject,
            choices=choices,
            reasons=reasons,
            evidence=evidence(self.ctx),
            files=tuple(self._changed()) if about == "diff" else (),
            folder=self.ctx.product.root,
            head=self.ctx.history.head(),
        )

    def _choices(self) -> tuple[Kind, ...]:
        known: tuple[Kind, ...] = ("approve", "comment", "edit", "reject", "skip", "stop", "always")
        return tuple(one for one in known if one != "skip" or self._can_skip())

    def _can_skip(self) -> bool:
        """Whether the chain can go on without this phase's result."""
        if self._of_files:
            return self.head is not None
        if self.phase.conclusion == "text":
            return True
        return self.phase.default is not None or all(self._before.values())

    def _subject(self) -> str:
        """What is shown: the artifact, or what the phase changed."""
        if not self._of_files:
            texts = {name: self.ctx.brief.text(name) for name in self.phase.writes}
            return dumped(texts) if len(texts) > 1 else "".join(texts.values())
        return self.ctx.history.diff(self.head or EMPTY)

    def _changed(self) -> list[str]:
        """Paths that were written, in this phase or, where a person leads it, in the run, and that are there."""
        there = self.ctx.workspace.files()
        under = "" if self.phase.instructor == HUMAN else f"{self.step}/"
        wrote = [
            file["path"]
            for event in self.ctx.journal.of_kind("committed")
            if str(event.key).startswith(under)
            for file in event["files"]
        ]
        return [path for path in dict.fromkeys(wrote) if path in there] or sorted(there)[:OPENED]

    def _reasons(self) -> str:
        """The findings that this phase answered, or what its author said besides the files."""
        texts = [self.ctx.brief.text(name) for name in FINDINGS if name in self.phase.reads]
        found = "\n".join(filter(None, map(_in_words, texts)))
        said = [event for event in self.ctx.journal.of_kind("said") if str(event.key).startswith(f"{self.step}/")]
        if found or not self._of_files or not said:
            return found
        return _in_words("\n".join(own_lines(said[-1]["text"])))

    def _edit_files(self, answer: Answer) -> str:
        """Make the edit a commit of the person; returns it as a patch, empty when nothing was changed."""
        ctx, key = self.ctx, self.ctx.key(f"{self.step}/edited")
        blocks = ReplyBlocks(files=[FileBlock(path, text) for path, text in sorted(answer.files.items())])

        def change() -> None:
            plan = ctx.workspace.plan(blocks)
            ctx.workspace.apply(plan)
            for problem in plan.problems:
                ctx.journal.append("notice", text=f"your edit: {problem.message}", step=self.step)

        contents = {path: version_of(text) for path, text in answer.files.items()}
        sha = ctx.hands.decided(key, self.step, self.phase.name, f"Edited by hand [{self.step}]", change, contents)
        if sha is None:
            return ""
        intent = ctx.journal.recorded(f"{key}/intent")
        before = intent["head"] if intent is not None else None
        return _cut(ctx.history.diff(before or EMPTY, sha))

    def _edit_artifact(self, answer: Answer) -> str:
        """The artifact in the person's words; returns what the agents are told."""
        texts, problem = self._read(answer.text)
        if problem:
            key = self.ctx.key(f"{self.step}/notice")
            self.ctx.journal.once("notice", key, lambda: {"text": f"your edit: {problem}", "step": self.step})
            return ""
        changed = {name: text for name, text in texts.items() if text != self.ctx.brief.text(name)}
        for name, text in changed.items():
            self._write(name, text)
        return _cut("\n".join(f"{name}:\n{text.strip()}" for name, text in changed.items()))

    def _read(self, text: str) -> tuple[dict[str, str], str]:
        """The edited artifacts, and what is wrong with them."""
        if len(self.phase.writes) > 1:
            try:
                found = yaml_value(text)
            except ValueError as error:
                return {}, str(error)
            if not isinstance(found, dict) or set(found) != set(self.phase.writes):
                return {}, f"it must be a mapping of {', '.join(self.phase.writes)}"
            texts = {name: value if isinstance(value, str) else dumped(value) for name, value in found.items()}
        else:
            texts = dict.fromkeys(self.phase.writes, text)
        for name in self.phase.writes[:1] if self.phase.conclusion == "line" else ():
            line = " ".join(texts[name].split())
            picked = choice(line, self.phase.choices) if self.phase.choices else line
            if not picked:
                return {}, f"choose one of {', '.join(self.phase.choices)}" if line else "it is empty"
            texts[name] = picked
        return texts, ""

    def _take_back(self, kind: str) -> None:
        """Make files and artifacts what they were before the phase."""
        ctx = self.ctx
        for name, text in self._before.items():
            if name != "files":  # they have no text of their own
                self._write(name, text or (self.phase.default or "" if kind == "skip" else ""))
        if not self._of_files:
            return
        key = ctx.key(f"{self.step}/taken_back")
        message = f"Taken back [{self.step}]"
        ctx.hands.decided(key, self.step, self.phase.name, message, self._restore, {})
        if self.head is None:
            ctx.progress.empty = True

    def _restore(self) -> None:
        self.ctx.history.restore(self.head or EMPTY)

    def _write(self, name: str, text: str) -> None:
        self.ctx.brief.write(self.ctx.key(f"{self.step}/artifact:{name}"), name, text, "human")


def evidence(ctx: Context) -> dict[str, Any] | None:
    """The newest verdict of the ladder; None when nothing was checked yet."""
    checks = list(ctx.journal.of_kind("checked"))
    if not checks:
        return None
    report = checks[-1]["report"]
    failed = next((rung for rung in report["rungs"] if rung["state"] == "failed"), None)
    return {
        "verdict": report["verdict"],
        "reason": report["reason"],
        "rung": {key: failed[key] for key in ("name", "state", "summary")} if failed else None,
        "current": ctx.progress.checked,
    }


def _in_words(text: str) -> str:
    """What was said without its control lines, which are for the house."""
    return "\n".join(line for line in text.splitlines() if not is_control(line)).strip()


def _cut(text: str) -> str:
    return text if len(text) <= TOLD else text[:TOLD] + "\n(and more)\n"
