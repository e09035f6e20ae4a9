"""Several streams decoded together: every window has the same shape, so a batch of them is a rectangle.

The windows lie as rows in shared buffers, their newest tokens in the same column, so that a step appends one column
and attends over a slice of the buffers; rows that hold less are masked at their beginning. Each row keeps its own
bookkeeping: it evicts, walks and rebases as it would alone, and says what it would say alone. Reading the weights
once for all rows is what makes it pay.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from chatdev.llm.base import SayLimits
from chatdev.llm.local.cache import SinkCache
from chatdev.llm.local.layer import SinkLayer
from chatdev.llm.local.memory import Joint, SinkMemory
from chatdev.llm.local.turn import Turn

if TYPE_CHECKING:
    from chatdev.llm.local.model import LocalModel
    from chatdev.llm.local.stream import LocalStream


class _Columns(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """One layer of all rows: [rows, kv heads, capacity, head dim] twice."""

    is_sliding = False
    keys: Tensor
    values: Tensor

    def __init__(self, rectangle: Rectangle, keys: Tensor, values: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.rectangle, self.keys, self.values, self.is_initialized = rectangle, keys, values, True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """The buffers were made with the rows."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        end, width = self.rectangle.end, self.rectangle.width
        self.keys[:, :, end : end + 1] = key_states
        self.values[:, :, end : end + 1] = value_states
        held = slice(end - width, end + 1)
        return self.keys[:, :, held], self.values[:, :, held]

    def get_seq_length(self) -> int:
        return self.rectangle.width

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.rectangle.width + query_length, 0

    def get_max_length(self) -> int:
        return -1


class Rectangle:
    """The windows of several streams as rows; `feed` runs one token of each.

    Args:
        joint: the forward of one token a row.
        caches: one sink cache per row, all of the same total, block and layers; they are copied.
    """

    def __init__(self, joint: Joint, caches: list[SinkCache]) -> None:
        self.joint, self.device = joint, caches[0].device
        plan = caches[0].plan
        self.total, self.capacity = plan.total, plan.standard
        self.end = self.total
        self.width = 0
        """Columns held by the fullest row."""
        size = len(caches)
        layers: list[_Columns] = []
        for layer in caches[0].sink_layers:
            keys = layer.keys.new_zeros((size, layer.keys.shape[1], self.capacity, layer.keys.shape[3]))
            values = layer.values.new_zeros((size, layer.values.shape[1], self.capacity, layer.values.shape[3]))
            layers.append(_Columns(self, keys, values))
        self.cache = Cache(layers=[*layers])
        self.columns = layers
        self.rows = [self._row(i, cache) for i, cache in enumerate(caches)]

    def _row(self, index: int, cache: SinkCache) -> SinkCache:
        plan = replace(cache.plan, start=self.end - cache.plan.held, capacity=self.capacity)
        row = copy.copy(cache)
        row.plan = plan
        row.layers = []
        for columns, layer in zip(self.columns, cache.sink_layers, strict=True):
            twin = SinkLayer(plan, layer.rope, layer.index)
            twin.dtype, twin.device, twin.is_initialized = layer.dtype, layer.device, True
            # Views of one row: what the row's own bookkeeping moves is moved in the shared buffers.
            twin.keys, twin.values = columns.keys[index : index + 1], columns.values[index : index + 1]
            twin.pristine = layer.pristine
            keys, values = layer.view()
            twin.keys[:, :, plan.start : self.end], twin.values[:, :, plan.start : self.end] = keys, values
            row.layers.append(twin)
        return row

    def feed(self, tokens: list[int]) -> Tensor:
        """Run one token of every row; logits [rows, vocabulary]."""
        if self.end + 1 > self.capacity:
            self._to_front()
        for row in self.rows:
            row.begin(1)
        self.width = max(row.plan.held for row in self.rows)
        logits = self.joint(torch.tensor(tokens, device=self.device)[:, None], self)
        for row in self.rows:
            row.commit(1)
        self.end += 1
        return logits

    def positions(self) -> list[int]:
        """The live position of each row's next token."""
        return [row.plan.seen - row.plan.offset for row in self.rows]

    def starts(self) -> list[int]:
        """The first column that each row holds."""
        return [self.end - row.plan.held for row in self.rows]

    def mask(self) -> Tensor | None:
        """What each row's next token may attend to, bool [rows, 1, 1, width + 1]; None when all rows are full."""
        held = [row.plan.held for row in self.rows]
        if min(held) == self.width:
            return None
        column = torch.arange(self.width + 1, device=self.device)
        first = self.width - torch.tensor(held, device=self.device)
        return (column >= first[:, None])[:, None, None]

    def _to_front(self) -> None:
        first = self.end - self.total
        for layer in self.columns:
            for buffer in (layer.keys, layer.values):
                buffer[:, :, : self.total] = buffer[:, :, first : self.end].clone()
        self.end = self.total
        for row in self.rows:
            row.plan.start = self.end - row.plan.held


def can_join(stream: LocalStream) -> bool:
    """True when the window of a stream can be a row: nothing but sink layers, and something in them."""
    memory = stream.memory
    return isinstance(memory, SinkMemory) and memory.can_rewind


def say_together(model: LocalModel, asked: list[tuple[LocalStream, SayLimits]]) -> Iterator[tuple[int, str]]:
    """Let several streams of one model reply at once; yields (index in `asked`, piece of its reply).

    Each stream says what it would say alone. A caller that stops listening ends all replies, with finish `cut`.
    """
    turns = [Turn(stream, limits) for stream, limits in asked]
    try:
        for index, turn in enumerate(turns):
            turn.begin()
            yield from _shown(index, turn)
        together = [i for i, turn in enumerate(turns) if not turn.done and can_join(turn.stream)]
        while len(together) > 1:
            group = [turns[i] for i in together]
            yield from _decode(model, group, together)
            together = [i for i in together if not turns[i].done]
        for index, turn in enumerate(turns):
            while not turn.done:
                ids = turn.want()
                turn.take(turn.stream.memory.feed(ids, len(turn.draft) + 1))
                yield from _shown(index, turn)
    finally:
        rests = [turn.end() for turn in turns]
    yield from ((i, rest) for i, rest in enumerate(rests) if rest)


def _decode(model: LocalModel, turns: list[Turn], names: list[int]) -> Iterator[tuple[int, str]]:
    """Steps of one rectangle until one of its rows is done; then the rows go back to their streams."""
    memories = [turn.stream.memory for turn in turns]
    rectangle = Rectangle(model.joint, [m.cache for m in memories if isinstance(m, SinkMemory)])
    for turn, row in zip(turns, rectangle.rows, strict=True):
        turn.stream.memory = SinkMemory(model.run, row)
    try:
        while not any(turn.done for turn in turns):
            logits = rectangle.feed([turn.want(guess=False)[0] for turn in turns])
            for i, turn in enumerate(turns):
                turn.take(logits[i : i + 1])
            for name, turn in zip(names, turns, strict=True):
                yield from _shown(name, turn)
    finally:
        for turn, row in zip(turns, rectangle.rows, strict=True):
            turn.stream.memory = SinkMemory(model.run, row.fork())


def _shown(index: int, turn: Turn) -> Iterator[tuple[int, str]]:
    if piece := turn.show():
        yield index, piece
