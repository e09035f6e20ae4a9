"""Files on a real disk: what is planned, what is written, and that nothing is ever written outside."""

import os
import stat
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatdev.software import disk
from chatdev.software.blocks import FileBlock, ReplyBlocks, parse_reply, render_file
from chatdev.software.disk import UnsafePath
from chatdev.software.history import History
from chatdev.software.paths import BadPath
from chatdev.software.workspace import Change, Workspace, WorkspaceLimits

links = pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a privilege there")


def blocks(*files, deletes=()):
    return ReplyBlocks(files=[FileBlock(path, text, 1, "tag") for path, text in files], deletes=list(deletes))


def do(workspace, *files, deletes=()):
    plan = workspace.plan(blocks(*files, deletes=deletes))
    return workspace.apply(plan), [problem.message for problem in plan.problems]


@pytest.fixture(params=["by descriptor", "by name"])
def work(tmp_path, request, monkeypatch):
    """A small product, written in the way of Linux and macOS and in the way of Windows."""
    if request.param == "by name":
        monkeypatch.setattr(disk, "_BY_DESCRIPTOR", False)
    elif not disk._BY_DESCRIPTOR:
        pytest.skip("this system has no descriptors of folders")
    (tmp_path / "product").mkdir()
    return Workspace(tmp_path / "product", WorkspaceLimits(file_bytes=1000, files=10, project_bytes=3000))


def test_a_reply_becomes_exactly_these_files(work):
    reply = render_file("src/game.py", "x = 1\r\n\n\n") + render_file("README.md", "# é\n")
    work.apply(work.plan(parse_reply(reply)))
    assert (work.root / "src/game.py").read_bytes() == b"x = 1\r\n\n\n"
    assert work.texts() == {"README.md": "# é\n", "src/game.py": "x = 1\r\n\n\n"}
    assert work.read_text("src/game.py") == "x = 1\r\n\n\n"
    assert [info.size for info in work.files().values()] == [5, 9]
    assert not list(work.root.rglob(".chatdev-new-*"))


def test_create_modify_delete_and_nothing(work):
    assert do(work, ("a.py", "x = 1\n"), ("b/c.py", "")) == (
        [Change("a.py", "create", "x = 1\n"), Change("b/c.py", "create", "")],
        [],
    )
    assert do(work, ("a.py", "x = 1\n")) == ([], [])
    assert do(work, ("a.py", "x = 2\n"), deletes=["b/c.py"]) == (
        [Change("b/c.py", "delete"), Change("a.py", "modify", "x = 2\n")],
        [],
    )
    assert list(work.files()) == ["a.py"]
    assert not (work.root / "b").exists()


@pytest.mark.skipif(not sys.platform.startswith(("linux", "darwin")), reason="what these two are known to have")
def test_descriptors_are_used_where_there_are_any():
    assert disk._BY_DESCRIPTOR


def test_planning_touches_nothing(work):
    work.plan(blocks(("a/b.py", "x = 1\n")))
    assert list(work.root.iterdir()) == []


def test_a_bad_path_is_named_and_the_rest_is_written(work):
    changes, problems = do(work, ("../out.py", "x\n"), (".git/hooks/pre-commit", "x\n"), ("ok.py", "x = 1\n"))
    assert [change.path for change in changes] == ["ok.py"]
    assert "'../out.py'" in problems[0]
    assert "git" in problems[1]
    assert not (work.root.parent / "out.py").exists()


@pytest.mark.parametrize(
    ("path", "text", "line", "words"),
    [
        ("a.py", "x = 1\ndef f(:\n", 2, "Python syntax error"),
        ("a.py", "def f():\nreturn 1\n", 2, "indented block"),
        ("a.json", '{"a": 1\n"b": 2}', 2, "not JSON"),
        ("a.toml", "a = 1\nb = \n", 2, "not TOML"),
        ("a.yaml", "a: 1\nb: [1,\n", 3, "not YAML"),
        ("a.svg", "<svg>\n<g>\n</svg>", 3, "not well-formed"),
        ("a.xml", '<!DOCTYPE x [<!ENTITY a "b">]>\n<x>&a;</x>', 1, "entities"),
    ],
)
def test_a_file_that_does_not_parse_is_told_with_its_line_and_still_placed(work, path, text, line, words):
    plan = work.plan(blocks((path, text)))
    (problem,) = plan.problems
    assert (problem.path, problem.line) == (path, line)
    assert words in problem.message
    assert f"{path}, line {line}" in problem.message
    assert [change.path for change in plan.changes] == [path]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("tsconfig.json", "{\n// a comment\n}"),
        ("a.yaml", "!Custom {a: 1}\n---\nb: 2\n"),
        ("a.py", "print('\\d')\n"),
        ("a.toml", "a = 1\r\n"),
        ("a.html", "<p>not closed"),
        ("empty.py", ""),
    ],
)
def test_what_is_only_unusual_passes(work, path, text):
    assert work.plan(blocks((path, text))).problems == []


