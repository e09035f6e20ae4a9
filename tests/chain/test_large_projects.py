"""Of a repository far larger than any window, agents see what matters for the task, and what they ask for."""

import json
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.chain.filemap import file_map, relevance, words_of
from chatdev.chain.requests import MOST, Wanted, answer, wanted
from chatdev.chain.words import Words
from chatdev.run.journal import read_events
from chatdev.software.outline import outline
from tests.chain.house import chatdev, git, only_product

FOLDERS, EACH = 15, 20


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A git repository of 300 Python files and a few others, some 900 kB, with a history and a test that passes."""
    root = tmp_path_factory.mktemp("source") / "warehouse-keeper"
    for folder in range(FOLDERS):
        for number in range(EACH):
            path = root / f"depot{folder:02}" / f"shelf{number:02}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            body = "".join(f"    total += load * {line}  # weight of crate {line}\n" for line in range(40))
            path.write_text(
                f"def weigh_{folder}_{number}(load):\n    total = 0\n{body}    return total\n", encoding="utf-8"
            )
    (root / "game").mkdir()
    (root / "game" / "keyboard.py").write_text(
        "KEYS = {'q': 'quit'}\n\n\nclass Keyboard:\n    def pressed(self, key):\n        return KEYS.get(key)\n",
        encoding="utf-8",
    )
    (root / "game" / "long.py").write_text(
        "\n".join(f"def step_{n}():\n    return {n}\n" for n in range(9000)), encoding="utf-8"
    )
    (root / "web").mkdir()
    (root / "web" / "page.js").write_text("export function paint(canvas) {\n}\n", encoding="utf-8")
    (root / "tests").mkdir()
    (root / "tests" / "test_keyboard.py").write_text(
        "from game.keyboard import Keyboard\n\n\ndef test_quit():\n    assert Keyboard().pressed('q') == 'quit'\n",
        encoding="utf-8",
    )
    (root / "main.py").write_text(
        "from game.keyboard import Keyboard\n\nprint(Keyboard().pressed('q'))\n", encoding="utf-8"
    )
    me = ["-c", "user.name=Me", "-c", "user.email=me@example.invalid"]
    for command in (["init", "-q"], ["add", "-A"], [*me, "commit", "-qm", "My own work"]):
        subprocess.run(["git", "-C", str(root), *command], check=True)
    return root


NEW_KEYS = (
    "KEYS = {'q': 'quit', 'p': 'pause'}\n\n\n"
    "class Keyboard:\n    def pressed(self, key):\n        return KEYS.get(key)\n"
)
NEW_TEST = (
    "from game.keyboard import Keyboard\n\n\ndef test_quit():\n    assert Keyboard().pressed('q') == 'quit'\n\n\n"
    "def test_pause():\n    assert Keyboard().pressed('p') == 'pause'\n"
)
SCRIPT = {
    "replies": [
        {"hears": "Before anything is changed", "say": '<show path="web/page.js"/>\n<show path="game/long.py"/>\n'},
        {"hears": "game/long.py has 26999 lines",
         "say": '<show path="game/long.py" lines="4-5"/>\n<show path="gme/keyboard.py"/>'},
        {"hears": "lines 4 to 5", "say": "game/keyboard.py: the key p, and tests/test_keyboard.py."},
        {"hears": "Make the change", "say": f'<file path="game/keyboard.py">\n{NEW_KEYS}</file>\n'
         f'<file path="tests/test_keyboard.py">\n{NEW_TEST}</file>'},
        {"say": "<INFO> Finished", "times": "always"},
    ]
}  # fmt: skip


def test_a_repository_larger_than_any_window_is_gone_on_with(repository, tmp_path):
    (tmp_path / "s.yaml").write_text(json.dumps(SCRIPT), encoding="utf-8")
    done = chatdev(
        "--from", str(repository), "--task", "add a pause key", "--model", "scripted:s.yaml", "--sandbox", "host",
        "--set", "stream.window=8000", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    product = only_product(tmp_path)
    assert git(product, "log", "--format=%an").split() == ["Programmer", "Me"], (
        "the history is kept, and no more is added"
    )
    assert sorted(git(product, "show", "--format=", "--name-only").split()) == [
        "game/keyboard.py",
        "tests/test_keyboard.py",
    ]
    assert len(list(product.glob("depot*/shelf*.py"))) == FOLDERS * EACH
    assert git(repository, "status", "--porcelain") == ""
    events = read_events(product / ".chatdev" / "journal.jsonl")[0]
    told = [event["text"] for event in events if event.kind == "told"]
    assert max(map(len, told)) < 8000 * 3, "a prompt never outgrows the window"
    plan = told[0]
    assert '<file path="game/keyboard.py">' in plan, "what the task is about is shown at once"
    assert "depot14/ (20 more files)" in plan
    assert "export function paint" in told[1], "what was asked for comes with the next prompt"
    assert "     4   step_1()" in told[1] or "     4 step_1()" in told[1], (
        "a file too long to show comes as its outline"
    )
    assert "game/long.py, lines 4 to 5 of 26999:\ndef step_1():" in told[2]
    assert "There is no file gme/keyboard.py. Did you mean game/keyboard.py" in told[2]
    review = next(event["text"] for event in events if event.kind == "told" and event["phase"] == "change_review")
    assert "'p': 'pause'" in review or "is unchanged since" in review
    assert "weigh_" not in review.split("The other files")[0]


def test_a_run_that_was_stopped_asks_for_no_file_twice(repository, tmp_path):
    (tmp_path / "s.yaml").write_text(json.dumps(SCRIPT), encoding="utf-8")
    command = (
        "--from",
        str(repository),
        "--task",
        "add a pause key",
        "--model",
        "scripted:s.yaml",
        "--sandbox",
        "none",
    )
    assert chatdev(*command, "--set", "limits.turns=2", cwd=tmp_path).returncode == 4
    product = only_product(tmp_path)
    assert chatdev("resume", product.name, "--set", "limits.turns=20", cwd=tmp_path).returncode == 3
    keys = [
        event.key for event in read_events(product / ".chatdev" / "journal.jsonl")[0] if event.kind in ("told", "said")
    ]
    assert len(keys) == len(set(keys))
    assert "'p': 'pause'" in (product / "game" / "keyboard.py").read_text(encoding="utf-8")


def test_definitions_are_read_from_python_and_from_what_begins_them_elsewhere():
    def names(path, text):
        return [one.name for one in outline(path, text)]

    assert names("a.py", "SIZE = 3\nclass A:\n    def run(self): ...\nasync def go(): ...\n") == [
        "SIZE",
        "A",
        "run()",
        "go()",
    ]
    assert names("a.js", "export class Game {\n}\nfunction draw() {}\nconst step = (x) => x\nlet n = 3\n") == [
        "Game",
        "draw()",
        "step()",
    ]
    assert names("a.go", "type Board struct {\n}\nfunc (b *Board) Move(x int) {\n}\n") == ["Board", "Move()"]
    assert names("a.rs", "pub struct Cell;\nimpl Cell {\n    pub fn at(&self) {}\n}\n") == ["Cell", "at()"]
    assert names("a.c", "static int max(int a, int b)\n{\n  if (a > b) return a;\n}\n") == ["max()"]
    assert names("a.md", "# Title\ntext\n## Use\n") == ["Title", "Use"]
    assert names("bad.py", "def broken(:\nclass Still:\n") == ["broken()", "Still"]
    assert outline("a.py", "x" * 500_000) == ()


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,6}(/[a-z]{1,6}){0,3}\.(py|js|c)", fullmatch=True), st.text(), max_size=30),
    st.integers(0, 3000),
)
def test_a_map_never_outgrows_its_room(files, room):
    scores = relevance(files, "the snake turns", set(list(files)[:1]))
    assert set(scores) == set(files)
    assert len(file_map(files, scores, room)) <= room


def test_words_that_a_task_shares_with_a_file_count_and_rare_ones_count_more():
    files = {f"lib/part{n}.py": f"def work_{n}(): ...\n" for n in range(50)} | {
        "ui/keys.py": "class KeyMap:\n    def on_pause(self): ...\n"
    }
    scores = relevance(files, "Add a pause key.", set())
    assert max(scores, key=scores.get) == "ui/keys.py"
    assert relevance(files, "mend part7.py", set())["lib/part7.py"] > 100
    assert words_of("pauseKeys pressed") == words_of("press_ed pause key") or "paus" not in words_of("x")


def test_only_a_line_of_the_agents_own_asks_for_a_file():
    assert wanted('I need:\n<show path="a.py"/>\n`<show path=\'b.py\' lines="3-9">`\n') == [
        Wanted("a.py"),
        Wanted("b.py", 3, 9),
    ]
    assert wanted('```\n<show path="a.py"/>\n```\n> <show path="b.py"/>\n') == []
    assert wanted('<show path="a.py"/>\n<file path="b.py">\nx\n</file>\n') == []
    assert wanted('<show path="a.py"/>\n<INFO> Finished\n') == []
    assert len(wanted("\n".join(f'<show path="{n}.py"/>' for n in range(99)))) == MOST


@given(st.text(max_size=3000), st.integers(1, 2000), st.integers(0, 99999), st.integers(0, 99999))
def test_what_is_shown_on_request_stays_within_its_room(text, room, first, last):
    shown, items = answer([Wanted("a.py", first, last), Wanted("../etc/passwd")], {"a.py": text}, Words.load(), room)
    assert len(shown) <= room + 400
    assert "There is no file ../etc/passwd." in shown
    assert all(item.text == text for item in items)
