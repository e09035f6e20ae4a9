"""One reply in the making: which tokens to run next, what their logits mean, what may be shown.

Kept apart from the loop that runs the model, so that one stream alone and several in a batch go the same way.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from torch import Tensor

from chatdev.llm.base import Finish, Mark, Reply, SayLimits, Usage
from chatdev.llm.local.token_text import TokenText
from chatdev.llm.reply_text import ReplyText

if TYPE_CHECKING:
    from chatdev.llm.local.stream import LocalStream

_LAST_WORD = re.compile(r"\S{0,40}\Z")


class Turn:
    """The state of one reply of `stream`. Call `begin`, then `want` and `take` until `done`, then `end`."""

    def __init__(self, stream: LocalStream, limits: SayLimits) -> None:
        self.stream, self.limits = stream, limits
        self.started = time.monotonic()
        model = stream.model
        self.text = ReplyText((*limits.stop, *model.chat.stops))
        self.pieces = TokenText(model.tokenizer)
        self.ids: list[int] = []
        self.draft: list[int] = []
        self.done: Finish | None = "length" if limits.tokens < 1 else None
        self._unshown = ""
        self._word = ""
        self.fresh = 0
        self.first = 0
        """Place of the reply's first token in the stream."""

    def begin(self) -> None:
        """Put the marker of the reply on the tape and run all that was heard since."""
        stream = self.stream
        stream.put(stream.model.speller.asked())
        self.first = stream.tape.total
        self.fresh = stream.waiting
        if self.done is None:
            self.take(stream.run_waiting())

    def want(self, *, guess: bool = True) -> list[int]:
        """The tokens to run next: the one chosen last, and a draft of those behind it."""
        stream = self.stream
        self.draft = []
        if guess and stream.lookup is not None:
            room = min(stream.memory.plan.room - 1, self.limits.tokens - len(self.ids) - 1)
            self.draft = stream.lookup.draft(room)
        return [*stream.tape.since(stream.memory.plan.seen), *self.draft]

    def take(self, logits: Tensor) -> None:
        """Logits [rows, vocabulary] behind the last certain token and behind each token of the draft."""
        stream, draft = self.stream, self.draft
        place = stream.tape.total
        chosen = stream.sampler.accept(logits, place, draft, stream.recent() if stream.penalises else [])
        agreed = len(chosen) - 1
        if draft and stream.lookup is not None:
            stream.lookup.told(len(draft), agreed)
        kept = 0
        for token in chosen:
            if token in stream.model.ends:
                self.done = "stop"
                break
            kept += 1
            stream.tape.extend([token])
            self.ids.append(token)
            self._unshown += self.text.feed(self.pieces.add(token))
            self.done = self.text.ended or ("length" if len(self.ids) >= self.limits.tokens else None)
            if self.done:
                break
        if draft:
            stream.memory.step_back(len(draft) - min(kept, agreed))
        self.draft = []

    def show(self) -> str:
        """What can be shown by now, up to the last word boundary."""
        whole = self._word + self._unshown
        self._unshown = ""
        cut = len(whole)
        if not self.done and (match := _LAST_WORD.search(whole)):
            # A run of more than forty characters without a blank is shown as it comes.
            cut = match.start() if match.start() or len(whole) <= 40 else cut
        self._word = whole[cut:]
        return whole[:cut]

    def end(self) -> str:
        """Close the reply, also one that was broken off; what was not shown yet."""
        stream = self.stream
        cut = self.done is None
        self.done = self.done or "cut"
        if not cut:
            self._unshown += self.text.feed(self.pieces.rest()) + self.text.finish()
        rest = self.show()
        if self.text.ended == "stop":
            self._trim()
        seconds = time.monotonic() - self.started
        usage = Usage(self.fresh, len(self.ids), 0, money=0.0, seconds=seconds)
        stream.ended(Reply(self.text.text, self.done, usage, Mark(self.first, stream.tape.total)))
        return rest

    def _trim(self) -> None:
        """Take the tokens off the stream that only made up the stop string."""
        stream, said = self.stream, self.text.text
        if not stream.memory.can_rewind:
            return
        extra = 0
        while extra < len(self.ids) and self._spelled(len(self.ids) - extra - 1).startswith(said):
            extra += 1
        stream.take_off(extra)

    def _spelled(self, count: int) -> str:
        text: str = self.stream.model.tokenizer.decode(
            self.ids[:count], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text
