"""How long the house itself takes: `--help`, and a whole company with a scripted model and no sandbox.

    python benchmarks/house.py [--runs 7]

Whole processes, as a user starts them; medians of wall seconds and the largest resident memory. Not measured here:
models, Docker, the first set-up.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SNAKE = ["--task", "build a snake game", "--model", "scripted:snake", "--sandbox", "none", "-q"]
LOOK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""Runs a command from a process of its own, because the peak memory of children is kept for the parent's life."""


def timed(arguments: list[str], folder: str) -> tuple[float, float]:
    """Wall seconds and peak megabytes of one start of `run.py`, the looking process included."""
    env = {**os.environ, "CHATDEV_WAREHOUSE": folder}
    command = [sys.executable, "-S", "-c", LOOK, sys.executable, str(ROOT / "run.py"), *arguments]
    begun = time.perf_counter()
    out = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    return time.perf_counter() - begun, int(out.split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments in (("--help", ["--help"]), ("scripted snake, no sandbox", SNAKE)):
            timed(arguments, folder)
            found = [timed(arguments, folder) for _ in range(runs)]
            seconds = [one[0] for one in found]
            spread = f"min {min(seconds):.2f}, max {max(seconds):.2f}"
            peak = max(one[1] for one in found)
            print(f"{name:<28} median {statistics.median(seconds):.2f} s ({spread})  peak {peak:.0f} MB")


if __name__ == "__main__":
    main()
