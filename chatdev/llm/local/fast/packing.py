"""Weights in fp32, bf16, int8 or int4, in the layout that the kernels read.

int8: one scale a row, symmetric. int4: a scale and a minimum for each `GROUP` columns of a row, both bf16, so
4 + 32 / GROUP bits a weight; fitted by least squares. Activations are fp32, or 16-bit integers where the processor
multiplies those (`kernels.h`); never coarser. The head and the embedding
stay at int8 or better: the head is read once a token and carries the whole distribution.

Non-goals: calibration with data, formats of other programs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Precision = Literal["fp32", "bf16", "int8", "int4"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "int8", "int4")
LANES = 16
"""Rows of a block of the native layout."""
STEP = 4
"""Columns that the kernels take at once."""
GROUP = 32
"""Columns of an int4 weight that share a scale and a minimum."""

PARTS = ("qkv", "out", "gate", "up", "down")
"""The matrices of a layer."""
NARROW = 512
"""Hidden width below which int4 is too coarse for queries, keys, values and the way down."""


def for_part(precision: Precision | None, part: str, hidden: int) -> Precision | None:
    """What `precision` means for one part of a model: int4 leaves some in int8.

    The head always (see above). In a narrow model a row has only a few groups, and there is nothing to gain in speed
    either: on a trained one of width 64, int4 everywhere lost 6.7 % in perplexity, and this mixture 2.8 %.
    """
    if precision == "int4" and (part == "head" or (hidden < NARROW and part in ("qkv", "down"))):
        return "int8"
    return precision


def quantise8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """int8 [rows, columns] and fp32 scales [rows]."""
    w = weight.float()
    scale = w.abs().amax(1).clamp_min(1e-12) / 127
    return (w / scale[:, None]).round_().clamp_(-127, 127).to(torch.int8), scale


def quantise4(weight: Tensor, group: int = GROUP) -> tuple[Tensor, Tensor, Tensor]:
    """uint8 0..15 [rows, columns up to a multiple of group], bf16 scales and minima [rows, groups].

    weight = q * scale + minimum. Starts from the extremes of a group, then twice: the best scale and minimum for the
    rounded values, and the best rounding for those.
    """
    # A few rows at a time stay in the processor's own cache, which is three times faster.
    few = max(1, 2**18 // weight.shape[1])
    parts = [_quantise4(rows.float(), group) for rows in weight.split(few)]  # type: ignore[no-untyped-call]
    return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts]), torch.cat([p[2] for p in parts])


def _quantise4(weight: Tensor, group: int) -> tuple[Tensor, Tensor, Tensor]:
    w = functional.pad(weight, (0, -weight.shape[1] % group)).view(weight.shape[0], -1, group)
    low, high = w.amin(-1, keepdim=True), w.amax(-1, keepdim=True)
    scale = (high - low).clamp_min(1e-12) / 15
    mean_w = w.mean(-1, keepdim=True)
    best: tuple[Tensor, Tensor, Tensor] | None = None
    error = torch.full_like(low, torch.inf)
    for _ in range(3):
        s, m = scale.bfloat16(), low.bfloat16()
        q = ((w - m.float()) / s.float().clamp_min(1e-12)).round_().clamp_(0, 15)
        off = (q * s.float() + m.float() - w).square_().sum(-1, keepdim=True)
        if best is None:
            best = (q, s, m)
        else:
            better = off < error
            best = (torch.where(better, q, best[0]), torch.where(better, s, best[1]), torch.where(better, m, best[2]))
        error = torch.minimum(error, off)
        mean_q = q.mean(-1, keepdim=True)
        spread = (q - mean_q).square_().sum(-1, keepdim=True)
        slope = ((q - mean_q) * (w - mean_w)).sum(-1, keepdim=True) / spread.clamp_min(1e-12)
        scale = torch.where((spread > 0) & (slope > 0), slope, scale)
        low = mean_w - scale * mean_q
    assert best is not None
    q, s, m = best
    return q.to(torch.uint8).flatten(1), s[..., 0], m[..., 0]


def dequantise4(q: Tensor, scale: Tensor, low: Tensor) -> Tensor:
    """The fp32 weight that `quantise4` stands for, [rows, padded columns]."""
    grouped = q.view(*scale.shape, -1).float()
    whole: Tensor = (grouped * scale.float()[..., None] + low.float()[..., None]).flatten(1)
    return whole


@dataclass(frozen=True)
class Blocks:
    """A weight in blocks of 16 rows, as `kernels.h` says."""

    kind: int
    data: Tensor
    scale: Tensor | None
    rows: int
    columns: int
    """Filled up to a multiple of `STEP`, or of `GROUP` for int4."""

    @property
    def bytes(self) -> int:
        return self.data.nbytes + (0 if self.scale is None else self.scale.nbytes)


def to_blocks(weight: Tensor, precision: Precision) -> Blocks:
    """Pack [rows, columns]; rows are filled up with zeros."""
    rows, kind = weight.shape[0], PRECISIONS.index(precision)
    if precision == "int4":
        q, s, low = quantise4(weight)
        words = _words(_rows_up(q))
        pair = torch.stack([_lanes(s), _lanes(low)], 2).contiguous()
        return Blocks(kind, _lanes(words), pair, rows, q.shape[1])
    if weight.shape[1] % STEP:
        weight = functional.pad(weight, (0, -weight.shape[1] % STEP))
    columns = weight.shape[1]
    if precision == "int8":
        q, scale = quantise8(weight)
        pairs = _lanes(q.contiguous().view(torch.int16))
        return Blocks(kind, pairs, _rows_up(scale).contiguous(), rows, columns)
    if precision == "bf16":
        pairs = _lanes(weight.bfloat16().contiguous().view(torch.int32))
        return Blocks(kind, pairs, None, rows, columns)
    return Blocks(kind, _lanes(weight.float()), None, rows, columns)


def _words(q: Tensor) -> Tensor:
    """Eight neighbouring nibbles to an int32: four pairs, the even column low, the odd one 16 bits above."""
    eight = q.view(q.shape[0], -1, 8)
    word = torch.zeros(eight.shape[:2], dtype=torch.int32)
    for j in range(8):
        word |= eight[..., j].to(torch.int32) << (4 * (j // 2) + 16 * (j % 2))
    return word


def _rows_up(x: Tensor) -> Tensor:
    """Zero rows up to a multiple of the lanes; as it is where that is reached, for padding by nothing copies."""
    return x if x.shape[0] % LANES == 0 else functional.pad(x, (0, 0) * (x.ndim - 1) + (0, -x.shape[0] % LANES))


def _lanes(x: Tensor) -> Tensor:
    """[rows, columns] to [blocks, columns, lanes]."""
    return _rows_up(x).view(-1, LANES, x.shape[1]).transpose(1, 2).contiguous()
