"""One agent's conversation with an endpoint: the messages are kept here and sent again for every reply.

What is sent is the pinned head and as much of the newest tail as fits (`trimming`). An error that says "too
long" makes the window smaller and the request is sent again, so a dialogue never fails for its length.

A reply whose connection breaks is asked for again, whole, a few times. What was yielded cannot be taken
back, so the new text is only used if it begins with all that was shown, and only what goes beyond it is
yielded; a new text that differs is dropped. When no attempt gets through, the reply ends with finish `cut`
and the text shown so far. In every case `reply.text` is the concatenation of the pieces yielded. Every
attempt is paid for and counted: in the reply's usage, or, where no reply came of it, in `unsaid`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chatdev.llm.api_endpoint import Endpoint
from chatdev.llm.api_errors import Problem, diagnose
from chatdev.llm.base import Finish, Mark, Reply, SayLimits, Usage, WindowState
from chatdev.llm.messages import Message, read_messages, to_wire, write_messages
from chatdev.llm.patience import Tries
from chatdev.llm.reply_text import ReplyText
from chatdev.llm.tokens import clean
from chatdev.llm.trimming import Fitted, cost, fit

CHARS_PER_TOKEN_AT_MOST = 16
"""A reply with more characters than this for every token it may have is stopped: its limit is not obeyed."""
MOST_CHARS = 400_000
"""No reply is read beyond that, whatever its limit in tokens."""
LESSONS = 24
"""Changes to a request (fields left out, windows halved) within one reply, after which it is an error."""
MORE_TOKENS = "Raise limits.reply_tokens, or use a model that reasons less"
FILTERED = "The endpoint refused what was asked: word the task differently, or use another model with --model"
USUAL_REPLY = SayLimits().tokens


@dataclass
class Attempt:
    """One request and what came of it."""

    fields: dict[str, Any]
    text: ReplyText
    finish: str | None = None
    told: dict[str, int] | None = None
    begun: bool = False
    """The endpoint accepted the request, so it is likely to be paid for."""
    differs: bool = False
    """The text does not begin with what had been shown before."""
    problem: Problem | None = None

    @property
    def optional(self) -> set[str]:
        """What could be left out or renamed if the endpoint refuses it."""
        return {*self.fields, "system"} - {"messages"}


@dataclass
class Spent:
    """Tokens of all attempts of one reply."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    estimated: bool = False
    started: float = field(default_factory=time.monotonic)
    going: Attempt | None = None
    """The request under way, not yet counted."""


