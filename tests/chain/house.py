"""Helpers of these tests: the command line as a user runs it, and a model that plays the snake script over HTTP."""

import os
import re
import subprocess
import sys

import yaml

from chatdev.data import library_root

TASK = "build a snake game"
DATE = "1790000000"


def chatdev(*args, cwd, **env):
    """Run the command line in `cwd`; commit dates are fixed, so that repositories can be compared."""
    return subprocess.run(
        [sys.executable, "-m", "chatdev", *args],
        cwd=cwd,
        env={**os.environ, "SOURCE_DATE_EPOCH": DATE, **env},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=250,
    )


def only_product(folder):
    (found,) = (folder / "warehouse").iterdir()
    return found


def git(product, *args):
    return subprocess.run(["git", "-C", str(product), *args], capture_output=True, text=True, check=True).stdout


class Player:
    """Answers chat messages with the snake script's replies, each once, as a callable for the HTTP server."""

    def __init__(self):
        script = yaml.safe_load((library_root() / "scripts" / "snake.yaml").read_text(encoding="utf-8"))
        self.replies = [(re.compile(entry["hears"], re.MULTILINE), entry["say"]) for entry in script["replies"]]

    def __call__(self, messages):
        heard = messages[-1]["content"]
        for number, (hears, say) in enumerate(self.replies):
            if hears.search(heard):
                del self.replies[number]
                return say
        return "<INFO> Finished"
