"""Ctrl-C at the terminal is not for git."""

import signal
import sys

import pytest

from chatdev.software.children import run_apart

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no sessions")


def test_a_child_is_in_a_session_of_its_own():
    done = run_apart([sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())"])
    assert done.stdout.strip() == b"True"


def test_a_child_that_was_hit_before_it_began_is_started_again(tmp_path):
    mark = tmp_path / "mark"
    code = (
        "import os, pathlib, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        f"mark = pathlib.Path({str(mark)!r})\n"
        "if not mark.exists():\n"
        "    mark.touch()\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "print(sys.stdin.read())\n"
    )
    done = run_apart([sys.executable, "-c", code], input=b"given")
    assert (done.returncode, done.stdout.strip()) == (0, b"given")


def test_a_child_that_always_ends_so_is_not_started_for_ever():
    code = f"import os, signal; signal.signal(2, signal.SIG_DFL); os.kill(os.getpid(), {int(signal.SIGINT)})"
    assert run_apart([sys.executable, "-c", code]).returncode == -signal.SIGINT
