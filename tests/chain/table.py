"""Helpers of the tests with people: a company from a script, runs in the background, letters, and who said what."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from chatdev.run.inbox import Inbox
from chatdev.run.journal import read_events
from tests.chain.house import DATE, only_product

BUILD = "instructor: cto\nassistant: programmer\nwrites: files\nconclusion: files\nprompt: Build.\n"
PLAN = "instructor: cto\nassistant: programmer\nwrites: plan\nprompt: Plan.\n"
PLANNED = BUILD.replace("writes", "reads: [plan]\nwrites", 1).replace("Build.", "'{{ plan }}'")


def file(text, path="main.py"):
    return f'<file path="{path}">\n{text}\n</file>\n'


def script(folder, *replies, **settings):
    """A script file whose replies are played in order."""
    path = folder / "script.yaml"
    path.write_text(json.dumps({"name": "test", "replies": list(replies), **settings}), encoding="utf-8")
    return f"scripted:{path}"


def company(folder, chain, roles="cto, programmer, reviewer", **phases):
    """A user's company folder that extends the default one."""
    mine = folder / "mine"
    (mine / "phases").mkdir(parents=True)
    (mine / "company.yaml").write_text(f"extends: default\nroles: [{roles}]\n{chain}", encoding="utf-8")
    for name, text in phases.items():
        (mine / "phases" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return str(mine)


def order(*args):
    """The command of a run, without a sandbox unless one is named, and its environment."""
    command = [sys.executable, "-m", "chatdev", *args]
    if args[0] != "resume":
        command += ["--task", "x", *([] if "--sandbox" in args else ["--sandbox", "none"])]
    return command, {**os.environ, "SOURCE_DATE_EPOCH": DATE, "PYTHONUNBUFFERED": "1"}


class Background:
    """A run without a terminal that works while the test looks on and writes letters."""

    def __init__(self, folder, *args):
        command, env = order(*args)
        self.folder = folder
        self.out = (folder / "out.txt").open("a+", encoding="utf-8")
        self.process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.out
        )

    @property
    def product(self):
        return only_product(self.folder)

    def events(self, *kinds):
        path = self.product / ".chatdev" / "journal.jsonl"
        return [event for event in read_events(path)[0] if not kinds or event.kind in kinds]

    def wait_for(self, kind, count=1):
        """The newest event of a kind once there are `count`."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            found = self.events(kind) if (self.folder / "warehouse").is_dir() else []
            if len(found) >= count:
                return found[-1]
            assert self.process.poll() is None, self.text()
            time.sleep(0.05)
        raise AssertionError(f"no {kind}: {self.text()}")

    def put(self, **letter):
        return Inbox(self.product / ".chatdev" / "inbox").put(letter)

    def answer(self, answer, count, **more):
        """Answer the `count`th question."""
        asked = self.wait_for("asked", count)
        self.put(kind="answer", question=asked.key, answer=answer, **more)
        return asked

    def end(self):
        """Wait for the end; returns the exit status."""
        code = self.process.wait(60)
        self.out.close()
        return code

    def text(self):
        return Path(self.out.name).read_text(encoding="utf-8")


def events_of(folder, *kinds):
    """The events of the only product below a folder, of some kinds or all."""
    events, _ = read_events(only_product(folder) / ".chatdev" / "journal.jsonl")
    return [event for event in events if not kinds or event.kind in kinds]
