"""The lock: one holder at a time, and it falls with its holder."""

import os
import subprocess
import sys

import pytest

from chatdev.frontdoor.lock import held

HOLDER = """
import sys, time
from pathlib import Path
from chatdev.frontdoor.lock import held
with held(Path(sys.argv[1]), lambda: None):
    print("held", flush=True)
    time.sleep(60)
"""


class Waited(Exception):
    pass


def give_up():
    raise Waited


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock."""
    child = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "held\n"
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def test_a_second_process_waits(holder, tmp_path):
    with pytest.raises(Waited), held(tmp_path / "lock", give_up):
        pytest.fail("two holders")


def test_a_killed_holder_leaves_no_stale_lock(holder, tmp_path):
    holder.kill()
    holder.wait()
    with held(tmp_path / "lock", give_up) as descriptor:
        assert os.fstat(descriptor).st_ino == (tmp_path / "lock").stat().st_ino


def test_it_can_be_held_again(tmp_path):
    for _ in range(2):
        with held(tmp_path / "lock", give_up) as descriptor:
            assert os.fstat(descriptor).st_ino == (tmp_path / "lock").stat().st_ino


@pytest.mark.skipif(os.name != "posix", reason="descriptors are inherited on POSIX")
def test_a_child_that_inherits_it_keeps_the_next_one_out(tmp_path):
    with held(tmp_path / "lock", give_up) as descriptor:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(descriptor,))
    with pytest.raises(Waited), held(tmp_path / "lock", give_up):
        pytest.fail("the child's lock was not seen")
    child.communicate(b"\n")
    with held(tmp_path / "lock", give_up):
        pass
