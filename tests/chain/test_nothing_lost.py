"""Kills, power cuts and full disks: every run goes on to the same repository, and nothing is paid or committed twice.

The counts are small here; `python -m benchmarks.kills --scripted 200 --local 30` runs them in full (CHATDEV_KILLS=200
does so from here).
"""

import json
import os
import resource
import signal
import subprocess
import sys

import pytest

from chatdev.run.journal import Journal, read_events
from chatdev.run.lock import ProductLock
from tests.chain.house import DATE, TASK, chatdev, git, only_product

SNAKE = ("--task", TASK, "--model", "scripted:snake", "--sandbox", "none", "-q")
KILLS = int(os.environ.get("CHATDEV_KILLS", "12"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The commit that a whole run ends at."""
    folder = tmp_path_factory.mktemp("whole")
    assert chatdev(*SNAKE, cwd=folder).returncode == 3
    return git(only_product(folder), "rev-parse", "HEAD")


def killed(*options):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.kills", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="lives are forked")
def test_runs_killed_at_random_moments_end_in_the_same_repository():
    (result,) = killed("--scripted", str(KILLS))
    assert (result["other"], result["kills"] >= KILLS) == (0, True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="lives are forked")
def test_runs_of_a_local_model_killed_at_random_moments_say_the_same_words():
    few = max(2, KILLS // 7)
    seeded, greedy = killed("--local", str(few), "--greedy", str(max(1, few // 3)))
    assert (seeded["other"], greedy["other"]) == (0, 0)


def keys(product, kind):
    events, _ = read_events(product / ".chatdev" / "journal.jsonl")
    return [event.key for event in events if event.kind == kind]


def limited(size):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def run_limited(size, *arguments, cwd):
    """The command line where no file may grow beyond `size` bytes."""
    return subprocess.run(
        [sys.executable, "-m", "chatdev", *arguments],
        cwd=cwd, env={**os.environ, "SOURCE_DATE_EPOCH": DATE}, preexec_fn=limited(size),
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_journal_that_cannot_grow_stops_the_run_in_one_line_and_loses_nothing(undisturbed, tmp_path):
    sizes = iter((9_000, 13_000, 20_000, 30_000))
    stopped = run_limited(next(sizes), *SNAKE, cwd=tmp_path)
    assert stopped.returncode == 1
    product = only_product(tmp_path)
    for size in sizes:
        assert "Traceback" not in stopped.stderr
        assert f"resume {product.name}" in stopped.stderr
        journal = product / ".chatdev" / "journal.jsonl"
        assert read_events(journal)[1] == journal.stat().st_size, "no half line is left"
        stopped = run_limited(size, "resume", product.name, "-q", cwd=tmp_path)
    assert chatdev("resume", product.name, cwd=tmp_path).returncode == 3
    assert git(product, "rev-parse", "HEAD") == undisturbed
    for kind in ("said", "committed"):
        assert len(keys(product, kind)) == len(set(keys(product, kind)))


def _mounted(folder, size):
    return subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(folder)], capture_output=True, check=False
    )


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_fills_up_anywhere_loses_nothing(undisturbed, tmp_path):
    disk = tmp_path / "warehouse"
    disk.mkdir()
    if _mounted(disk, 24).returncode:
        pytest.skip("this machine mounts nothing")
    try:
        done = chatdev(*SNAKE, cwd=tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert "No space left" in done.stderr
        assert list(disk.iterdir()) == [], "what never began leaves nothing behind"
        subprocess.run(["mount", "-o", "remount,size=160k", str(disk)], check=True)
        done = chatdev(*SNAKE, cwd=tmp_path)
        stops = 0
        for size in (180, 220, 260, 300, 360, 420, 500, 50_000):
            assert "Traceback" not in done.stderr, done.stderr
            found = list(disk.iterdir())
            if found and (found[0] / ".chatdev" / "journal.jsonl").exists():
                read_events(found[0] / ".chatdev" / "journal.jsonl")
            stops += done.returncode == 1
            subprocess.run(["mount", "-o", f"remount,size={size}k", str(disk)], check=True)
            begun = found and keys(found[0], "run_started")
            done = chatdev("resume", found[0].name, cwd=tmp_path) if begun else chatdev(*SNAKE, cwd=tmp_path)
        assert done.returncode == 3, done.stderr
        assert stops >= 2, "the disk was never full"
        product = only_product(tmp_path)
        assert git(product, "rev-parse", "HEAD") == undisturbed
        assert git(product, "fsck", "--full") == ""
    finally:
        subprocess.run(["umount", str(disk)], check=False)


def test_a_second_process_on_a_product_is_refused_with_the_pid_of_the_first(undisturbed, tmp_path):
    assert chatdev(*SNAKE, "--set", "limits.turns=4", cwd=tmp_path).returncode == 4
    product = only_product(tmp_path)
    before = (product / ".chatdev" / "journal.jsonl").read_bytes()
    with ProductLock(product / ".chatdev"):
        for command in (["resume", product.name], ["undo", product.name]):
            refused = chatdev(*command, cwd=tmp_path)
            assert refused.returncode == 1
            assert f"another process (pid {os.getpid()}) is working on this product" in refused.stderr
    assert (product / ".chatdev" / "journal.jsonl").read_bytes() == before
    assert chatdev("resume", product.name, "--set", "limits.turns=50", cwd=tmp_path).returncode == 3
    assert git(product, "rev-parse", "HEAD") == undisturbed


def test_a_write_that_fails_leaves_the_journal_as_it_was(tmp_path, monkeypatch):
    journal = Journal.open(tmp_path / "journal.jsonl")
    journal.append("said", "a", text="one")
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[:7]) if len(data) > 7 else _full())
    with pytest.raises(OSError, match="No space left"):
        journal.append("said", "b", text="two")
    monkeypatch.undo()
    assert journal.recorded("b") is None
    journal.append("stopped", reason="full")
    journal.close()
    events, size = read_events(tmp_path / "journal.jsonl")
    assert [event.kind for event in events] == ["said", "stopped"]
    assert size == (tmp_path / "journal.jsonl").stat().st_size


def _full():
    raise OSError(28, "No space left on device")
