"""What a page shows, read out of it the way the terminal writes it."""

import re
import subprocess
import sys
import time
from urllib.parse import quote

from chatdev.run.journal import read_events
from chatdev.screen.text import safe

from .conftest import environment

SHOWN = """
() => [...document.querySelectorAll('.dialogue .items[role=log] > li')].map(item => {
  const parts = [...item.querySelectorAll('.words .prose, .words .gap, .words .code')];
  const words = parts.map(one => one.textContent).join('');
  const lines = [...item.querySelectorAll('.line')].map(one => one.textContent);
  const summary = item.querySelector('.told > summary');
  const name = item.querySelector('header b');
  return {id: Number(item.dataset.id), kind: item.className.replace('item kind-', ''), words, lines,
          who: summary ? summary.textContent : name ? name.textContent : ''};
})
"""


def shown(page):
    """Every item at hand, oldest first."""
    return page.evaluate(SHOWN)


def as_terminal(items):
    """The items as lines of `--verbose`, spaces made even."""
    lines = []
    for item in items:
        if item["kind"] in ("told", "said"):
            lines.append("--- " + item["who"].replace("→", "->"))
            lines += ["| " + safe(line) for line in item["words"].splitlines()]
        lines += item["lines"]
    return [even(line) for line in lines]


def even(line):
    return re.sub(r"\s+", " ", line.strip()).removeprefix("== ").strip()


def all_items(page):
    """Scroll up until the run's first item is there."""
    scroller = page.locator(".scroller")
    for _ in range(200):
        items = shown(page)
        if items and items[0]["kind"] == "life":
            return items
        scroller.evaluate("one => { one.scrollTop = 0; one.dispatchEvent(new Event('scroll')) }")
        page.wait_for_timeout(60)
    raise AssertionError("the beginning was not reached")


def start_run(folder, *arguments):
    """A run at a terminal that is a pipe; returns the process."""
    return subprocess.Popen(
        [sys.executable, "-m", "chatdev", "run", "--task", "build a snake game", "--sandbox", "none", *arguments],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def product_in(folder):
    """The only product, once its run has begun."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for journal in folder.glob("warehouse/*/.chatdev/journal.jsonl"):
            if b"run_started" in journal.read_bytes():
                return journal.parents[1]
        time.sleep(0.05)
    raise AssertionError("no run began")


def until(page, expression):
    """Wait until a JavaScript expression is true (the page's own policy forbids playwright's wait_for_function)."""
    end = time.monotonic() + 60
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


def eventually(check):
    """Wait until something is so."""
    end = time.monotonic() + 60
    while not check():
        assert time.monotonic() < end
        time.sleep(0.05)


def run_address(product):
    return f"#/run/{quote(product.name)}"


def wait_for_end(page):
    page.wait_for_selector(".kind-run_ended", timeout=120_000)


def events_of(product, *kinds):
    found, _ = read_events(product / ".chatdev" / "journal.jsonl")
    return [event for event in found if not kinds or event.kind in kinds]