def test_collisions_are_refused_unless_the_other_goes(work):
    do(work, ("A.py", "x = 1\n"), ("lib", "text\n"), ("pkg/m.py", ""))
    _, problems = do(work, ("a.py", ""), ("lib/x.py", ""), ("pkg", ""))
    assert [problem.split(" ", 1)[0] for problem in problems] == ["a.py", "lib/x.py", "pkg"]
    _, problems = do(work, ("lib/x.py", ""), ("pkg", "now a file\n"), deletes=["lib", "pkg/m.py"])
    assert problems == []
    assert sorted(work.files()) == ["A.py", "lib/x.py", "pkg"]


def test_renaming_by_case_alone(work):
    do(work, ("A.py", "x = 1\n"))
    _, problems = do(work, ("a.py", "x = 1\n"), deletes=["A.py"])
    assert problems == []
    assert [path.name for path in work.root.iterdir()] == ["a.py"]


def test_each_limit_is_named(work):
    assert "1001 bytes; a file may have 1000" in do(work, ("a.txt", "x" * 1001))[1][0]
    _, problems = do(work, *((f"{n}.txt", "x" * 290) for n in range(12)))
    assert ["may have 10 files" in problem for problem in problems] == [True, True]
    assert "would have 3010 bytes; it may have 3000" in do(work, ("0.txt", "y" * 400))[1][0]
    assert do(work, ("0.txt", "y" * 390))[1] == []


def test_text_that_cannot_be_written(work):
    assert "valid Unicode" in do(work, ("a.txt", "a\ud800"))[1][0]
    assert "NUL" in do(work, ("a.txt", "a\0"))[1][0]


def test_attributes_may_not_name_filters(work):
    assert "filter" in do(work, (".gitattributes", "*.py filter=evil\n"))[1][0]
    assert do(work, (".gitattributes", "# filter=none\n*.py text eol=lf diff=python\n"))[1] == []


def test_deletions_that_make_no_sense(work):
    do(work, ("a/b.py", ""))
    plan = work.plan(blocks(deletes=["a", "gone.py", "../x"]))
    assert not plan.changes
    assert ["a is a folder" in problem.message for problem in plan.problems] == [True, False]
    assert "gone.py" in plan.notices[0]


def test_pictures(work):
    png = b"\x89PNG\r\n\x1a\n\0\0"
    assert work.write_bytes("art/a.png", png) == Change("art/a.png", "create")
    assert work.write_bytes("art/a.png", png) is None
    assert work.write_bytes("art/a.png", png + b"x") == Change("art/a.png", "modify")
    assert list(work.files()) == ["art/a.png"]
    assert not work.files()["art/a.png"].text
    assert work.texts() == {}
    for path, data in (("../a.png", png), ("Art/b.png", png), ("b.png", b"x" * 1001)):
        with pytest.raises(BadPath):
            work.write_bytes(path, data)


def test_what_is_not_software_is_not_listed(work):
    History(work.root).init()
    do(work, ("main.py", "x = 1\n"), (".gitignore", "*.log\nout/\n"), ("keep.txt", "x\n"))
    for path in (
        ".chatdev/journal.jsonl",
        "__pycache__/m.pyc",
        "a.log",
        "out/x.txt",
        "node_modules/m/i.js",
        "sub/m.pyc",
    ):
        (work.root / path).parent.mkdir(parents=True, exist_ok=True)
        (work.root / path).write_text("x", encoding="utf-8")
    (work.root / "latin.txt").write_bytes("é".encode("latin-1"))
    assert list(work.files()) == [".gitignore", "keep.txt", "latin.txt", "main.py"]
    assert list(work.texts()) == [".gitignore", "keep.txt", "main.py"]


@pytest.mark.skipif(sys.platform == "win32", reason="no permission bits there")
def test_a_file_stays_executable(work):
    do(work, ("run.sh", "echo 1\n"))
    assert not (work.root / "run.sh").stat().st_mode & stat.S_IXUSR
    (work.root / "run.sh").chmod(0o755)
    do(work, ("run.sh", "echo 2\n"))
    assert (work.root / "run.sh").stat().st_mode & stat.S_IXUSR


# --- links a program may have left behind


