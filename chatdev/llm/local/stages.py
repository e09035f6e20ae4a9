"""A prompt that crosses evictions, in one forward: every query is shown exactly what it would have held.

Cutting a prompt where the window evicts is exact, but each piece streams all weights through the processor again. A
chunk of several *stages* is exact as well (between two evictions lies one stage): recent tokens are masked for the
queries behind their eviction, and since the sinks walk at every eviction, each later stage has a copy of them, rotated
to where they stand then, behind the other columns. Columns of one layer:

    sinks | recent tokens and the new ones | sinks of stage 1 | sinks of stage 2 | ...

What was evicted on the way leaves the buffer when the forward is through (`SinkCache.commit`). Only for models all of
whose layers keep sinks, with an attention that takes a mask for every query.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from chatdev.llm.local.window import Window

MASKED = ("sdpa", "packed_sdpa", "eager")
"""Kinds of attention that take a mask [batch, 1, queries, columns] as it is."""


def stage_mask(plan: Window, coming: int, device: Any) -> Tensor:
    """What each of `coming` tokens sees, bool [1, 1, coming, columns]; valid after `plan.begin(coming)`."""
    begins = torch.tensor(plan.stages(coming), device=device)
    query = torch.arange(coming, device=device)
    stage = (query[:, None] >= begins).sum(1)
    column = torch.arange(plan.held + coming, device=device)
    pinned = column < plan.sinks
    oldest = plan.sinks + stage * plan.block
    seen = torch.where(pinned, stage[:, None] == 0, column >= oldest[:, None])
    seen &= column <= plan.held + query[:, None]
    of_stage = torch.arange(1, len(begins) + 1, device=device).repeat_interleave(plan.sinks)
    return torch.cat([seen, stage[:, None] == of_stage], 1)[None, None]


def added(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask in the form that is added to the scores."""
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, torch.finfo(dtype).min)
