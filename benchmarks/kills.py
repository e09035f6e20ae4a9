"""Kill runs (-9) at random moments and resume them: does every one end in the same repository as the undisturbed run?

    python -m benchmarks.kills --scripted 200 --local 30

Every second disturbed life also loses what the journal had not waited for the disk with, as a power cut would do it,
and some lives of a run are killed more than once. Checked each time: the journal is valid, begins with what was there
before, holds no reply and no commit twice, and the final commit is that of the undisturbed run.

Lives are forked from one process that has everything imported, or most of the time would be spent on starting Python.
"""

from __future__ import annotations

import argparse
import importlib
import json
import mmap
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from chatdev.chain import snapshots
from chatdev.run.journal import RIDING, Event, read_events

DATE = "1790000000"
COMPANY = """\
extends: solo
gui: false
stream: {window: 2048, scope: run}
sampling: {temperature: %s}
limits: {reply_tokens: 90}
chain: [solo, solo, solo, solo, solo, solo, verify]
"""


LOCAL = ["chatdev.llm.local.load", "chatdev.llm.local.model", "transformers.models.llama.modeling_llama"]


class Lives:
    """Runs the command line in forked children.

    Args:
        libraries: modules to import once, before the first child.
    """

    def __init__(self, libraries: list[str]) -> None:
        for name in ("chatdev.cli.run", "chatdev.chain.company_run", "chatdev.chain.pictures", *libraries):
            importlib.import_module(name)
        self.durable = mmap.mmap(-1, 8)
        """Bytes of the journal that were waited for, told by the child."""

    def begin(self, arguments: list[str], folder: Path, every_reply: bool = False) -> int:
        """Start a life in a process group of its own; returns its process id.

        Args:
            every_reply: write a snapshot after every reply, whatever it costs.
        """
        self.durable[:] = bytes(8)
        sys.stdout.flush()
        child = os.fork()
        if child:
            os.setpgid(child, child)  # here as well: whoever kills the group may be faster than the child
            return child
        code = 70
        try:
            os.setpgid(0, 0)
            if every_reply:
                snapshots.WORTH = 0.0
            os.chdir(folder)
            with open(folder / "output.txt", "ab", 0) as out:  # noqa: PTH123
                os.dup2(out.fileno(), 1)
                os.dup2(out.fileno(), 2)
            os.environ["SOURCE_DATE_EPOCH"] = DATE
            self._watch_fsync()
            code = _command_line(arguments)
        except BaseException:  # noqa: BLE001  (a child has nobody above it who could tell)
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _watch_fsync(self) -> None:
        real = os.fsync

        def fsync(handle: Any) -> None:
            real(handle)
            number = handle if isinstance(handle, int) else handle.fileno()
            if Path(f"/proc/self/fd/{number}").readlink().name == "journal.jsonl":
                self.durable[:] = os.fstat(number).st_size.to_bytes(8, "big")

        os.fsync = fsync  # type: ignore[assignment]

    def whole(self, arguments: list[str], folder: Path) -> int:
        """A life that nobody ends; returns the exit code."""
        _, status = os.waitpid(self.begin(arguments, folder), 0)
        return os.waitstatus_to_exitcode(status)


def _command_line(arguments: list[str]) -> int:
    from chatdev.cli import main

    sys.argv = ["chatdev", *arguments]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def product_of(folder: Path) -> Path | None:
    """The product in a folder's warehouse, once it has begun."""
    for journal in folder.glob("warehouse/*/.chatdev/journal.jsonl"):
        if b'"kind":"run_started"' in journal.read_bytes():
            return journal.parent.parent
    return None


