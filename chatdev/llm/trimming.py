"""Which messages of a long dialogue are sent: the pinned head, and as much of the newest tail as fits.

When the tail has to be shortened it is shortened by a quarter of the budget more than needed, so that the
start of what is sent stays the same for the next calls: endpoints charge less for a prefix that they have
seen before. The head and the last heard message are never dropped; a message that does not fit even alone
is cut in its middle, with a note that says so. Non-goal: summaries. What must not be forgotten is said
again by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from chatdev.llm.messages import Message

OVERHEAD = 4
"""Tokens a chat template spends on one message beside its text (OpenAI counts three or four)."""
SLACK = 0.25
SMALLEST = 32
"""Tokens that a cut message keeps at least."""


@dataclass(frozen=True)
class Fitted:
    """What is sent behind the head: `messages[start:]`, some of them cut if `cut`."""

    messages: tuple[Message, ...]
    start: int
    cut: frozenset[int] = frozenset()
    """Indices of messages whose middle was left out."""


Count = Callable[[str], int]


def cost(messages: Sequence[Message], count: Count) -> int:
    """Tokens of messages with the template's overhead."""
    return sum(count(message.text) + OVERHEAD for message in messages)


def fit(head: Message, messages: Sequence[Message], budget: int | None, count: Count, start: int = 0) -> Fitted:
    """Choose what to send.

    Args:
        head: the pinned system message.
        messages: the dialogue since the beginning.
        budget: tokens for head and messages together; None for no limit.
        count: tokens of a text.
        start: the first message that was sent last time; what was dropped stays dropped.
    """
    if not messages:
        return Fitted((), 0)
    needed = max((i for i, message in enumerate(messages) if message.role == "user"), default=len(messages) - 1)
    start = min(start, needed)
    if budget is None or cost([head, *messages[start:]], count) <= budget:
        return Fitted(tuple(messages[start:]), start)
    start = _newest(head, messages, int(budget * (1 - SLACK)), count, needed)
    kept = list(messages[start:])
    room = budget - cost([head], count)
    if cost(kept, count) <= room:
        return Fitted(tuple(kept), start)
    sizes = [count(message.text) for message in kept]
    shares = _shares(sizes, max(room - OVERHEAD * len(kept), SMALLEST * len(kept)))
    cut = [i for i, share in enumerate(shares) if share < sizes[i]]
    for i in cut:
        kept[i] = replace(kept[i], text=cut_middle(kept[i].text, shares[i], count))
    return Fitted(tuple(kept), start, frozenset(start + i for i in cut))


def _newest(head: Message, messages: Sequence[Message], target: int, count: Count, needed: int) -> int:
    """The first message of the longest tail within the target that begins with what the agent heard."""
    total, best = cost([head, *messages[needed:]], count), needed
    for index in range(needed - 1, -1, -1):
        total += cost([messages[index]], count)
        if total > target:
            break
        if messages[index].role == "user":
            best = index
    return best


def _shares(sizes: list[int], room: int) -> list[int]:
    """Divide room: whoever needs less than an equal share gets that, the others share the rest equally."""
    shares = [0] * len(sizes)
    waiting = sorted(range(len(sizes)), key=lambda i: sizes[i])
    while waiting:
        index = waiting.pop(0)
        shares[index] = min(sizes[index], room // (len(waiting) + 1))
        room -= shares[index]
    return shares


def cut_middle(text: str, tokens: int, count: Count) -> str:
    """Beginning and end of a text with a note between; `tokens` long at most, unless the note is longer."""
    keep = len(text)
    while keep > 2:
        note = f"\n[… {len(text) - keep} characters are left out here: too long for this model's window …]\n"
        short = text[: keep - keep // 2] + note + text[len(text) - keep // 2 :]
        size = count(short)
        if size <= tokens:
            return short
        keep = min(keep - 1, int(keep * max(tokens, 1) / size))
    return f"[… {len(text)} characters are left out here: too long for this model's window …]"
