"""The journal's speed: events appended and folded a second, and how soon a long run goes on.

    python -m benchmarks.journal

Appending: `words` events as a reply is typed, with a reply for every hundred of them, for which the disk is waited
(one fsync each), and with the ledger and the index kept up to date. Reading: the same journal opened again and folded.
Resuming: a run of 50,000 events that was killed, from the start of the process to the first new word in its journal.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from chatdev.run.journal import Journal, read_events
from chatdev.run.ledger import Ledger

USAGE = {"prompt_tokens": 900, "completion_tokens": 300, "money": 0.0, "seconds": 4.0}


def appended(path: Path, events: int, every: int) -> float:
    """Events a second, written, indexed and folded by the ledger as they come."""
    journal, ledger = Journal.open(path), Ledger()
    journal.subscribe(ledger.read)
    begun = time.perf_counter()
    for number in range(1, events + 1):
        if number % every:
            journal.append("words", agent="programmer", phase="coding", text="some words of a reply, as it is typed")
        else:
            said = {"agent": "programmer", "phase": "coding", "text": "a reply " * 40, "usage": USAGE}
            journal.append("said", f"coding/programmer/said{number}", **said)
    seconds = time.perf_counter() - begun
    journal.close()
    return events / seconds


def folded(path: Path) -> float:
    """Events a second, read back, indexed and folded by the ledger."""
    begun = time.perf_counter()
    events, _ = read_events(path)
    Journal.reading(path, events)
    ledger = Ledger()
    ledger.read_all(events, path)
    return len(events) / (time.perf_counter() - begun)


def resumed(folder: Path, events: int) -> float:
    """Seconds from the start of `resume` to the first new word, in a run whose journal has that many events."""
    script = {"replies": [{"say": "one", "times": 2}, {"say": '<file path="main.py">\nprint(1)\n</file>'}]}
    (folder / "script.yaml").write_text(json.dumps(script), encoding="utf-8")
    command = [sys.executable, "-m", "chatdev"]
    run = ["--task", "x", "--company", "solo", "--model", "scripted:script.yaml", "--sandbox", "none", "-q"]
    subprocess.run([*command, *run, "--set", "limits.turns=1"], cwd=folder, capture_output=True, check=False)
    (journal,) = folder.glob("warehouse/*/.chatdev/journal.jsonl")
    known, size = read_events(journal)
    with journal.open("ab") as out:
        for number in range(known[-1].id + 1, events + 1):
            line = {"v": 1, "id": number, "at": known[-1].at, "kind": "words", "agent": "programmer", "phase": "solo"}
            out.write(json.dumps({**line, "text": "some words of a reply, as it is typed"}).encode() + b"\n")
    size = journal.stat().st_size
    begun = time.perf_counter()
    going = subprocess.Popen(
        [*command, "resume", journal.parent.parent.name, "--set", "limits.turns=9", "-q"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while True:
            with journal.open("rb") as file:
                file.seek(size)
                if b'"kind":"words"' in file.read():
                    return time.perf_counter() - begun
            if going.poll() is not None:
                raise SystemExit("the run ended without a new word")
            time.sleep(0.002)
    finally:
        going.wait()


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--events", type=int, default=50_000)
    options.add_argument("--folder", help="where to measure; the disk decides  [default: the temporary folder]")
    given = options.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as everywhere else, modules are compiled once
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        print(f"appended and folded  {appended(folder / 'journal.jsonl', given.events, 100):>9,.0f} events/s")
        print(f"every event waited   {appended(folder / 'slow.jsonl', 500, 1):>9,.0f} events/s")
        print(f"read and folded      {folded(folder / 'journal.jsonl'):>9,.0f} events/s")
        (folder / "run").mkdir()
        print(f"resumed after        {resumed(folder / 'run', given.events):>9.2f} s, a run of {given.events:,} events")


if __name__ == "__main__":
    main()
