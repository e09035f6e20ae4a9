"""What the sandbox costs: a box against a bare `docker run`, a second ladder against the first, ten ladders at once.

    python benchmarks/sandbox.py [--runs 9]

Wall seconds, medians. Needs a Docker engine and the sandbox image. The bare run gets the same image and limits and no
pull; both are timed from the call to the end, with the container removed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chatdev.sandbox import SandboxConfig, climb, open_engine
from chatdev.sandbox.engine import run
from chatdev.sandbox.image import default_tag

HELLO = "print('hello', flush=True)\n"
SNAKE = """\
import pygame
pygame.init()
screen, clock, x = pygame.display.set_mode((400, 300)), pygame.time.Clock(), 0
while True:
    pygame.event.pump()
    x = (x + 5) % 400
    screen.fill((0, 0, 0))
    pygame.draw.rect(screen, (0, 255, 0), (x, 100, 20, 20))
    pygame.display.flip()
    clock.tick(20)
"""
BARE = [
    "docker", "run", "--rm", "--network", "none", "--memory", "512m", "--memory-swap", "512m", "--pids-limit", "128",
    "--cpus", "1", "--read-only", "--tmpfs", "/box:rw,size=64m", "--cap-drop", "ALL", "--init",
    "--security-opt", "no-new-privileges", "--user", "65534:65534",
]  # fmt: skip


def timed(work: object) -> float:
    begun = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - begun


def bare() -> None:
    subprocess.run([*BARE, default_tag(), "python3", "-c", HELLO], check=True, capture_output=True)


def show(name: str, seconds: list[float]) -> float:
    middle = statistics.median(seconds)
    print(f"{name:<44} {middle:6.2f} s  (min {min(seconds):.2f}, max {max(seconds):.2f}, n={len(seconds)})")
    return middle


def product(top: Path, name: str, files: dict[str, str]) -> Path:
    folder = top / name
    folder.mkdir()
    for path, text in files.items():
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    engine = open_engine(SandboxConfig(engine="docker"), "bench")
    assert engine is not None
    with tempfile.TemporaryDirectory() as space:
        top = Path(space)
        hello = product(top, "hello", {"main.py": HELLO})
        bare()
        first = show("bare docker run, whole", [timed(bare) for _ in range(runs)])
        box = show("a box, whole", [timed(lambda: run(engine, hello, ["python3", "main.py"])) for _ in range(runs)])
        print(f"{'':44} {box / first:6.2f} times the bare run")
        show("a ladder on hello", [timed(lambda: climb(hello, engine, engine.config)) for _ in range(runs)])
        wants = product(top, "wants", {"main.py": "import tinydb\n", "requirements.txt": "tinydb==4.8.0\n"})
        show("a ladder that installs (or finds) a package", [timed(lambda: climb(wants, engine, engine.config))])
        show("the same ladder again", [timed(lambda: climb(wants, engine, engine.config)) for _ in range(3)])
        snakes = [product(top, f"snake{n}", {"main.py": SNAKE}) for n in range(10)]
        show("a ladder on a pygame window", [timed(lambda: climb(snakes[0], engine, engine.config))])
        begun = time.perf_counter()
        with ThreadPoolExecutor(10) as pool:
            verdicts = list(pool.map(lambda f: climb(f, engine, engine.config).verdict, snakes))
        print(f"{'ten of them at once':<44} {time.perf_counter() - begun:6.2f} s  verdicts {set(verdicts)}")


if __name__ == "__main__":
    main()