@pytest.fixture
def trap(work):
    """A product full of links that lead out, beside a folder that must never change."""
    outside = work.root.parent / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret\n", encoding="utf-8")
    (work.root / "out").symlink_to(outside, target_is_directory=True)
    (work.root / "up").symlink_to("..")
    (work.root / "deep").mkdir()
    (work.root / "deep" / "out").symlink_to(outside)
    (work.root / "file.txt").symlink_to(outside / "secret.txt")
    (work.root / "new.txt").symlink_to(outside / "made.txt")
    (work.root / "loop").symlink_to("loop")
    yield work
    assert untouched(work)
    assert {path.name for path in work.root.parent.iterdir()} == {"product", "outside"}


def untouched(trap):
    """Whether the folder beside a trap is as it was."""
    outside = trap.root.parent / "outside"
    texts = {path.name: path.read_text(encoding="utf-8") for path in outside.iterdir()}
    return texts == {"secret.txt": "secret\n"}


NAMES = ["out/x.py", "up/x.py", "deep/out/x.py", "file.txt", "new.txt", "loop", "loop/x", "out/secret.txt", "out"]


@links
@pytest.mark.parametrize("path", NAMES)
def test_links_are_refused_when_planned(trap, path):
    changes, problems = do(trap, (path, "x = 1\n"))
    assert changes == []
    assert "symbolic link" in problems[0]


@links
@pytest.mark.parametrize("path", NAMES)
def test_links_are_refused_when_writing_pictures_and_reading(trap, path):
    with pytest.raises((BadPath, UnsafePath)):
        trap.write_bytes(path, b"x")
    with pytest.raises(OSError):  # noqa: PT011 - UnsafePath or FileNotFoundError, both are OSError
        trap.read_text(path)
    assert trap.files() == {}
    assert trap.texts() == {}


@links
@pytest.mark.parametrize("path", NAMES)
def test_links_are_not_deleted_through(trap, path):
    plan = trap.plan(blocks(deletes=[path]))
    assert plan.changes == []


@links
@pytest.mark.parametrize("path", ["sub/x.py", "sub/a/b/x.py", "x.py"])
def test_a_link_put_there_after_planning_is_refused_when_writing(trap, path):
    plan = trap.plan(blocks((path, "x = 1\n")))
    (trap.root / path.split("/")[0]).symlink_to(trap.root.parent / "outside")
    with pytest.raises(UnsafePath):
        trap.apply(plan)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes there")
def test_a_named_pipe_blocks_nobody(work):
    os.mkfifo(work.root / "pipe.txt")
    assert work.texts() == {}
    assert do(work, ("pipe.txt", "x\n"))[0] == []
    with pytest.raises(UnsafePath):
        work.read_text("pipe.txt")


@links
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(["a", "out", "up", "..", ".", "deep", "x.py", "file.txt", ".git", "/"]), min_size=1, max_size=5
    ),
    st.sampled_from(["/", "\\", "//", "/./"]),
)
def test_no_mixture_of_names_and_links_leads_outside(trap, parts, between):
    path = between.join(parts)
    do(trap, (path, "x = 1\n"))
    do(trap, deletes=[path])
    assert untouched(trap)


def test_limits_count_from_what_the_run_was_given(tmp_path):
    for number in range(12):
        (tmp_path / f"old{number}.py").write_text("x" * 400, encoding="utf-8")
    tight = WorkspaceLimits(file_bytes=1000, files=2, project_bytes=1000)
    _, told = do(Workspace(tmp_path, tight), ("new.py", "y = 1\n"))
    assert told == ["new.py was not written: the software may have 2 files and has them already"]
    given = WorkspaceLimits(file_bytes=1000, files=2, project_bytes=1000, given_files=12, given_bytes=4800)
    work = Workspace(tmp_path, given)
    done, told = do(work, ("a.txt", "y" * 500), ("b.txt", "y" * 400), ("c.txt", "y"))
    assert [change.path for change in done] == ["a.txt", "b.txt"]
    assert told == ["c.txt was not written: the software may have 14 files and has them already"]
    _, told = do(work, ("a.txt", "y" * 700))
    assert told == ["a.txt was not written: the software would have 5900 bytes; it may have 5800"]
    with pytest.raises(BadPath):
        work.write_bytes("a.txt", b"y" * 700)


def test_what_is_too_large_already_may_become_smaller(tmp_path):
    (tmp_path / "a.txt").write_text("x" * 900, encoding="utf-8")
    work = Workspace(tmp_path, WorkspaceLimits(file_bytes=1000, files=2, project_bytes=500))
    assert do(work, ("a.txt", "x" * 800)) == ([Change("a.txt", "modify", "x" * 800)], [])
