"""An agent: a role with a stream, and the knowledge of what that stream still holds.

Everything an agent hears and says goes through the journal under a key. In a resumed run a recorded sentence is given
back to the stream as it was (see `recollection`), and the model is asked only for what was never said.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from chatdev.chain.brief import Item
from chatdev.chain.recollection import Moment, Recollection
from chatdev.llm.base import Mark, SayLimits
from chatdev.run.journal import Journal

WORDS_EVERY = 0.1
"""Seconds of talk that are gathered into one `words` event."""


@dataclass(frozen=True)
class Spoken:
    """One reply as the chain uses it."""

    key: str
    text: str
    finish: str
    mark: Mark
    model: str
    """Full name of the model that said it, which may be another one than the agent's is now."""


class Agent:
    """One role at work on one stream."""

    def __init__(
        self,
        name: str,
        model: str,
        memory: Recollection,
        journal: Journal,
        before: Callable[[], None],
        meanwhile: Callable[[str, str, str], str] = lambda role, key, phase: "",
    ) -> None:
        """`before` is called before every reply that will be paid for; it raises when a limit is reached. `meanwhile`
        is called before the agent is told something new (role, key, phase): it sees to what people did since, and gives
        what they said to this role, empty for nothing."""
        self.name, self.model = name, model
        self._memory, self._journal, self._before, self._meanwhile = memory, journal, before, meanwhile
        self._known: dict[str, tuple[str, Mark]] = {}

    def knows(self, item: Item) -> bool:
        """True when the stream still holds this item in this version."""
        version, mark = self._known.get(item.name, ("", Mark(0, 0)))
        return version == item.version and self._memory.stream.holds(mark)

    @property
    def window(self) -> int | None:
        """Tokens the agent's model sees at most; None where that is not decided on this machine."""
        return self._memory.stream.window.window or None

    def met(self) -> list[str]:
        """Names of all items the agent was ever shown, in whatever version."""
        return sorted(self._known)

    def hear(self, key: str, phase: str, by: str, make: Callable[[], tuple[str, list[Item]]]) -> str:
        """Let the agent hear a text; `make` renders it and names the items it shows. Returns the text heard."""

        event = self._journal.recorded(key)
        if event is not None:
            mark = self._memory.again(Moment("heard", event["text"]), event.get("mark"))
        else:
            self._memory.wake()
            said = self._meanwhile(self.name, key, phase)
            text, items = make()
            text += said
            mark = self._memory.stream.hear(text)
            shows = {item.name: item.version for item in items}
            where = {"agent": self.name, "by": by, "phase": phase}
            event = self._journal.append("told", key, **where, text=text, shows=shows, mark=[mark.start, mark.end])
            self._memory.lived(Moment("heard", text))
        for name, version in event["shows"].items():
            self._known[name] = (version, mark)
        return str(event["text"])

    def say(self, key: str, phase: str, limits: SayLimits) -> Spoken:
        """The agent's reply: the recorded one, or a new one, spoken into the journal as it is made."""
        event = self._journal.recorded(key)
        if event is not None:
            seconds = event["usage"]["seconds"]
            moment = Moment("said", event["text"], event.get("limit", 0), seconds)
            mark = self._memory.again(moment, event.get("mark"))
            return Spoken(key, event["text"], event["finish"], mark, event["model"])
        self._before()
        self._memory.wake()
        name_next = getattr(self._memory.stream, "name_next", None)
        if name_next is not None:
            name_next(key, phase)
        spoken = False
        try:
            self._speak(phase, limits)
            spoken = True
        finally:
            self._lost(phase, spoken)
        reply, window = self._memory.stream.reply, self._memory.stream.window
        self._journal.append(
            "said",
            key,
            agent=self.name,
            phase=phase,
            model=self.model,
            text=reply.text,
            finish=reply.finish,
            usage=asdict(reply.usage),
            window=asdict(window),
            mark=[reply.mark.start, reply.mark.end],
            limit=limits.tokens,
            waited=round(self._waited(), 3),
        )
        self._memory.lived(Moment("said", reply.text, limits.tokens, reply.usage.seconds))
        return Spoken(key, reply.text, reply.finish, reply.mark, self.model)

    def _speak(self, phase: str, limits: SayLimits) -> None:
        heard: list[str] = []
        since = time.monotonic()
        for piece in self._memory.stream.say(limits):
            heard.append(piece)
            if time.monotonic() - since >= WORDS_EVERY:
                self._journal.append("words", agent=self.name, phase=phase, text="".join(heard))
                heard, since = [], time.monotonic()
        if heard:
            self._journal.append("words", agent=self.name, phase=phase, text="".join(heard))

    def _waited(self) -> float:
        """Seconds of the last reply that were nobody's work: somebody was waited for."""
        return float(getattr(self._memory.stream, "waited", 0.0))

    def _lost(self, phase: str, spoken: bool) -> None:
        """What was paid for words that never became a reply (a broken connection, Ctrl-C) is spent all the same."""
        if not spoken and self._waited():
            self._journal.append("paused", waited=round(self._waited(), 3))
        usage = getattr(self._memory.stream, "unsaid", None)
        if usage is not None:
            self._journal.append("spent", agent=self.name, phase=phase, model=self.model, usage=asdict(usage))

    def wrote(self, items: list[Item], mark: Mark) -> None:
        """Remember that these items stand in the agent's own reply."""
        for item in items:
            self._known[item.name] = (item.version, mark)
