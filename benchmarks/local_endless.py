"""A million tokens through one stream: memory and time per token, with a plot (bar 8).

Beside every turn a fork of the stream as it was when it was young has the same turn: what the machine does to both is
the machine's, what the old one takes longer is age.

python -m benchmarks.local_endless --tokens 1000000 --plot docs/endless.png
"""

from __future__ import annotations

import argparse
import gc
import random
import statistics
from pathlib import Path

import torch

from benchmarks.local_common import clock, report, resident, talker
from chatdev.llm.base import SayLimits
from chatdev.llm.local.plot import Line, draw
from chatdev.llm.local.stream import LocalStream

WORDS = [
    "the",
    "program",
    "reads",
    "a",
    "file",
    "and",
    "writes",
    "what",
    "was",
    "asked",
    "for",
    "into",
    "another",
    "one",
    "while",
    "nobody",
    "looks",
]


def main() -> None:
    """Run it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--shape", default="tiny")
    options.add_argument("--tokens", type=int, default=1_000_000)
    options.add_argument("--window", type=int, default=1024)
    options.add_argument("--heard", type=int, default=150, help="words of a message; a reply has 100 tokens")
    options.add_argument("--plot", type=Path)
    options.add_argument("--threads", type=int, default=1)
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    chance = random.Random(1)
    stream = talker(given.shape, given.window).open("You are a clerk who never stops talking.")
    places: list[int] = []
    memory: list[int] = []
    pace: list[float] = []
    full = 0
    young: LocalStream | None = None
    aged: list[float] = []
    while stream.window.total < given.tokens:
        heard = " ".join(chance.choice(WORDS) for _ in range(given.heard))
        pace.append(_pace(stream, heard))
        if young is not None:
            aged.append(pace[-1] / _pace(young.fork(), heard))
        elif stream.memory.plan.evicted > 2 * given.window:
            young = stream.fork()
        if not full and stream.memory.plan.evicted > 20 * given.window:
            # The allocator has seen every shape by now.
            gc.collect()
            full = len(pace)
        places.append(stream.window.total)
        memory.append(resident())
    tenth = (len(pace) - full) // 10
    first, last = statistics.median(pace[full : full + tenth]), statistics.median(pace[-tenth:])
    grown = (max(memory[-tenth:]) - memory[full]) / 1e6
    report(
        f"{places[-1]:,} tokens through one stream (window {given.window:,}, shape {given.shape})",
        [
            ["", "value"],
            ["memory after the window was full", f"{memory[full] / 1e6:.1f} MB"],
            ["growth until the end", f"{grown:+.2f} MB"],
            ["time per token, first tenth", f"{first * 1e3:.3f} ms"],
            ["time per token, last tenth", f"{last * 1e3:.3f} ms ({last / first - 1:+.1%})"],
            ["time per token to the young stream's, first tenth", f"{statistics.median(aged[:tenth]):.3f}"],
            ["time per token to the young stream's, last tenth", f"{statistics.median(aged[-tenth:]):.3f}"],
            ["KV cache", f"{stream.window.bytes / 1e6:.2f} MB"],
        ],
        "memory growth < 2 MB, time per token within 5 %",
    )
    if given.plot:
        group = max(1, len(pace) // 100)
        ends = [float(places[min(i + group, len(places)) - 1]) for i in range(0, len(pace), group)]
        lines = [
            Line("ms per token", ends, _medians([p * 1e3 for p in pace], group)),
            Line("time to a young stream's", ends[-len(_medians(aged, group)) :], _medians(aged, group)),
            Line("memory, 100 MB", ends, _medians([m / 1e8 for m in memory], group)),
        ]
        title = f"One stream, {places[-1]:,} tokens, window {given.window:,}"
        draw(lines, given.plot, title=title, x="tokens", y="")


def _pace(stream: LocalStream, heard: str) -> float:
    """Seconds a token of a reply of 100."""
    stream.hear(heard)
    stream.run_waiting()
    start = clock()
    for _ in stream.say(SayLimits(tokens=100)):
        pass
    return (clock() - start) / 100


def _medians(values: list[float], group: int) -> list[float]:
    return [statistics.median(values[i : i + group]) for i in range(0, len(values), group)]


if __name__ == "__main__":
    main()
