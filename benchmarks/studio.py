"""A run of 50,000 events in the studio: how soon it is painted and its newest words stand there.

    python benchmarks/studio.py [--events 50000] [--chromium /usr/bin/chromium]

Needs playwright and a Chromium. The studio is started anew for each of the repetitions, so nothing is in its memory.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from chatdev.company import load_company
from chatdev.run.journal import Event

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"]
FRAMES = """seconds => new Promise(done => {
  const gaps = []; let last = performance.now(); const end = last + seconds * 1000;
  const tick = now => { gaps.push(now - last); last = now; now < end ? requestAnimationFrame(tick) : done(gaps) };
  requestAnimationFrame(tick) })"""
USAGE = {"prompt_tokens": 900, "completion_tokens": 60, "money": 0.0, "seconds": 1.0}
WINDOW = {"held": 2000, "total": 90000, "bytes": 0, "tokens_per_second": 0.0, "notes": {}}


def events(count: int) -> list[Event]:
    """A run that goes on: prompts, words, replies, in the proportions of a local model."""
    titles = {"programmer": "Programmer", "cto": "Chief Technology Officer"}
    started = {"task": "a long one", "seed": 0, "source": None, "company": "default", "models": {}, "titles": titles}
    made = [Event(1, 1.0, "life", None, {"pid": 1, "version": "0", "resumed": False})]
    made.append(Event(2, 1.0, "run_started", "run", {**started, "born": 1}))
    while len(made) < count:
        at, key = len(made) + 1, f"k{len(made)}"
        who = {"agent": "programmer", "phase": "coding"}
        step = {"step": "coding", "phase": "coding", "title": "Coding", "instructor": "cto", "assistant": "programmer"}
        words = "the next words of a reply " * 3
        made.append(Event(at, 1.0, "step_started", f"{key}/s", {**step, "head": None}))
        made.append(Event(at + 1, 1.0, "told", f"{key}/t", {**who, "by": "cto", "text": words * 20, "shows": {}}))
        made += [Event(at + 2 + n, 1.0, "words", None, {**who, "text": words}) for n in range(12)]
        said = {**who, "model": "hf:x", "text": words * 12, "finish": "stop", "usage": USAGE, "window": WINDOW}
        made.append(Event(at + 14, 1.0, "said", f"{key}/r", said))
    return made


def visit(page: Page, address: str, last: int) -> tuple[float, float]:
    """Milliseconds from a bookmark of the run to the first paint and to the newest reply."""
    page.goto(address)
    page.wait_for_selector("h1")
    page.goto("about:blank")
    begun = time.perf_counter()
    page.goto(address.split("#")[0] + "#/run/long", wait_until="commit")
    page.wait_for_selector(f".item[data-id='{last}']")
    newest = (time.perf_counter() - begun) * 1000
    paint = page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN")
    return float(paint), newest


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        product = Path(folder) / "warehouse" / "long"
        load_company("default").write(product / ".chatdev" / "company")
        made = events(options.events)
        journal = product / ".chatdev" / "journal.jsonl"
        journal.write_bytes(b"".join(one.to_line() for one in made))
        print(f"{len(made):,} events, {journal.stat().st_size / 1e6:.1f} MB")
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        paints, newests = [], []
        for _ in range(options.times):
            studio = subprocess.Popen(
                [sys.executable, "-m", "chatdev", "studio", "--port", "0"],
                cwd=folder,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert studio.stdout is not None
            address = next(found[0] for line in studio.stdout if (found := re.search(r"http://\S+", line)))
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            paint, newest = visit(page, address, made[-1].id)
            paints.append(paint)
            newests.append(newest)
            if len(paints) == options.times:
                watch(page, journal, made[-1].id)
            page.close()
            studio.terminate()
            studio.wait()
        paint, newest = statistics.median(paints), statistics.median(newests)
        print(f"first paint {paint:.0f} ms, newest reply {newest:.0f} ms (medians)")
        browser.close()


def watch(page: Page, journal: Path, last: int) -> None:
    """Frames while words arrive twenty times a second, and while somebody scrolls back through the run."""

    def write() -> None:
        with journal.open("ab") as out:
            for number in range(1, 101):
                text = {"agent": "programmer", "phase": "coding", "text": "some more words "}
                out.write(Event(last + number, 1.0, "words", None, text).to_line())
                out.flush()
                time.sleep(0.05)

    writer = threading.Thread(target=write)
    writer.start()
    tell("while words arrive", page.evaluate(FRAMES, 4))
    writer.join()
    back = "() => { const one = document.querySelector('.scroller'); setInterval(() => one.scrollTop -= 400, 60) }"
    page.evaluate(back)
    tell("while scrolling back", page.evaluate(FRAMES, 4))


def tell(when: str, gaps: list[float]) -> None:
    """The middle, the 95th of a hundred, and the longest frame."""
    ordered = sorted(gaps)
    print(
        f"{when}: {len(gaps)} frames, median {statistics.median(gaps):.0f} ms, "
        f"95 % under {ordered[int(len(ordered) * 0.95)]:.0f} ms, longest {ordered[-1]:.0f} ms"
    )


if __name__ == "__main__":
    main()