def head(product: Path) -> str:
    done = subprocess.run(["git", "-C", str(product), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Trial:
    """One run that is killed and resumed until it is through."""

    def __init__(self, lives: Lives, arguments: list[str], lasts: float, chance: random.Random) -> None:
        self.lives, self.arguments, self.lasts, self.chance = lives, arguments, lasts, chance
        self.every_reply = chance.random() < 0.5
        self.kills = 0
        self.kinds: Counter[str] = Counter()

    def go(self, folder: Path) -> str:
        """Returns the id of the final commit. Raises AssertionError where something was lost or done twice."""
        product = None
        before: list[Event] = []
        for _ in range(1 + (self.chance.random() < 0.4)):
            product = self._disturbed(folder, product)
            if product is not None:
                before = _checked(product, before)
        if product is None:
            return self._anew(folder)
        code = self.lives.whole(["resume", str(product), "-q"], folder)
        assert code in (0, 3), f"{folder}: resume ended with {code}: {(folder / 'output.txt').read_text()[-3000:]}"
        _checked(product, before)
        return head(product)

    def _anew(self, folder: Path) -> str:
        """Killed before anything was begun: nothing to resume, nothing lost."""
        self.lives.whole(self.arguments, folder)
        found = product_of(folder)
        assert found is not None, (folder / "output.txt").read_text()[-600:]
        return head(found)

    def _disturbed(self, folder: Path, product: Path | None) -> Path | None:
        power = self.chance.random() < 0.5
        arguments = ["resume", str(product), "-q"] if product is not None else self.arguments
        child = self.lives.begin(arguments, folder, every_reply=self.every_reply)
        time.sleep(self.chance.random() * self.lasts)
        (os.killpg if self.chance.random() < 0.5 else os.kill)(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            return product_of(folder)
        self.kills += 1
        found = product_of(folder)
        if found is None:
            self.kinds["before it began"] += 1
            return None
        journal = found / ".chatdev" / "journal.jsonl"
        durable = int.from_bytes(self.lives.durable[:], "big")
        if power and 0 < durable < journal.stat().st_size:
            os.truncate(journal, durable)
            self.kinds["with loss of what the disk was not waited for"] += 1
            if product_of(folder) is None:
                return None
        else:
            self.kinds["killed"] += 1
        return found


def _checked(product: Path, before: list[Event]) -> list[Event]:
    """The events of a journal that has to be whole."""
    events, _ = read_events(product / ".chatdev" / "journal.jsonl")
    assert [event.id for event in events] == list(range(1, len(events) + 1)), "ids have gaps"
    kept = [event for event in before if event.kind not in RIDING]
    there = {(event.id, event.key) for event in events}
    assert all((event.id, event.key) in there for event in kept), "an event was lost"
    for kind in ("said", "committed", "checked", "opened", "run_started"):
        keys = [event.key for event in events if event.kind == kind]
        assert len(keys) == len(set(keys)), f"{kind} twice"
    shas = [event["sha"] for event in events if event.kind == "committed" and event["sha"]]
    assert len(shas) == len(set(shas)), "a commit twice"
    return events


def measure(name: str, arguments: list[str], kills: int, libraries: list[str], seed: int) -> dict[str, Any]:
    """Kill runs until `kills` were killed; returns what came of it."""
    lives = Lives(libraries)
    result: dict[str, Any] = {"run": name, "kills": 0, "same": 0, "other": 0, "kinds": Counter()}
    with tempfile.TemporaryDirectory(prefix="kills-") as top:
        calm = Path(top, "calm")
        calm.mkdir()
        begun = time.monotonic()
        lives.whole(arguments, calm)
        lasts = time.monotonic() - begun
        product = product_of(calm)
        if product is None:
            raise SystemExit((calm / "output.txt").read_text())
        try:
            wanted = head(product)
        except subprocess.CalledProcessError:
            raise SystemExit((calm / "output.txt").read_text()) from None
        result.update(seconds=round(lasts, 2), commit=wanted)
        number = 0
        while result["kills"] < kills:
            folder = Path(top, str(number))
            folder.mkdir()
            trial = Trial(lives, arguments, lasts, random.Random(seed * 1_000_003 + number))
            found = trial.go(folder)
            result["kills"] += trial.kills
            result["kinds"].update(trial.kinds)
            result["same" if found == wanted else "other"] += 1
            number += 1
    return result


def main() -> int:
    """Returns 0 when every run ended the same."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--scripted", type=int, default=0, metavar="N", help="kills of the snake script's run")
    options.add_argument("--local", type=int, default=0, metavar="N", help="kills of a local model's run, seeded")
    options.add_argument("--greedy", type=int, default=0, metavar="N", help="the same, always the likeliest token")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    results = []
    if given.scripted:
        arguments = ["--task", "build a snake game", "--model", "scripted:snake", "--sandbox", "none", "-q"]
        results.append(_shown(measure("scripted", arguments, given.scripted, [], given.seed)))
    for name, kills, temperature in (("local, seeded", given.local, 1), ("local, greedy", given.greedy, 0)):
        if kills:
            with tempfile.TemporaryDirectory() as folder:
                results.append(_shown(_local(name, Path(folder), kills, temperature, given.seed)))
    return 0 if all(result["other"] == 0 for result in results) else 1


def _shown(result: dict[str, Any]) -> dict[str, Any]:
    print(json.dumps(result), flush=True)
    return result


def _local(name: str, folder: Path, kills: int, temperature: int, seed: int) -> dict[str, Any]:
    done = subprocess.run(  # in another process: this one must not have started torch's threads before it forks
        [sys.executable, "-c", "import sys; from tests.chain.writer import write_model; write_model(sys.argv[1])",
         str(folder / "model")], check=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0
    (folder / "company").mkdir()
    (folder / "company" / "company.yaml").write_text(COMPANY % temperature)
    arguments = ["--task", "tic tac toe", "--company", str(folder / "company"), "--model", f"hf:{folder / 'model'}"]
    arguments += ["--precision", "fp32", "--sandbox", "none", "--seed", "7", "-q"]
    return measure(name, arguments, kills, LOCAL, seed)


if __name__ == "__main__":
    sys.exit(main())
