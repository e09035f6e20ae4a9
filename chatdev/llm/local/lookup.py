"""Drafts from the stream's own text: what followed the last time these tokens stood in a row.

A reply that rewrites a file repeats most of it, so the next tokens are often known (prompt lookup decoding, Saxena
2023; the verification keeps the output as it is, Leviathan et al., arXiv 2211.17192). Nothing here touches the
model: `draft` proposes, `told` hears what was accepted and sets how far and how often to propose.

The index is a table of fixed size, made once, so that a stream of any length takes the same memory: places that fall
out of it, or share a row by chance, only cost a draft.
"""

from __future__ import annotations

from array import array

from chatdev.llm.local.tape import Tape

GRAM = 3
"""Tokens that must agree before anything is proposed."""
SHORT = 2
"""Tokens that are enough near the place that was copied last."""
NEAR = 48
"""How far from the last place that is."""
LONGEST = 24
FIRST = 5
MATCH = 16
"""Longest agreement that is compared to choose among places."""
PLACES = 4
"""Places remembered in one row of the index."""
STATE = ("proposed", "accepted", "_length", "_failures", "_pause", "_copy")
"""Attributes that decide what is drafted next, besides the tokens themselves."""


class Lookup:
    """Index of one stream's recent tokens.

    Args:
        tape: where the tokens are; the stream appends to it.
    """

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.proposed = self.accepted = 0
        self._rows = 1 << (2 * tape.keep - 1).bit_length()
        self._clear()
        self._length = FIRST
        self._failures = 0
        self._pause = 0
        self._copy: int | None = None
        """Position in the stream that the next token would be copied from, while copying goes well."""

    def draft(self, most: int) -> list[int]:
        """At most `most` tokens that may come next; often none."""
        if self._pause > 0:
            self._pause -= 1
            return []
        size = min(most, self._length)
        if size < 1:
            return []
        self._index()
        place = self._following() or self._best()
        if place is None:
            return []
        self._copy = place
        return self.tape.since(place)[:size]

    def told(self, proposed: int, accepted: int) -> None:
        """`accepted` of `proposed` tokens were right."""
        self.proposed += proposed
        self.accepted += accepted
        if self._copy is not None:
            # One more token came that was chosen by the model itself.
            self._copy += accepted + 1
        if accepted == proposed:
            self._length = min(2 * self._length, LONGEST)
            self._failures = 0
            return
        self._length = max(FIRST, accepted) if accepted else max(2, self._length // 2)
        self._failures = 0 if accepted else self._failures + 1
        if self._failures >= 2:
            # Text with nothing to copy: ask ever more rarely, so that guessing costs nothing that can be seen.
            self._pause = min(8 << self._failures, 256)
            self._copy = None

    def rate(self) -> float:
        """Share of the proposed tokens that were right; 0 when none was proposed."""
        return self.accepted / self.proposed if self.proposed else 0.0

    def copy(self, tape: Tape) -> Lookup:
        """The same for a fork's tape; its index is made when it is needed."""
        twin = Lookup(tape)
        twin.proposed, twin.accepted = self.proposed, self.accepted
        return twin

    def state(self) -> dict[str, int | None]:
        """What a snapshot has to hold for the same drafts to be made again; the index is made anew."""
        return {name: getattr(self, name) for name in STATE}

    def restore(self, state: dict[str, int | None]) -> None:
        """Go on as the one whose `state` this was."""
        for name in STATE:
            value = state[name]
            if type(value) is not int and not (value is None and name == "_copy"):
                raise ValueError(f"{name} of its drafts is {value!r}")
            setattr(self, name, value)

    def forget(self) -> None:
        """Tokens were taken off the tape: index again."""
        self._clear()
        self._copy = None

    def _clear(self) -> None:
        self._places = array("q", bytes(8 * PLACES * self._rows))
        """For each row (a hash of GRAM tokens) the newest positions that such tokens stand before."""
        self._indexed = 0

    def _index(self) -> None:
        tape, places = self.tape, self._places
        ids, shift = tape.ids, tape.start
        # The last tokens themselves are not indexed: nothing follows them yet.
        for end in range(max(self._indexed, shift + GRAM), tape.total):
            row = self._row(ids, end - shift)
            places[row + 1 : row + PLACES] = places[row : row + PLACES - 1]
            places[row] = end
        self._indexed = max(self._indexed, tape.total)

    def _row(self, ids: list[int], end: int) -> int:
        """Where the index keeps the places behind the tokens before `end`."""
        mixed = (ids[end - 3] * 0x9E3779B1 + ids[end - 2]) * 0x85EBCA77 + ids[end - 1]
        return PLACES * ((mixed ^ mixed >> 15) % self._rows)

    def _following(self) -> int | None:
        """Where copying goes on: at the expected place, or near it when a few tokens were changed."""
        at, tape = self._copy, self.tape
        if at is None or at <= tape.start + SHORT or at >= tape.total:
            return None
        if self._agreement(at) >= SHORT:
            return at
        last = tape.ids[-SHORT:]
        for distance in range(1, NEAR):
            for place in (at + distance, at - distance):
                begin = place - SHORT - tape.start
                if begin >= 0 and place < tape.total and tape.ids[begin : begin + SHORT] == last:
                    return place
        return None

    def _best(self) -> int | None:
        tape, ids = self.tape, self.tape.ids
        if len(ids) < GRAM:
            return None
        row = self._row(ids, len(ids))
        known = [p for p in self._places[row : row + PLACES] if tape.start + GRAM <= p < tape.total]
        found = [(self._agreement(p), p) for p in known]
        # The newest of the longest agreements.
        agreement, place = max(found, default=(0, 0))
        return place if agreement >= GRAM else None

    def _agreement(self, place: int) -> int:
        """How many tokens before `place` agree with the newest ones, up to MATCH."""
        ids, at, end = self.tape.ids, place - self.tape.start, len(self.tape.ids)
        count = 0
        while count < MATCH and count < at and ids[at - 1 - count] == ids[end - 1 - count]:
            count += 1
        return count
