"""Starting from an existing folder or repository, the user's own or a stranger's."""

import os
import subprocess
import sys

import pytest

from chatdev.errors import UserError
from chatdev.software import importing
from chatdev.software.history import History

links = pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege there")


def git(folder, *arguments):
    return subprocess.run(
        ["git", "-c", "protocol.file.allow=always", "-c", "user.name=Ann", "-c", "user.email=ann@x", *arguments],
        cwd=folder, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def put(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


@pytest.fixture
def source(tmp_path):
    """A repository with two commits, a tag, sub-folders, ignored files and work that was never committed."""
    root = tmp_path / "source"
    root.mkdir()
    git(root, "init", "-q", "-b", "trunk")
    put(root, {"app.py": "x = 1\n", "src/pkg/m.py": "y = 1\n", ".gitignore": "*.log\nbuild/\n", "old.py": "z = 1\n"})
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "Ann's first")
    git(root, "tag", "-a", "v1.0", "-m", "release")
    put(root, {"app.py": "x = 2\n"})
    git(root, "commit", "-q", "-am", "Ann's second")
    put(root, {"app.py": "x = 3\n", "new.py": "n = 1\n", "a.log": "log", "build/x": "built", "__pycache__/m.pyc": "c"})
    (root / "old.py").unlink()
    return root


@pytest.fixture
def history(tmp_path):
    return History(tmp_path / "product")


def names(root):
    return sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and ".git/" not in path.relative_to(root).as_posix()
    )


def test_a_repository_brings_its_history_and_its_work(history, source):
    assert history.import_from(source, 1_790_000_000) == 4
    assert names(history.root) == [".gitignore", "app.py", "new.py", "src/pkg/m.py"]
    assert (history.root / "app.py").read_text(encoding="utf-8") == "x = 3\n"
    commits = history.commits()
    assert [(c.message, c.author) for c in commits] == [
        ("Start from source", "ChatDev"), ("Ann's second", "Ann"), ("Ann's first", "Ann"),
    ]  # fmt: skip
    assert int(commits[0].date.timestamp()) == 1_790_000_000
    assert [(f.path, f.status) for f in history.find("Phase", "import").files] == [
        ("app.py", "modified"), ("new.py", "created"), ("old.py", "deleted"),
    ]  # fmt: skip
    assert list(history.tags()) == ["imported/v1.0"]
    assert "+x = 2" in history.diff("imported/v1.0", "HEAD~1")
    assert history.dirty() == []
    assert git(history.root, "branch", "--show-current").strip() == "main"
    git(history.root, "fsck", "--strict")
    assert git(history.root, "remote").strip() == ""


def test_the_source_is_needed_no_more_and_was_not_touched(history, source):
    before = {path: path.stat().st_mtime_ns for path in source.rglob("*")}
    history.import_from(source)
    assert {path: path.stat().st_mtime_ns for path in source.rglob("*")} == before
    source.rename(source.parent / "moved")
    assert "Ann's first" in git(history.root, "log", "--stat")


def test_importing_again_after_a_crash_changes_nothing(history, source):
    history.import_from(source, 5)
    first = history.head()
    assert history.import_from(source, 5) == 4
    assert history.head() == first


def test_a_plain_folder_comes_with_its_sub_folders(history, tmp_path):
    put(tmp_path / "plain", {"main.py": "x = 1\n", "a/b/c/deep.py": "y = 1\n", ".env": "k=v\n", "sub/.git/config": "x"})
    assert history.import_from(tmp_path / "plain") == 3
    assert names(history.root) == [".env", "a/b/c/deep.py", "main.py"]
    assert [c.message for c in history.commits()] == ["Start from plain"]


def test_packed_references_worktrees_shallow_and_bare_sources(tmp_path, source):
    git(source, "gc", "-q")
    git(source, "worktree", "add", "-q", "../tree", "-b", "side")
    git(tmp_path, "clone", "-q", "--bare", str(source), "bare")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{source}", "shallow")
    for name, count in (("source", 3), ("tree", 2), ("bare", 2), ("shallow", 1)):
        history = History(tmp_path / f"from-{name}")
        history.import_from(tmp_path / name)
        assert len(history.commits()) == count, name
        assert "src/pkg/m.py" in names(history.root)
        assert history.dirty() == []
        git(history.root, "fsck")


def test_detached_and_empty_repositories(tmp_path, source):
    git(source, "checkout", "-q", "--force", "v1.0")
    history = History(tmp_path / "a")
    history.import_from(source)
    assert [c.message for c in history.commits()][-1] == "Ann's first"
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "-q")
    put(tmp_path / "empty", {"a.py": "x = 1\n"})
    history = History(tmp_path / "b")
    assert history.import_from(tmp_path / "empty") == 1
    assert [c.message for c in history.commits()] == ["Start from empty"]
    (tmp_path / "nothing").mkdir()
    history = History(tmp_path / "c")
    assert history.import_from(tmp_path / "nothing") == 0
    assert history.commits() == []


