"""The task in numbered pieces: a sentence, an item, a clause each, so that none of them is passed over.

Whoever analyses a task goes through it piece by piece and says behind each what it tells. A piece is cut where a clause
begins, never within quotes; all pieces behind one another are the task.
"""

from __future__ import annotations

import re

LONGEST = 2_000
"""Characters of a task up to which it is cut: a whole specification is not said twice."""
_QUOTED = r"\"[^\"\n]*\""
_BEGINS = r"and|based|called|having|named|that|titled|using|where|which|with|without"
_CUT = re.compile(rf"{_QUOTED}|(?<=[.,:;!?])\s+|\n+| (?=(?:{_BEGINS})\b)")


def pieces(task: str) -> list[str]:
    """The pieces of a task without the blanks between them; none when it is too long."""
    if len(task) > LONGEST:
        return []
    cuts = [found for found in _CUT.finditer(task) if not found[0].startswith('"')]
    ends = [*(found.start() for found in cuts), len(task)]
    starts = [0, *(found.end() for found in cuts)]
    return [part for start, end in zip(starts, ends, strict=True) if (part := task[start:end].strip())]


def numbered(task: str) -> str:
    """The pieces of a task, one line each: `1: Build a snake game`."""
    return "\n".join(f"{number}: {piece}" for number, piece in enumerate(pieces(task), 1))
