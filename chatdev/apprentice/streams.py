"""From journals to streams of tokens, exactly as the local engine feeds them.

A `Book` writes down one agent's stream the way `llm.local.LocalStream` puts it on its tape: the pinned head, what was
heard with the template around it, what was said. Beside the tokens it keeps which of them the agent said itself: those
are to be learned, everything else is only read. One book a role where a stream lives as long as the run, one a phase
where the company opens fresh ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatdev.apprentice.slots import Span, token_spans
from chatdev.errors import UserError
from chatdev.llm.tokens import clean
from chatdev.run.journal import Event, read_events

if TYPE_CHECKING:
    from chatdev.company import CompanyBundle
    from chatdev.llm.local.template import Speller

Learn = Callable[[Event], bool]
"""Whether a `said` event is an example to follow."""
READ, OWN, VALUE, SETTING = 0, 1, 2, 3
"""Kinds of tokens: only read; learned; learned, and part of a told value or of a line of settings; a told value in
such a line."""


@dataclass
class Row:
    """One stream."""

    role: str
    sinks: int
    """Tokens of the pinned head."""
    ids: list[int]
    own: list[tuple[int, int]]
    """Spans [start, end) of tokens to be learned: replies with the token that ends them."""
    values: list[Span] = field(default_factory=list)
    """Where the values of the task stand in the replies."""

    def kinds(self) -> list[int]:
        """The kind of every token."""
        found = [READ] * len(self.ids)
        for start, end in self.own:
            found[start:end] = [OWN] * (end - start)
        for span in self.values:
            kind = SETTING if span.setting else VALUE
            found[span.start : span.end] = [kind] * (span.end - span.start)
        return found

    def learned(self) -> int:
        """Number of tokens to be learned."""
        return sum(end - start for start, end in self.own)


class Spelling:
    """Text to tokens, remembered: the same prompts and files come again and again."""

    def __init__(self, speller: Speller, ends: Iterable[int]) -> None:
        self.speller, self.ends = speller, frozenset(ends)
        self._known: dict[str, list[int]] = {}

    @classmethod
    def of(cls, tokenizer: Any, ends: Iterable[int] | None = None) -> Spelling:
        """The spelling of a tokenizer with its chat template."""
        from chatdev.llm.local.template import ChatFormat, Speller

        found = [tokenizer.eos_token_id] if ends is None else ends
        return cls(Speller(tokenizer, ChatFormat.of(tokenizer)), [one for one in found if one is not None])

    def plain(self, text: str) -> list[int]:
        """Tokens of what somebody wrote."""
        if len(self._known) > 20_000:
            self._known.clear()
        if text not in self._known:
            self._known[text] = self.speller.plain(text)
        return self._known[text]


@dataclass
class Book:
    """One stream, written down."""

    spelling: Spelling
    head: str
    role: str = ""
    ids: list[int] = field(default_factory=list)
    own: list[tuple[int, int]] = field(default_factory=list)
    values: list[Span] = field(default_factory=list)
    sinks: int = 0
    _after_reply: bool = False
    _ends_open: bool = False
    """The last reply is to be learned and its end token is not written yet."""

    def __post_init__(self) -> None:
        self.ids = self.spelling.speller.head(self.head)
        self.sinks = len(self.ids)

    def hear(self, text: str) -> tuple[int, int]:
        """What was said to the agent; the span it takes."""
        start = len(self.ids)
        speller, chat = self.spelling.speller, self.spelling.speller.chat
        first = start == self.sinks
        opening = "" if first else (chat.after_reply if self._after_reply else "") + chat.before_user
        marks = speller.markers(opening)
        if self._ends_open:
            self._learn_end(marks)
        self.ids += marks + self.spelling.plain(clean(text)) + speller.markers(chat.after_user)
        self._after_reply = False
        return start, len(self.ids)

    def say(self, text: str, *, learn: bool = True, ended: bool = True, values: Sequence[str] = ()) -> tuple[int, int]:
        """What the agent said.

        Args:
            ended: it stopped by itself.
            values: what the task gave; where they stand in the reply is noted.

        Returns:
            The span of the reply's text.
        """
        self.ids += self.spelling.speller.asked()
        start = len(self.ids)
        self.ids += self.spelling.plain(clean(text))
        if learn:
            self.own.append((start, len(self.ids)))
            found = token_spans(clean(text), values, self.spelling.speller.tokenizer)
            self.values += [Span(start + one.start, start + one.end, one.setting) for one in found]
        self._after_reply, self._ends_open = True, learn and ended
        return start, len(self.ids)

    def row(self) -> Row:
        """The stream as it is now; a last reply is ended."""
        ids, own = list(self.ids), list(self.own)
        if self._ends_open and self.spelling.ends:
            ids.append(min(self.spelling.ends))
            own[-1] = (own[-1][0], len(ids))
        return Row(self.role, self.sinks, ids, own, list(self.values))

    def _learn_end(self, marks: list[int]) -> None:
        """The tokens up to the one that ends a reply are the agent's own as well."""
        count = next((at + 1 for at, one in enumerate(marks) if one in self.spelling.ends), len(marks))
        self.own[-1] = (self.own[-1][0], len(self.ids) + count)
        self._ends_open = False