def test_submodules_come_as_files(tmp_path, source):
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "--quiet", "add", str(source), "vendor/lib")
    git(outer, "commit", "-q", "-m", "With a submodule")
    history = History(tmp_path / "product")
    history.import_from(outer)
    assert "vendor/lib/app.py" in git(history.root, "ls-files").split()
    assert "160000" not in git(history.root, "ls-files", "--stage")
    assert history.dirty() == []


@links
def test_links_are_not_followed_and_not_kept(history, source, tmp_path):
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    (source / "link").symlink_to(tmp_path / "secret")
    (source / "up").symlink_to("..")
    git(source, "add", "-A")
    git(source, "commit", "-q", "-m", "with links")
    (source / "loop").symlink_to(".")
    assert history.import_from(source) == 4
    assert history.new_notices() == ["symbolic links were left out: link, loop, up"]
    assert history.new_notices() == []
    assert not any(path.is_symlink() for path in history.root.rglob("*"))
    assert "120000" not in git(history.root, "ls-files", "--stage")


@pytest.mark.skipif(sys.platform == "win32", reason="the traps are shell scripts")
def test_a_hostile_repository_runs_nothing(history, source, tmp_path):
    canary, program = tmp_path / "canary", tmp_path / "evil.sh"
    program.write_text(f"#!/bin/sh\ntouch '{canary}'\ncat\n", encoding="utf-8")
    program.chmod(0o755)
    with (source / ".git" / "config").open("a", encoding="utf-8") as config:
        config.write(
            f'[core]\n\tfsmonitor = "{program}"\n\thooksPath = {tmp_path}\n\tsshCommand = "{program}"\n\tworktree = /\n'
            f'[uploadpack]\n\tpackObjectsHook = "{program}"\n'
            f'[filter "e"]\n\tclean = "{program}"\n\tsmudge = "{program}"\n'
            f'[remote "origin"]\n\turl = ssh://x.invalid/y\n\tpromisor = true\n'
        )
    (source / ".gitattributes").write_text("* filter=e\n", encoding="utf-8")
    history.import_from(source)
    assert len(history.commits()) == 3
    assert not canary.exists()
    assert "evil" not in (history.root / ".git" / "config").read_text(encoding="utf-8")


def test_a_damaged_history_is_a_user_error(history, source):
    for pack in (source / ".git" / "objects").rglob("*"):
        if pack.is_file():
            pack.chmod(0o600)
            pack.write_bytes(b"broken")
    with pytest.raises(UserError, match="history of this repository cannot be read"):
        history.import_from(source)


def test_too_large_missing_and_recursive_sources(history, source, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="no such folder"):
        history.import_from(tmp_path / "missing")
    with pytest.raises(UserError, match="inside the folder"):
        History(source / "product").import_from(source)
    monkeypatch.setattr(importing, "MOST_FILES", 3)
    with pytest.raises(UserError, match="at most 3 files"):
        history.import_from(source)


@pytest.mark.skipif(sys.platform == "win32" or os.sep != "/", reason="no such names there")
@pytest.mark.parametrize("name", ['with "quotes"', "co:lon", "sp ace ü", "back\\slash", "-rf"])
def test_odd_folder_names(tmp_path, source, name):
    source.rename(tmp_path / name)
    history = History(tmp_path / "product")
    assert history.import_from(tmp_path / name) == 4
    assert len(history.commits()) == 3


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        (".git", b"gitdir: /nowhere/\0/.git\n", "points to no repository"),
        (".git", b"gitdir: " + b"x" * 9_000, "points to no repository"),
        (".git", b"\xff\xfe", "points to no repository"),
        (".git", b"", "points to no repository"),
        (".git/HEAD", b"ref: refs/heads/\xff\xfe\n", "HEAD names neither"),
        (".git/HEAD", b"\0\0\0", "HEAD names neither"),
        (".git/HEAD", b"", "HEAD names neither"),
        (".git/commondir", b"\0", "git folder leads nowhere"),
    ],
)
def test_a_broken_repository_is_taken_as_a_folder_and_said_so(history, source, file, content, words):
    if file == ".git":
        (source / ".git").rename(source.parent / "elsewhere")
    (source / file).write_bytes(content)
    history.import_from(source, 1_790_000_000)
    assert names(history.root) == [".gitignore", "app.py", "new.py", "src/pkg/m.py"]
    assert [commit.message for commit in history.commits()] == ["Start from source"]
    assert [words in notice for notice in history.git.notices] == [True]


def test_a_branch_may_have_a_name_in_any_language(history, source):
    git(source, "checkout", "-q", "-b", "größe/蛇")
    history.import_from(source, 1_790_000_000)
    assert [commit.message for commit in history.commits()][1:] == ["Ann's second", "Ann's first"]
    assert history.git.notices == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told_in_one_line(history, source):
    (source / "app.py").chmod(0)
    with pytest.raises(UserError, match=r"app\.py: it cannot be read"):
        history.import_from(source, 1_790_000_000)