@dataclass
class ApiStream:
    """A conversation with a model behind an endpoint. Marks count messages behind the head."""

    endpoint: Endpoint
    head: str
    seed: int = 0
    messages: list[Message] = field(default_factory=list)
    _start: int = 0
    _reply: Reply | None = None
    _spent: Spent | None = None
    """Of a `say` that has not come to its reply."""
    _reply_tokens: int = USUAL_REPLY
    """The room that the last reply was given, and the next one is likely to get."""

    @property
    def reply(self) -> Reply:
        """The last reply; LookupError before the first one."""
        if self._reply is None:
            raise LookupError("this stream has not said anything yet")
        return self._reply

    @property
    def unsaid(self) -> Usage | None:
        """What the last `say` cost so far when it has come to no reply (refused, given up, broken off); else None."""
        if self._spent is None:
            return None
        spent = replace(self._spent)
        if spent.going is not None:
            self._count(spent.going, spent)
        return self._usage(spent, time.monotonic() - spent.started) if spent.prompt or spent.completion else None

    @property
    def window(self) -> WindowState:
        """Tokens that would be sent now, of all of the dialogue; estimated, corrected by reported usage."""
        count = self.endpoint.window.count
        head = Message("system", self.head)
        held = cost([head, *self._fit().messages], count)
        rate = 0.0
        if self._reply is not None and self._reply.usage.seconds > 0:
            rate = self._reply.usage.completion_tokens / self._reply.usage.seconds
        return WindowState(held, cost([head, *self.messages], count), 0, rate)

    def hear(self, text: str) -> Mark:
        """Append what was said to the agent."""
        return self._append(Message("user", clean(text)))

    def recall(self, text: str) -> Mark:
        """Append a reply of an earlier life."""
        return self._append(Message("assistant", clean(text)))

    def holds(self, mark: Mark) -> bool:
        """True when all messages of the span would be sent, uncut, with the next prompt.

        That prompt is not known yet: an eighth of the budget is set aside for it.
        """
        if not 0 <= mark.start <= mark.end <= len(self.messages):
            return False
        fitted = self._fit(aside=1 / 8)
        return fitted.start <= mark.start and not fitted.cut.intersection(range(mark.start, mark.end))

    def say(self, limits: SayLimits) -> Iterator[str]:
        """Yield the reply as it comes.

        Raises:
            UserError: the endpoint refuses, or could not be reached in all tries.
        """
        spent = self._spent = Spent()
        try:
            yield from self._say(limits, spent)
            self._spent = None
        except Exception:
            # Broken off by a person, a request without an answer yet was sent all the same; failed, it was not.
            if spent.going is not None and not spent.going.begun:
                spent.going = None
            raise

    def _say(self, limits: SayLimits, spent: Spent) -> Iterator[str]:
        self._reply_tokens = limits.tokens
        self.endpoint.ask_window()
        tries = Tries(self.endpoint.patience, self.endpoint.waiting)
        shown, lessons = "", 0
        finish: Finish | None = None
        previous = ""
        while finish is None:
            attempt = spent.going = self._prepare(limits)
            for piece in self._attempt(attempt, shown):
                shown += piece
                yield piece
            spent.going = None
            if attempt.begun:
                self._count(attempt, spent)
            problem = self._verdict(attempt, previous)
            previous = attempt.text.text
            if problem is None:
                finish = _finish(attempt)
            elif self._lesson(problem, attempt, limits) and (lessons := lessons + 1) < LESSONS:
                continue
            elif problem.kind != "retry":
                raise self.endpoint.failure(problem)
            elif not tries.again(problem.cause, retry_after=problem.retry_after, costly=attempt.begun):
                if not shown:
                    raise self.endpoint.failure(problem, given_up=True)
                finish = "cut"
        mark = self._append(Message("assistant", shown))
        self._reply = Reply(shown, finish, self._usage(spent, time.monotonic() - spent.started), mark)

    def fork(self) -> ApiStream:
        """A copy that has heard and said the same."""
        copy = ApiStream(self.endpoint, self.head, self.seed, list(self.messages), self._start)
        copy._reply, copy._reply_tokens = self._reply, self._reply_tokens
        return copy

    def save(self, path: Path) -> None:
        """Write the conversation."""
        write_messages(path, self.head, self.messages, self._start)

    def load(self, path: Path) -> bool:
        """Restore a conversation with the same head, whatever the model."""
        found = read_messages(path, self.head)
        if found is None:
            return False
        self.messages, self._start = found
        self._reply = None
        return True

    def _append(self, message: Message) -> Mark:
        self.messages.append(message)
        return Mark(len(self.messages) - 1, len(self.messages))

    def _fit(self, aside: float = 0.0) -> Fitted:
        window = self.endpoint.window
        budget = window.budget(self._reply_tokens)
        if budget is not None:
            budget = int(budget * (1 - aside))
        return fit(Message("system", self.head), self.messages, budget, window.count, self._start)

    def _prepare(self, limits: SayLimits) -> Attempt:
        """Choose the messages and the fields of the next request."""
        fitted = self._fit()
        self._start = fitted.start
        dialect, window = self.endpoint.dialect, self.endpoint.window
        messages = to_wire(self.head, fitted.messages, system_role=dialect.system_role)
        prompt = sum(window.count(message["content"]) + 4 for message in messages)
        room = window.reply_room(prompt, limits.tokens)
        seed = self.seed or self.endpoint.sampling.seed
        fields = dialect.optional(self.endpoint.sampling, seed, limits, room)
        most = min(MOST_CHARS, limits.tokens * CHARS_PER_TOKEN_AT_MOST)
        return Attempt({"messages": messages, **fields}, ReplyText(limits.stop, most))

    def _attempt(self, attempt: Attempt, shown: str) -> Iterator[str]:
        """Make a request; yield what goes beyond `shown`, and note in the attempt how it went."""
        seen = ""
        try:
            for chunk in self.endpoint.chat(attempt.fields):
                attempt.begun = True
                attempt.told = chunk.usage or attempt.told
                attempt.finish = chunk.finish or attempt.finish
                seen += (ready := attempt.text.feed(chunk.text))
                if not (seen.startswith(shown) if len(seen) >= len(shown) else shown.startswith(seen)):
                    attempt.differs = True
                    return
                if new := ready[max(0, len(shown) - (len(seen) - len(ready))) :]:
                    yield new
                if attempt.text.ended:
                    return
        except Exception as error:
            attempt.problem = diagnose(error, attempt.optional)
            if attempt.problem is None:
                raise
            return
        rest = attempt.text.finish()
        seen += rest
        if new := rest[max(0, len(shown) - (len(seen) - len(rest))) :]:
            yield new

    def _verdict(self, attempt: Attempt, previous: str) -> Problem | None:
        """What is wrong with an attempt; None when it is a reply."""
        text, dialect = attempt.text.text, self.endpoint.dialect
        if attempt.problem is not None:
            return attempt.problem
        if attempt.differs:
            return Problem("retry", "the connection broke, and the repeated reply began differently")
        if attempt.text.ended:
            return None
        if attempt.finish is None:
            if text and (dialect.finish_unsaid or text == previous):
                # Twice the same text and no finish reason: this endpoint does not give one.
                dialect.finish_unsaid = True
                return None
            return Problem("retry", "the connection broke" if text else "an empty reply")
        if text:
            return None
        if attempt.finish == "length":
            return Problem(
                "fatal", "all tokens of the reply limit went by without a word (reasoning?)", fix=MORE_TOKENS
            )
        if attempt.finish == "content_filter":
            return Problem("fatal", "the endpoint's content filter withheld the reply", fix=FILTERED)
        return Problem("retry", "an empty reply")

    def _lesson(self, problem: Problem, attempt: Attempt, limits: SayLimits) -> bool:
        """Change the next request so that this problem goes away, if that is possible."""
        if problem.kind == "parameter":
            return self.endpoint.dialect.learn(problem, attempt.fields)
        if problem.kind == "context":
            messages = attempt.fields["messages"]
            characters = sum(len(message["content"]) for message in messages)
            # Twice, because a limit that was told may change nothing about what is sent; then trying does.
            for _ in range(2):
                smaller = self.endpoint.window.shrink(problem, characters, len(messages))
                if smaller and self._prepare(limits).fields != attempt.fields:
                    return True
        return False

    def _count(self, attempt: Attempt, spent: Spent) -> None:
        """Add what an attempt used: as reported, else estimated from the text."""
        messages, window = attempt.fields["messages"], self.endpoint.window
        characters = sum(len(message["content"]) for message in messages)
        told = attempt.told
        if told is not None and told["prompt"]:
            window.observe(characters, len(messages), told["prompt"])
        else:
            told = {
                "prompt": sum(window.count(message["content"]) + 4 for message in messages),
                "completion": window.count(attempt.text.text),
                "cached": 0,
            }
            spent.estimated = True
        spent.prompt += told["prompt"]
        spent.completion += told["completion"]
        spent.cached += told["cached"]

    def _usage(self, spent: Spent, seconds: float) -> Usage:
        return self.endpoint.usage(
            spent.prompt, spent.completion, spent.cached, estimated=spent.estimated, seconds=seconds
        )


def _finish(attempt: Attempt) -> Finish:
    if attempt.text.ended:
        return attempt.text.ended
    if attempt.finish == "length":
        return "length"
    return "cut" if attempt.finish == "content_filter" else "stop"