def rows(
    events: Iterable[Event],
    head: Callable[[str], str],
    spelling: Spelling,
    *,
    per_phase: bool,
    learn: Learn,
    values: Sequence[str] = (),
) -> list[Row]:
    """The streams of one run.

    Args:
        events: its journal.
        head: the pinned head of a role's streams.
        per_phase: every phase had streams of its own (an endpoint's way) instead of one a role for the whole run.
        learn: which `said` events are examples.
        values: what the task gave, to be noted where it stands in replies.
    """
    books: dict[tuple[str, str], Book] = {}
    for event in events:
        if event.kind not in ("told", "said"):
            continue
        step = str(event.key).rsplit("/", 2)[0] if per_phase else ""
        name = (event["agent"], step)
        if name not in books:
            books[name] = Book(spelling, head(event["agent"]), event["agent"])
        if event.kind == "told":
            books[name].hear(event["text"])
        else:
            ended = event["finish"] == "stop"
            books[name].say(event["text"], learn=learn(event), ended=ended, values=values)
    return [book.row() for book in books.values()]


@dataclass(frozen=True)
class Told:
    """A product's journal with the company that said what is in it."""

    events: list[Event]
    bundle: CompanyBundle
    started: Event

    def rows(self, spelling: Spelling) -> list[Row]:
        """Its streams."""
        from chatdev.chain.crew import Crew

        return rows(
            self.events,
            lambda role: Crew.head_of(self.bundle, role, self.started["task"]),
            spelling,
            per_phase=_per_phase(self.bundle, self.started["models"]),
            learn=accepted(self.events),
        )


def read_product(folder: Path, *, only_verified: bool = True) -> Told | None:
    """A product's journal (its folder, or the journal itself); None when nothing in it is to be learned.

    Args:
        only_verified: leave out runs that the ladder did not verify.

    Raises:
        UserError: there is no journal, or it is damaged.
    """
    from chatdev.company import load_company

    journal = folder / ".chatdev" / "journal.jsonl" if folder.is_dir() else folder
    fix = "Name a product's folder, or a journal.jsonl"
    if not journal.is_file():
        raise UserError("there is no journal", where=str(folder), fix=fix)
    events, _ = read_events(journal)
    if not events and journal.stat().st_size:
        raise UserError("this file is no journal", where=str(journal), fix=fix)
    started = next((event for event in events if event.kind == "run_started"), None)
    if started is None or (only_verified and not verified(events)):
        return None
    return Told(events, load_company(str(journal.parent / "company")), started)


def verified(events: Iterable[Event]) -> bool:
    """The run came to its end, and the ladder's last word was `verified`."""
    ends = [event for event in events if event.kind in ("run_ended", "stopped")]
    return bool(ends) and ends[-1].kind == "run_ended" and ends[-1]["verdict"] == "verified"


def accepted(events: Iterable[Event]) -> Learn:
    """Which replies were used as they were: those that had to be asked for again are no examples."""
    faulty: set[str] = set()
    last = ""
    for event in events:
        if event.kind == "said":
            last = str(event.key)
        elif event.kind == "filed" and event["problems"]:
            faulty.add(last)
    return lambda event: str(event.key) not in faulty and event["finish"] == "stop"


def _per_phase(bundle: CompanyBundle, models: dict[str, str]) -> bool:
    scope = bundle.company.stream.scope
    return scope == "phase" or (scope == "auto" and any(name.startswith("openai:") for name in models.values()))
