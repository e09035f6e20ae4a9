"""Which tokens a stream still holds, and where: the bookkeeping of a sink cache, without any tensor.

The first `sinks` tokens are pinned. Behind them stand at most `window` recent tokens. When the window is
full, the next token first evicts the `block` oldest recent ones, so what is held depends on the number of
tokens seen and on nothing else, provided that no chunk is longer than `room` (which ends at the next
eviction), or that a longer one, up to `reach`, goes by `stages` (see `stages.py`).

Positions. *Logical* positions count the tokens of the stream. The rotary embedding sees *live* positions,
`logical - offset`: fp32 angles lose precision as they grow, so the offset is raised ("rebase") before live
positions pass `limit`. Recent tokens keep their live positions; only the sinks move, to stand right before
the oldest recent token ("walking sinks"), which gives every query the distances of StreamingLLM's
positions-inside-the-cache (Xiao et al., arXiv 2309.17453, section 3.2).

Columns. The held tokens lie side by side in a buffer of `capacity` columns, from `start`. An eviction moves
`start` by the evicted count and the sinks are written over the freed columns; only when the end of the buffer
is reached are the held tokens moved to its front.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Moves:
    """What the layers have to do before the next tokens come in; applied in the order of the fields."""

    evict: int = 0
    """Oldest recent tokens to drop."""
    shift: int = 0
    """Distance by which recent keys are turned back (rebase)."""
    compact: bool = False
    """Move the held tokens to the front of the buffer."""
    resize: int = 0
    """New number of columns of the buffer; 0 leaves it."""


@dataclass
class Window:
    """The state of one stream's window. All counts are tokens."""

    sinks: int
    window: int
    block: int
    limit: int
    """No live position may reach this number, as long as chunks are not longer than `room`."""
    seen: int = 0
    evicted: int = 0
    offset: int = 0
    start: int = 0
    capacity: int = 0

    def __post_init__(self) -> None:
        if self.sinks < 0 or self.window < 1:
            raise ValueError(f"a window needs sinks >= 0 and window >= 1, not {self.sinks} and {self.window}")
        if not 1 <= self.block <= self.window:
            raise ValueError(f"block must be between 1 and the window of {self.window}, not {self.block}")
        if self.limit < self.total + self.block:
            raise ValueError(
                f"{self.sinks} sinks and a window of {self.window} need {self.total + self.block} positions, "
                f"the model has {self.limit}"
            )
        self.capacity = self.capacity or self.standard

    @property
    def total(self) -> int:
        """Most tokens held at once."""
        return self.sinks + self.window

    @property
    def standard(self) -> int:
        """Columns of the buffer in ordinary use: the window and slack, so that compacting is rare and a prompt may
        run over evictions.
        """
        return self.total + max(2 * self.block, min(64, self.total))

    @property
    def held(self) -> int:
        return self.seen - self.evicted

    @property
    def walk(self) -> int:
        """Distance between the sinks' live positions and the positions they were born at."""
        return self.evicted - self.offset

    @property
    def room(self) -> int:
        """Tokens that may come in at once so that the result is the same as one by one; at least 1."""
        return self.total - self.held if self.held < self.total else self.block

    @property
    def reach(self) -> int:
        """Tokens that may come in at once when evictions on the way are taken as `stages`; at least `room`.

        Bounded by the buffer, by the live positions, and by the columns that each stage's sinks take.
        """
        full = self.held >= self.total
        held = self.total - self.block if full else self.held
        # Once the window is full, the eviction at the beginning turns the positions back if need be.
        position = held if full else self.seen - self.offset
        room = self.total - held
        stages = min((self.limit - position - room) // self.block, self.total // 2 // max(1, self.sinks))
        return max(self.room, min(room + max(0, stages) * self.block, self.standard - held))

    def stages(self, coming: int) -> list[int]:
        """For each eviction on the way of a chunk, how many of its tokens come before it; valid after `begin`."""
        return list(range(self.total - self.held, coming, self.block))

    def holds(self, start: int, end: int, upcoming: int = 0) -> bool:
        """True when every token of [start, end) is held, once `upcoming` more tokens have come in."""
        gone = self.gone(self.seen + upcoming)
        return end <= self.sinks or start >= self.sinks + gone or start >= end or gone == 0

    def keeps(self, start: int, end: int, waiting: int = 0) -> bool:
        """True when [start, end) may be counted on: it is still held when half a window more has come in, as the next
        prompt and its reply will."""
        return self.holds(start, end, waiting + self.total // 2)

    def gone(self, seen: int) -> int:
        """Tokens evicted after `seen` in all came in."""
        over = seen - self.total
        return max(self.evicted, -(-over // self.block) * self.block if over > 0 else 0)

    def pin(self, sinks: int) -> None:
        """Change how many tokens are pinned, the total staying the same; only before the first eviction.

        Raises:
            ValueError: something was evicted, or the rest is too small for a window.
        """
        if self.evicted:
            raise ValueError("sinks cannot change after the first eviction")
        if not 0 <= sinks <= self.total - self.block:
            raise ValueError(f"{sinks} pinned tokens leave no window of {self.block} in a total of {self.total}")
        self.sinks, self.window = sinks, self.total - sinks

    def begin(self, coming: int) -> Moves:
        """Make room for `coming` tokens and say what has to be moved. Safe to repeat when a forward
        failed.
        """
        evict = 0
        if coming and self.held >= self.total:
            evict = -(-(self.held - self.total + 1) // self.block) * self.block
            self.evicted += evict
            self.start += evict
        shift = 0
        # Positions are counted up to the end of the last block that these tokens begin.
        if evict and self.seen - self.offset + -(-coming // self.block) * self.block > self.limit:
            shift = self.walk
            self.offset = self.evicted
        need = self.held + coming
        resize = 0
        if need > self.capacity:
            resize = need
        elif self.capacity > self.standard >= need:
            resize = self.standard
        self.capacity = resize or self.capacity
        compact = bool(resize) or self.start + need > self.capacity
        if compact:
            self.start = 0
        return Moves(evict, shift, compact, resize)

    def commit(self, came: int) -> None:
        """The tokens announced by `begin` are in."""
        self.seen += came

    def leave(self, stages: int) -> Moves:
        """Evict a block for each stage that the tokens just committed went through."""
        evict = stages * self.block
        self.evicted += evict
        self.start += evict
        return Moves(evict)

    def step_back(self, tokens: int) -> None:
        """Take back the newest tokens. Evicted ones do not return.

        Raises:
            ValueError: more tokens than are held behind the sinks.
        """
        most = self.held - self.sinks if self.evicted else self.seen
        if not 0 <= tokens <= most:
            raise ValueError(f"cannot step back {tokens} tokens, {most} are held")
        self.seen -= tokens
