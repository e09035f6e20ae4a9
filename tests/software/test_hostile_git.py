"""Repositories that try to run a program when git looks at them. Each trap is first shown to work on plain git."""

import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

from chatdev.errors import UserError
from chatdev.software.history import History
from chatdev.software.workspace import Workspace

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the traps are shell scripts")
WHEN = datetime(2026, 1, 2, tzinfo=timezone.utc)


def git(folder, *arguments):
    return subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@x.invalid", *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


class Trap:
    """A product with one commit, and a program that leaves a canary behind when it is run."""

    def __init__(self, base: Path) -> None:
        self.root, self.canary, self.program = base / "product", base / "canary", base / "evil.sh"
        self.program.write_text(f"#!/bin/sh\ntouch '{self.canary}'\ncat\n", encoding="utf-8")
        self.program.chmod(0o755)
        self.history = History(self.root)
        self.history.init()
        self.change("x = 0\n")
        self.history.commit("First", "A", "a@a.invalid", {}, WHEN)

    def change(self, text: str) -> None:
        (self.root / "a.py").write_text(text, encoding="utf-8")

    def config(self, text: str) -> None:
        with (self.root / ".git" / "config").open("a", encoding="utf-8") as out:
            out.write(text)


@pytest.fixture
def trap(tmp_path):
    return Trap(tmp_path)


def hooks(trap):
    for name in (
        *(
            "pre-commit",
            "post-commit",
            "commit-msg",
            "prepare-commit-msg",
            "post-index-change",
            "reference-transaction",
        ),
        *("post-checkout", "pre-auto-gc", "post-rewrite"),
    ):
        (trap.root / ".git" / "hooks").mkdir(exist_ok=True)
        shutil.copy(trap.program, trap.root / ".git" / "hooks" / name)


def hooks_elsewhere(trap):
    hooks(trap)
    (trap.root / ".git" / "hooks").rename(trap.root / ".git" / "mine")
    trap.config("[core]\n\thooksPath = .git/mine\n")


def fsmonitor(trap):
    trap.config(f'[core]\n\tfsmonitor = "{trap.program}"\n')


def filters(trap):
    trap.config(f'[filter "evil"]\n\tclean = "{trap.program}"\n\tsmudge = "{trap.program}"\n\trequired = true\n')
    (trap.root / ".gitattributes").write_text("* filter=evil\n", encoding="utf-8")
    (trap.root / ".git" / "info" / "attributes").unlink()


def filters_in_info(trap):
    trap.config(f'[filter "evil"]\n\tclean = "{trap.program}"\n')
    (trap.root / ".git" / "info" / "attributes").write_text("* filter=evil\n", encoding="utf-8")


def process_filter(trap):
    trap.config(f'[filter "evil"]\n\tprocess = "{trap.program}"\n')
    (trap.root / ".gitattributes").write_text("*.py filter=evil\n", encoding="utf-8")
    (trap.root / ".git" / "info" / "attributes").unlink()


def included(trap):
    (trap.root / ".chatdev").mkdir()
    (trap.root / ".chatdev" / "x").write_text(f'[core]\n\tfsmonitor = "{trap.program}"\n', encoding="utf-8")
    trap.config("[include]\n\tpath = ../.chatdev/x\n")


def worktree_config(trap):
    trap.config("[extensions]\n\tworktreeConfig = true\n")
    (trap.root / ".git" / "config.worktree").write_text(f'[core]\n\tfsmonitor = "{trap.program}"\n', encoding="utf-8")


def signing(trap):
    trap.config(f'[commit]\n\tgpgsign = true\n[gpg]\n\tprogram = "{trap.program}"\n[user]\n\tsigningkey = x\n')


def difference_driver(trap):
    trap.config(f'[diff]\n\texternal = "{trap.program}"\n[diff "evil"]\n\ttextconv = "{trap.program}"\n')
    (trap.root / ".gitattributes").write_text("*.py diff=evil\n", encoding="utf-8")


TRAPS = [hooks, hooks_elsewhere, fsmonitor, filters, filters_in_info, process_filter, included, worktree_config,
         signing, difference_driver]  # fmt: skip


