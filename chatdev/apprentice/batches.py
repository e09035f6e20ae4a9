"""Batches of streams: short ones first, drills always, rows of like length together.

Everything follows from the seed and the number of the chunk, so a resumed training sees the same batches.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chatdev.apprentice.drills import drill
from chatdev.apprentice.shards import Rows
from chatdev.apprentice.streams import READ, SETTING, VALUE, Row, Spelling

LISTS = 0.9
"""Of all drills, those that are settings of lessons, where there are any."""
LIST = 320
"""Tokens of such a drill that are never cut off."""
LEAST = 0.1
"""How often a row is taken of which hardly anything is learned, against one of which all is."""
CHUNK = 24
"""Batches that are made together."""
ROUND = 16
"""Lengths are padded to a multiple of this, so that few shapes occur."""


@dataclass(frozen=True)
class Mix:
    """What a training is fed."""

    tokens: int
    """Tokens of a batch, padding included."""
    drills: float = 0.35
    """Of all rows, those that are drills, from `grown` on."""
    alone: float = 0.0
    """Of the whole training, the beginning in which there are drills only."""
    shortest: int = 384
    """Longest row at the beginning."""
    longest: int = 4096
    """Longest row from `grown` on."""
    grown: float = 0.3
    """Of the whole training, when rows have their full length."""
    emphasis: float = 2.0
    """Weight of a token that spells a value of the task or belongs to a line of settings."""
    opening: float = 1.0
    """Weight of the first token of a reply: what it decides is hardly asked again by what follows."""
    built: float = 0.25
    """Of the rows that are no drills, those that are programs without what is asked, where there are any."""

    def drilled(self, progress: float) -> float:
        """The share of drills at this point of the training: all of it first, then falling until rows are whole."""
        if progress < self.alone:
            return 1.0
        left = 1 - (progress - self.alone) / (self.grown - self.alone) if progress < self.grown else 0.0
        return self.drills + (1 - self.drills) * left if self.alone else self.drills

    def length(self, progress: float) -> int:
        """Longest row at this point of the training, 0 to 1."""
        part = min(1.0, progress / self.grown) if self.grown else 1.0
        return int(self.shortest * (self.longest / self.shortest) ** part)


@dataclass(frozen=True)
class Material:
    """What batches are made from."""

    dialogues: Rows
    lists: Rows | None = None
    """Settings to be drilled, beside what needs no lesson."""
    programs: Rows | None = None
    """Programs without what is asked."""


Packed = tuple[tuple[np.ndarray[Any, Any], ...], int]


@dataclass
class Batch:
    """Rows side by side."""

    ids: Tensor
    """[rows, length]"""
    weights: Tensor
    """[rows, length]: of each token in the loss; 0 for what is only read."""
    kinds: Tensor
    before: Tensor
    """[learned]: places in the flat batch behind each of which stands a token that is learned."""
    sinks: Tensor
    tokens: int
    """Tokens without padding."""

    def to(self, device: torch.device) -> Batch:
        """The same elsewhere, but for `sinks`."""
        if device.type != "cuda":
            return self
        found = (self.ids, self.weights, self.kinds, self.before)
        ids, weights, kinds, before = (one.pin_memory().to(device, non_blocking=True) for one in found)
        return Batch(ids, weights, kinds, before, self.sinks, self.tokens)

    def packed(self) -> Packed:
        """Arrays: sent between processes, every tensor would keep a file open."""
        return tuple(one.numpy() for one in (self.ids, self.weights, self.kinds, self.before, self.sinks)), self.tokens

    @classmethod
    def unpacked(cls, packed: Packed) -> Batch:
        """The batch that was packed."""
        arrays, tokens = packed
        ids, weights, kinds, before, sinks = map(torch.from_numpy, arrays)
        return cls(ids, weights, kinds, before, sinks, tokens)


def chunk(
    material: Material, spelling: Spelling, mix: Mix, seed: int, number: int, progress: float, pad: int
) -> list[Batch]:
    """The batches of chunk `number`."""
    rng = random.Random(f"{seed}/{number}/chunk")
    limit, drilled = mix.length(progress), mix.drilled(progress)
    chosen: list[tuple[np.ndarray, np.ndarray, int]] = []
    room = mix.tokens * CHUNK
    while room > 0:
        if rng.random() >= drilled:
            programs = material.programs if rng.random() < mix.built else None
            one = _taught(programs or material.dialogues, rng, limit)
        elif material.lists is not None and rng.random() < LISTS:
            one = _cut(material.lists, rng.randrange(len(material.lists)), max(limit, LIST))
        else:
            one = _drill(material.dialogues, spelling, rng, limit)
        if one is not None:
            chosen.append(one)
            room -= len(one[0])
    chosen.sort(key=lambda one: len(one[0]))
    found = list(_packed(chosen, mix, pad))
    rng.shuffle(found)
    return found


def every(rows: Rows, mix: Mix, pad: int) -> list[Batch]:
    """All rows once, for measuring."""
    taken = [(_part(rows.ids, rows, at), _part(rows.kinds, rows, at), int(rows.sinks[at])) for at in range(len(rows))]
    return list(_packed(sorted(taken, key=lambda one: len(one[0])), mix, pad))


def _part(array: np.ndarray, rows: Rows, at: int) -> np.ndarray:
    return array[rows.starts[at] : rows.starts[at + 1]]


def _taught(rows: Rows, rng: random.Random, limit: int) -> tuple[np.ndarray, np.ndarray, int] | None:
    """A row of the lessons, the more often the more of it is learned; None when none was found."""
    for _ in range(100):
        one = _cut(rows, rng.randrange(len(rows)), limit)
        if one is not None and rng.random() < max(LEAST, np.count_nonzero(one[1]) / len(one[1])):
            return one
    return None


def _cut(rows: Rows, at: int, limit: int) -> tuple[np.ndarray, np.ndarray, int] | None:
    """A row, cut behind the last token within the limit that is learned; None when there is none."""
    learned = np.flatnonzero(_part(rows.kinds, rows, at)[:limit])
    if not len(learned) or rows.sinks[at] >= limit:
        return None
    end = int(learned[-1]) + 1
    return _part(rows.ids, rows, at)[:end], _part(rows.kinds, rows, at)[:end], int(rows.sinks[at])


def _drill(rows: Rows, spelling: Spelling, rng: random.Random, limit: int) -> tuple[np.ndarray, np.ndarray, int]:
    """A drill no longer than half a window, with a piece of some dialogue as filler."""
    longest = min(limit, int(48 * 2 ** (rng.random() * 4.5)))
    at = rng.randrange(len(rows))
    piece = _part(rows.ids, rows, at)[:longest]
    filler = spelling.speller.tokenizer.decode(piece.tolist(), skip_special_tokens=True) if longest > 150 else ""
    row: Row = drill(spelling, rng, longest, filler)
    kinds = np.asarray(row.kinds(), dtype=np.uint8)
    return np.asarray(row.ids, dtype=rows.ids.dtype), kinds, row.sinks


def _packed(chosen: list[tuple[np.ndarray, np.ndarray, int]], mix: Mix, pad: int) -> Iterator[Batch]:
    """Batches of rows in the order given; sorted by length there is little padding."""
    at = 0
    while at < len(chosen):
        end = at + 1
        while end < len(chosen) and _padded(len(chosen[end][0])) * (end + 1 - at) <= mix.tokens:
            end += 1
        yield _batch(chosen[at:end], mix, pad)
        at = end


def _padded(length: int) -> int:
    return -(-length // ROUND) * ROUND


def _batch(chosen: list[tuple[np.ndarray, np.ndarray, int]], mix: Mix, pad: int) -> Batch:
    width = _padded(max(len(ids) for ids, _, _ in chosen))
    ids = np.full((len(chosen), width), pad, dtype=np.int64)
    kinds = np.zeros((len(chosen), width), dtype=np.uint8)
    for row, (tokens, kind, _) in enumerate(chosen):
        ids[row, : len(tokens)], kinds[row, : len(kind)] = tokens, kind
    weights = np.where(kinds == READ, 0.0, np.where((kinds == VALUE) | (kinds == SETTING), mix.emphasis, 1.0))
    opens = kinds != READ
    opens[:, 1:] &= kinds[:, :-1] == READ
    weights[opens] = mix.opening
    weights[:, 0] = 0  # nothing stands before it
    return Batch(
        torch.from_numpy(ids),
        torch.from_numpy(weights.astype(np.float32)),
        torch.from_numpy(kinds),
        torch.from_numpy(np.flatnonzero(weights) - 1),
        torch.tensor([pinned for _, _, pinned in chosen]),
        sum(len(one) for one, _, _ in chosen),
    )
