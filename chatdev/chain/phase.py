"""A phase: a dialogue, and what becomes of its conclusion.

    ask a person (instructor: human) → dialogue → conclusion by kind → artifact or files → sign-off (see `review`)

A conclusion of kind text, line or yaml becomes an artifact, and what was said beside a line may become another; files
and pictures become a commit. A reply that cannot be used goes back with the exact reason, `reask` times; then whatever
was right in it is taken and the rest is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from chatdev.apprentice.bounds import Bounds, bounds_of
from chatdev.chain import conclusion as concluding
from chatdev.chain.agent import Spoken
from chatdev.chain.context import Context
from chatdev.chain.dialogue import Dialogue, Talk
from chatdev.chain.filing import Filing
from chatdev.chain.pictures import draw
from chatdev.chain.questions import clarify
from chatdev.chain.review import Review
from chatdev.company import Phase
from chatdev.company.artifacts import HUMAN
from chatdev.run.journal import Event


@dataclass(frozen=True)
class Outcome:
    """What a phase came to."""

    done: bool
    """The phase's `done_when` was said, or the person had nothing to say."""
    changed: bool
    """It changed files."""
    rejected: str | None = None
    """Why a person wants it done again, empty without a reason; None when nobody does."""
    gave_up: str | None = None
    """Why the assistant cannot do the task: it said the phase's `stop_when`, or its analysis shows it."""