@pytest.mark.parametrize("lay", TRAPS, ids=lambda lay: lay.__name__)
def test_the_trap_works_on_plain_git(trap, lay):
    lay(trap)
    trap.change("x = 1\n")
    git(trap.root, "diff")
    git(trap.root, "add", "-A")
    git(trap.root, "commit", "-m", "x")
    assert trap.canary.exists()


@pytest.mark.parametrize("lay", TRAPS, ids=lambda lay: lay.__name__)
@pytest.mark.parametrize("fresh", [False, True], ids=["opened before", "opened after"])
def test_no_trap_runs_and_everything_goes_on(trap, lay, fresh):
    lay(trap)
    history = History(trap.root) if fresh else trap.history
    history.init()
    trap.change("x = 1\n")
    assert "a.py" in history.dirty()
    assert "+x = 1" in history.diff("HEAD")
    made = history.commit("Second", "A", "a@a.invalid", {"Phase": "p"}, WHEN)
    assert "a.py" in [change.path for change in made.files]
    assert "+x = 1" in history.last_diff()
    history.tag("second")
    assert history.find("Phase", "p").sha == made.sha
    (trap.root / ".gitignore").write_text("*.log\n", encoding="utf-8")
    assert "a.py" in Workspace(trap.root).texts()
    history.restore("HEAD~1")
    assert (trap.root / "a.py").read_text(encoding="utf-8") == "x = 0\n"
    history.commit("Third", "A", "a@a.invalid", {}, WHEN)
    copy = History(trap.root.parent / "copy")
    copy.import_from(trap.root)
    assert len(copy.commits()) >= 3
    assert not trap.canary.exists()


def test_refused_settings_are_told_and_kept_aside_harmless_ones_stay(trap):
    trap.config(
        '[remote "origin"]\n\turl = https://example.invalid/a.git\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n'
    )
    fsmonitor(trap)
    trap.config("[alias]\n\tst = status\n")
    trap.history.dirty()
    assert "core.fsmonitor" in trap.history.notices[0]
    config = (trap.root / ".git" / "config").read_text(encoding="utf-8")
    assert "fsmonitor" not in config
    assert "fsmonitor" in (trap.root / ".git" / "config.refused").read_text(encoding="utf-8")
    assert git(trap.root, "config", "remote.origin.fetch").stdout.strip() == "+refs/heads/*:refs/remotes/origin/*"
    trap.history.dirty()
    assert len(trap.history.notices) == 1


def test_a_configuration_that_cannot_be_read(trap):
    trap.config("[core\nnonsense")
    trap.change("x = 1\n")
    assert trap.history.commit("Second", "A", "a@a.invalid", {}, WHEN) is not None
    assert "unreadable" in trap.history.notices[0]


@pytest.mark.parametrize("setting", ["worktree = ..", "worktree = /", "bare = true"])
def test_the_working_tree_cannot_be_moved(trap, setting):
    (trap.root.parent / "neighbour.txt").write_text("x", encoding="utf-8")
    trap.config(f"[core]\n\t{setting}\n")
    trap.change("x = 1\n")
    made = trap.history.commit("Second", "A", "a@a.invalid", {}, WHEN)
    assert [change.path for change in made.files] == ["a.py"]


def test_another_common_directory_is_not_used(trap):
    other = trap.root.parent / "other"
    subprocess.run(["git", "init", "-q", str(other)], check=True)
    with (other / ".git" / "config").open("a", encoding="utf-8") as out:
        out.write(f'[core]\n\tfsmonitor = "{trap.program}"\n')
    (trap.root / ".git" / "commondir").write_text(str(other / ".git"), encoding="utf-8")
    trap.change("x = 1\n")
    assert trap.history.dirty() == ["a.py"]
    assert not trap.canary.exists()
    assert "commondir" in trap.history.notices[0]


@pytest.mark.parametrize("pointer", ["link", "file"])
def test_a_repository_that_lies_elsewhere_is_refused(trap, pointer):
    elsewhere = trap.root.parent / "elsewhere.git"
    (trap.root / ".git").rename(elsewhere)
    if pointer == "link":
        (trap.root / ".git").symlink_to(elsewhere)
    else:
        (trap.root / ".git").write_text(f"gitdir: {elsewhere}\n", encoding="utf-8")
    with pytest.raises(UserError, match="no git repository of its own"):
        trap.history.dirty()
