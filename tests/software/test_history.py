"""The history of a product, with real git."""

import os
import subprocess
import sys
import time
from datetime import datetime, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatdev.errors import UserError
from chatdev.software.history import FileChange, History

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
links = pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege there")


def git(folder, *arguments):
    """git as a person runs it, to look at what came out."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, encoding="utf-8", check=True
    )
    return done.stdout


def put(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", ".").replace("___", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture
def history(tmp_path):
    made = History(tmp_path / "product")
    made.init()
    return made


def commit(history, message="Work", **more):
    return history.commit(message, "Programmer", "programmer@chatdev.invalid", more, WHEN)


def test_a_commit_tells_who_why_and_what(history):
    put(history.root, a__py="x = 1\ny = 2\n", b__txt="old\n")
    first = commit(history, "Coding [coding]", Phase="coding", Turn="coding/1", Journal="coding/committed1")
    assert first.files == [FileChange("a.py", "created", 2, 0), FileChange("b.txt", "created", 1, 0)]
    put(history.root, a__py="x = 1\ny = 3\nz = 4\n")
    (history.root / "b.txt").unlink()
    (history.root / "c.png").write_bytes(b"\x89PNG\0\0")
    second = commit(history, "Review [review.1]", Phase="code_review")
    assert second.files == [
        FileChange("a.py", "modified", 2, 1),
        FileChange("b.txt", "deleted", 0, 1),
        FileChange("c.png", "created", None, None),
    ]
    assert git(history.root, "log", "-1", "--format=%an|%ae|%cn|%ce|%aI|%cI").strip() == (
        "Programmer|programmer@chatdev.invalid|Programmer|programmer@chatdev.invalid"
        "|2026-01-02T03:04:05+00:00|2026-01-02T03:04:05+00:00"
    )
    assert git(history.root, "log", "-1", "--format=%(trailers:key=Journal,valueonly)", "HEAD~1").strip() == (
        "coding/committed1"
    )
    assert [(c.sha, c.message, c.trailers) for c in history.commits()] == [
        (second.sha, "Review [review.1]", {"Phase": "code_review"}),
        (first.sha, "Coding [coding]", {"Phase": "coding", "Turn": "coding/1", "Journal": "coding/committed1"}),
    ]
    assert git(history.root, "branch", "--show-current").strip() == "main"
    assert git(history.root, "status", "--porcelain") == ""


def test_nothing_changed_is_no_commit(history):
    assert commit(history) is None
    assert history.head() is None
    assert history.commits() == []
    assert history.last_diff() == ""
    put(history.root, a__py="x = 1\n")
    made = commit(history)
    assert commit(history) is None
    assert history.head() == made.sha


def test_a_commit_is_found_by_its_trailer(history):
    for number in range(3):
        put(history.root, a__py=f"x = {number}\n")
        commit(history, Journal=f"coding/{number}")
    assert history.find("Journal", "coding/1").files == [FileChange("a.py", "modified", 1, 1)]
    assert history.find("Journal", "coding/9") is None
    assert history.find("Journal", "coding") is None
    assert history.find("Phase", "coding/1") is None


def test_a_message_cannot_pose_as_a_trailer(history):
    put(history.root, a__py="x = 1\n")
    commit(history, "x\n\nJournal: stolen", Journal="true\nJournal: stolen", Phase="a\0b\x1b[2J")
    assert history.find("Journal", "stolen") is None
    (only,) = history.commits()
    assert only.trailers == {"Journal": "true Journal: stolen", "Phase": "a b [2J"}
    assert only.message == "x"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40), st.text(max_size=20), st.text(max_size=30))
def test_any_text_may_be_message_name_and_trailer(history, message, name, value):
    put(history.root, a__py=f"x = {time.perf_counter_ns()}\n")
    made = history.commit(message, name, name, {"Phase": "coding", "Turn": value}, WHEN)
    assert made.trailers["Phase"] == "coding"
    assert history.commits()[0].message == made.message


def test_the_same_work_gives_the_same_ids(tmp_path, monkeypatch):
    ids = []
    for name, zone in (("a", "UTC"), ("b", "Asia/Tokyo")):
        monkeypatch.setenv("TZ", zone)
        history = History(tmp_path / name)
        history.init()
        put(history.root, a__py="x = 1\n", b__py="y = 1\n")
        commit(history, Phase="coding")
        put(history.root, a__py="x = 2\n")
        ids.append(commit(history, Phase="coding").sha)
    assert ids[0] == ids[1]


def test_no_identity_and_a_foreign_environment_do_not_matter(tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".gitconfig").write_text(
        "[user]\n\tname = Wrong\n[core]\n\texcludesFile = ~/ignore\n[commit]\n\tgpgsign = true\n", encoding="utf-8"
    )
    (elsewhere / "ignore").write_text("*.py\n", encoding="utf-8")
    foreign = {
        "HOME": str(elsewhere),
        "XDG_CONFIG_HOME": str(elsewhere),
        "GIT_DIR": str(elsewhere / "x.git"),
        "GIT_WORK_TREE": str(elsewhere),
        "GIT_INDEX_FILE": str(elsewhere / "index"),
        "GIT_AUTHOR_NAME": "Wrong",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "user.name",
        "GIT_CONFIG_VALUE_0": "Wrong",
        "LANG": "de_DE.UTF-8",
    }
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)
    history = History(tmp_path / "product")
    history.init()
    put(history.root, a__py="x = 1\n")
    assert commit(history).author == "Programmer"
    assert sorted(path.name for path in elsewhere.iterdir()) == [".gitconfig", "ignore"]


def test_what_is_ignored_or_ours_is_not_committed(history):
    put(history.root, a__py="x = 1\n", __gitignore="*.log\n", b__log="x")
    for folder in (".chatdev", "__pycache__", "node_modules", "sub/__pycache__"):
        (history.root / folder).mkdir(parents=True)
        (history.root / folder / "x.json").write_text("{}", encoding="utf-8")
    assert [change.path for change in commit(history).files] == [".gitignore", "a.py"]
    assert history.dirty() == []


def test_dirty_names_every_difference(history):
    put(history.root, a__py="x = 1\n", b__py="y = 1\n")
    commit(history)
    put(history.root, a__py="x = 2\n")
    (history.root / "b.py").unlink()
    (history.root / "ä b").mkdir()
    (history.root / "ä b" / "c d.txt").write_text("x", encoding="utf-8")
    assert history.dirty() == ["a.py", "b.py", "ä b/c d.txt"]


@links
def test_links_and_inner_repositories_are_left_out_and_named(history, tmp_path):
    put(history.root, a__py="x = 1\n")
    (history.root / "lib").mkdir()
    (history.root / "lib" / "m.py").write_text("y = 1\n", encoding="utf-8")
    commit(history)
    (history.root / "out").symlink_to("/")
    (history.root / "lib" / "m.py").unlink()
    (history.root / "lib").rmdir()
    (history.root / "lib").symlink_to(tmp_path)
    subprocess.run(["git", "init", "-q", str(history.root / "inner")], check=True)
    (history.root / "inner" / "x").write_text("x", encoding="utf-8")
    put(history.root, a__py="x = 2\n")
    made = commit(history)
    assert made.left_out == ["inner", "lib", "out"]
    assert [(change.path, change.status) for change in made.files] == [("a.py", "modified"), ("lib/m.py", "deleted")]
    assert git(history.root, "ls-files", "--stage").count("100644") == 1
    assert history.dirty() == []


def test_tags_stay_where_they_are(history):
    with pytest.raises(UserError, match="no commit"):
        history.tag("coding")
    put(history.root, a__py="x = 1\n")
    first = commit(history)
    assert history.tag("review.1/code review; rm -rf ~") == "review.1-code-review-rm-rf"
    assert history.tag("../..") == "version"
    assert history.tag("a.lock") == "a"
    put(history.root, a__py="x = 2\n")
    commit(history)
    assert history.tag("review.1/code review; rm -rf ~") == "review.1-code-review-rm-rf"
    assert set(history.tags().values()) == {first.sha}


def test_differences(history):
    put(history.root, a__py="x = 1\n")
    first = commit(history)
    history.tag("coding")
    put(history.root, a__py="x = 2\n")
    second = commit(history)
    assert "-x = 1\n+x = 2\n" in history.diff(first.sha, second.sha)
    assert history.diff("coding", "HEAD") == history.diff("HEAD~1", second.sha) == history.last_diff().lstrip("\n")
    put(history.root, new__py="z = 1\n")
    assert "+z = 1" in history.diff("HEAD")
    assert history.diff("HEAD", "HEAD") == ""
    assert history.dirty() == ["new.py"]
    for wrong in ("nothing", "--output=/tmp/x", "-p", "HEAD:a.py", "", "a b", "@{upstream}"):
        with pytest.raises(UserError):
            history.diff(wrong)


def test_a_change_of_the_same_size_in_the_second_of_the_commit_is_seen(history):
    """git compares whole seconds and sizes; what saves it is the time of its index, which a copy must keep."""
    for number in range(20):
        put(history.root, a__py=f"x = {number % 10}\n")
        commit(history)
        put(history.root, a__py="x = y\n")
        committed, changed = (history.root / ".git" / "index").stat().st_mtime, (history.root / "a.py").stat().st_mtime
        if int(committed) == int(changed):
            break
    time.sleep(1.01 - changed % 1)
    assert "+x = y" in history.diff("HEAD")


def test_going_back_is_a_new_commit_and_loses_nothing(history):
    put(history.root, a__py="x = 1\n", b__py="y = 1\n", __gitignore="*.log\n")
    first = commit(history)
    put(history.root, a__py="x = 2\n", c__py="z = 1\n")
    (history.root / "b.py").unlink()
    commit(history)
    put(history.root, a__py="x = 3\n", d__py="unsaved\n", e__log="kept")
    assert history.restore(first.sha) == first.sha
    names = sorted(path.name for path in history.root.iterdir() if path.name != ".git")
    assert names == [".gitignore", "a.py", "b.py", "e.log"]
    assert (history.root / "a.py").read_text(encoding="utf-8") == "x = 1\n"
    back = commit(history, "Back to the first version")
    assert [(change.path, change.status) for change in back.files] == [
        ("a.py", "modified"), ("b.py", "created"), ("c.py", "deleted"),
    ]  # fmt: skip
    assert len(history.commits()) == 3
    (kept,) = git(history.root, "for-each-ref", "--format=%(refname)", "refs/taken-back").split()
    assert git(history.root, "show", f"{kept}:d.py") == "unsaved\n"
    assert git(history.root, "show", f"{kept}:a.py") == "x = 3\n"


@links
def test_going_back_replaces_links_and_follows_none(history, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (history.root / "src").mkdir()
    (history.root / "src" / "m.py").write_text("x = 1\n", encoding="utf-8")
    commit(history)
    (history.root / "src" / "m.py").unlink()
    (history.root / "src").rmdir()
    (history.root / "src").symlink_to(outside)
    history.restore("HEAD")
    assert not (history.root / "src").is_symlink()
    assert (history.root / "src" / "m.py").read_text(encoding="utf-8") == "x = 1\n"
    assert list(outside.iterdir()) == []


def test_line_ends_and_attributes_change_no_byte(history):
    (history.root / ".gitattributes").write_text(
        "* text=auto eol=crlf ident working-tree-encoding=UTF-16\n", encoding="utf-8"
    )
    data = {"a.txt": b"one\r\ntwo\n", "b.txt": b"$Id$\n", "c.txt": b"\xff\xfe\x00"}
    for name, content in data.items():
        (history.root / name).write_bytes(content)
    commit(history)
    for name in data:
        (history.root / name).unlink()
    history.restore("HEAD")
    assert {name: (history.root / name).read_bytes() for name in data} == data


@pytest.mark.skipif(sys.platform == "win32", reason="such names cannot be made there")
def test_names_a_program_may_have_left(history):
    names = [":(exclude)a", "*", "-rf", "a\tb", "new\nline", '"quoted"', "ünï", "[x]", "!x", "#x"]
    for name in names:
        (history.root / name).write_text("x\n", encoding="utf-8")
    (history.root / "link*").symlink_to("/")
    assert sorted(change.path for change in commit(history).files) == sorted(names)
    assert history.dirty() == []


def test_a_lock_left_behind_by_a_killed_git(history):
    put(history.root, a__py="x = 1\n")
    lock = history.root / ".git" / "index.lock"
    lock.touch()
    os.utime(lock, (1, 1))
    assert commit(history) is not None
    assert any("index.lock" in notice for notice in history.notices)
    (history.root / ".git" / "refs" / "heads" / "main.lock").touch()
    assert history.stale_lock(patience=0) == ["refs/heads/main.lock"]
    assert history.stale_lock(patience=0) == []


def test_a_lock_in_use_is_waited_for(history):
    lock = history.root / ".git" / "index.lock"
    lock.touch()
    release = subprocess.Popen(
        [sys.executable, "-c", f"import time, pathlib; time.sleep(0.5); pathlib.Path({str(lock)!r}).unlink()"]
    )
    assert history.stale_lock(patience=60) == []
    assert release.wait() == 0


def test_a_folder_inside_another_repository_has_its_own(tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    history = History(tmp_path / "warehouse" / "snake")
    history.init()
    put(history.root, a__py="x = 1\n")
    commit(history)
    assert git(tmp_path, "status", "--porcelain", "--untracked-files=no") == ""
    assert git(history.root, "rev-parse", "--show-toplevel").strip() == str(history.root)
    with pytest.raises(UserError, match="no git repository"):
        History(tmp_path / "warehouse").dirty()