class PhaseRun:
    """One phase at one step of the chain."""

    def __init__(self, ctx: Context, phase: Phase, step: str, rejected: str | None = None) -> None:
        """`rejected` is why a person wants what was done before done again."""
        self.ctx, self.phase, self.step, self.rejected = ctx, phase, step, rejected

    def run(self, **names: Any) -> Outcome:
        """Go through the phase. `names` are further values for its prompt (question, dialogue)."""
        before = self.ctx.progress.changes
        started = self._event(
            "step_started",
            title=self.phase.title,
            instructor=self.phase.instructor,
            assistant=self.phase.assistant,
            head=self.ctx.history.head(),
        )
        if self.phase.conclusion == "answers":
            return self._end(Outcome(clarify(self.ctx, self.phase, self.step), changed=False))
        review = Review(self.ctx, self.phase, self.step, started["head"])
        if self.phase.instructor == HUMAN:
            wish = review.wish()
            if wish is None:
                return self._end(Outcome(done=True, changed=self.ctx.progress.changes > before))
            names["comment"] = wish
        more = self.ctx.words.say("rejected", reason=self.rejected) if self.rejected is not None else ""
        unread = self._unread()
        if unread is not None:
            return self._end(Outcome(done=False, changed=False, gave_up=unread))
        dialogue = Dialogue(self.ctx, self.phase, self.step, names, more)
        talk = dialogue.hold(lambda spoken: self._gave_up(spoken) is not None)
        gave_up = self._gave_up(talk.last)
        if gave_up is not None:
            return self._end(Outcome(done=False, changed=False, gave_up=gave_up))
        self._tell_what_is_left_out(talk.last)
        done = self._take(dialogue, talk, names)

        def revise(comment: str) -> None:
            nonlocal done
            spoken = dialogue.again(self.ctx.words.say("person", comment=comment))
            unusable = self._gave_up(spoken)
            if unusable is not None:
                self._notice(f"{unusable}; what was there stays")
                return
            said = concluding.control_line(spoken.text)
            talk = Talk(dialogue.assistant, spoken, said, [(self.phase.assistant, spoken.text)])
            done = self._take(dialogue, talk, names)

        decision = review.sign_off(dialogue, revise)
        if decision.kind == "reject":
            return self._end(Outcome(done=False, changed=False, rejected=decision.text))
        if decision.kind == "skip":
            # Whoever skips a review wants the loop that waits for its word to go on.
            return self._end(Outcome(done=self.phase.done_when is not None, changed=False))
        return self._end(Outcome(done, self.ctx.progress.changes > before))

    def _unread(self) -> str | None:
        """Why the assistant's model cannot even take the task apart; None when it can, or did long ago."""
        if self.ctx.journal.recorded(f"{self.step}/{self.phase.assistant}/said1") is not None:
            return None
        if self.ctx.journal.recorded(f"{self.step}/gave_up") is not None:
            return ""
        bounds = self._bounds(self.ctx.crew.model_of(self.phase.assistant).name)
        if bounds is None:
            return None
        too_long = bounds.too_long(self.ctx.brief.text("task"))
        return too_long or (None if self.ctx.crew.holds_task(self.phase.assistant) else bounds.too_dense())

    def _bounds(self, model: str) -> Bounds | None:
        """The bounds of a model, in a phase that goes through the task piece by piece and may find it strange."""
        return bounds_of(model) if self.phase.stop_when is not None and "pieces" in self.phase.reads else None

    def _gave_up(self, spoken: Spoken) -> str | None:
        """Why whoever said this cannot do the task, in a sentence; None when it can."""
        who = self.ctx.bundle.roles[self.phase.assistant].title
        if concluding.is_done(spoken.text, self.phase.stop_when):
            reason = _last_line(spoken.text)
            return f"the {who} says that this cannot be done" + (f": {reason}" if reason else "")
        bounds = self._bounds(spoken.model)
        why = bounds.beyond(self.ctx.brief.text("task"), spoken.text) if bounds is not None else None
        return f"the analysis of the {who} cannot be used: {why}" if why is not None else None

    def _tell_what_is_left_out(self, spoken: Spoken) -> None:
        bounds = self._bounds(spoken.model)
        lost = bounds.overlooked(self.ctx.brief.text("task"), spoken.text) if bounds is not None else []
        if lost:
            self._notice("not taken over from the task: " + "; ".join(f'"{part}"' for part in lost))

    def _take(self, dialogue: Dialogue, talk: Talk, names: dict[str, Any]) -> bool:
        """Make of a talk what the phase makes of it; returns whether its `done_when` was said."""
        done = concluding.is_done(talk.last.text, self.phase.done_when)
        if self.phase.conclusion == "files":
            Filing(self.ctx, dialogue, self.step).take(talk, needed=not done)
        elif self.phase.conclusion == "pictures":
            draw(self.ctx, dialogue, talk, self.step)
        else:
            self._write(self._conclude(dialogue, talk, names), talk)
        return done

    def _conclude(self, dialogue: Dialogue, talk: Talk, names: dict[str, Any]) -> str:
        """The text that the dialogue came to, by the phase's kind of conclusion."""
        if self.phase.conclusion == "text":
            return talk.last.text.strip() + "\n"
        if self.phase.conclusion == "yaml":
            return self._yaml(dialogue, talk)
        found = talk.conclusion
        if found is None and self.phase.reflect and self.ctx.bundle.company.reflection:
            found = self._reflect(talk, names)
        return self._line(dialogue, found)

    def _line(self, dialogue: Dialogue, found: str | None) -> str:
        """A one-line conclusion, held to the phase's choices; asked for again when there is none."""
        choices = self.phase.choices
        for attempt in range(self.phase.reask + 1):
            if found and not choices:
                return found
            picked = concluding.choice(found, choices) if found else None
            if picked:
                return picked
            if attempt < self.phase.reask:
                wanted = choices or ["your conclusion"]
                found = concluding.control_line(dialogue.again(self.ctx.words.say("reask_choice", choices=wanted)).text)
        fallback = self.phase.default if self.phase.default is not None else (found or "")
        self._notice(f'no conclusion in "{self.phase.title}"; going on with "{fallback}"')
        return fallback

    def _yaml(self, dialogue: Dialogue, talk: Talk) -> str:
        text = talk.last.text
        for attempt in range(self.phase.reask + 1):
            try:
                return concluding.yaml_block(text)
            except ValueError as error:
                if attempt == self.phase.reask:
                    self._notice(f'no valid YAML in "{self.phase.title}": {error}')
                    break
                text = dialogue.again(self.ctx.words.say("reask_yaml", error=str(error))).text
        return self.phase.default or ""

    def _reflect(self, talk: Talk, names: dict[str, Any]) -> str | None:
        """Let two others read the dialogue and say what it came to."""
        ctx = self.ctx
        name = ctx.bundle.company.reflection
        assert name is not None
        titles = ctx.bundle.roles
        script = "\n\n".join(f"{titles[role].title}: {text.strip()}" for role, text in talk.transcript)
        dialogue = Dialogue(
            ctx,
            ctx.bundle.phases[name],
            f"{self.step}.{name}",
            {"question": self.phase.reflect, "dialogue": script, **names},
        )
        return dialogue.hold().conclusion

    def _write(self, text: str, talk: Talk) -> None:
        """Make the conclusion an artifact; YAML may fill several, and a line one more, with what was said beside it."""
        values = dict.fromkeys(self.phase.writes[:1], text)
        if self.phase.conclusion == "line":
            values |= dict.fromkeys(self.phase.writes[1:], concluding.besides(talk.last.text))
        if self.phase.conclusion == "yaml" and len(self.phase.writes) > 1:
            found = concluding.yaml_value(text) if text else {}
            if isinstance(found, dict):
                values = {name: _plain(found.get(name, "")) for name in self.phase.writes}
        for name, value in values.items():
            self.ctx.brief.write(self.ctx.key(f"{self.step}/artifact:{name}"), name, value, self.phase.assistant)

    def _end(self, outcome: Outcome) -> Outcome:
        self._event("step_ended", done=outcome.done, changed=outcome.changed)
        progress = self.ctx.progress
        progress.changed[self.phase.name] = outcome.changed
        (progress.done.add if outcome.done else progress.done.discard)(self.phase.name)
        return outcome

    def _event(self, kind: str, **data: Any) -> Event:
        key = self.ctx.key(f"{self.step}/{kind}")
        return self.ctx.journal.once(kind, key, lambda: {"step": self.step, "phase": self.phase.name, **data})

    def _notice(self, text: str) -> None:
        key = self.ctx.key(f"{self.step}/notice")
        self.ctx.journal.once("notice", key, lambda: {"text": text, "step": self.step})


def _last_line(reply: str) -> str:
    """What an agent says last in its own words, before the line that the program reads: the reason for it."""
    lines = [line.strip() for line in concluding.own_lines(reply)]
    return next((line for line in reversed(lines) if line and not line.startswith(concluding.CONTROL)), "")


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else yaml.safe_dump(value, allow_unicode=True, sort_keys=False)
