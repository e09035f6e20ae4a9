"""Rung 1: files parse by their language; placeholders come from the syntax tree and never from words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.sandbox.rung_parse import parse_rung
from chatdev.sandbox.traces import last_error, plain


def of(name, text):
    return parse_rung({name: text if isinstance(text, bytes) else text.encode()})


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.py", "def f(:\n    pass\n", "a.py:1: Python syntax error"),
        ("a.py", "if True:\nprint(1)\n", "a.py:2: Python syntax error: expected an indented block"),
        ("a.py", b"x = '\x00'\n", "a.py:1"),
        ("a.py", "(" * 5000, "a.py:1"),
        ("a.json", '{"a": 1,}', "a.json:1: not JSON"),
        ("a.json", '{\n "a": \n}', "a.json:3: not JSON"),
        ("a.toml", "a = \n", "a.toml:1: not TOML"),
        ("a.yaml", "a: [1, 2\nb: 3\n", "not YAML"),
        ("a.html", "<div><p>hello</div></div>", "closes nothing that is open"),
        ("a.html", "<html><body><div>hello</body></html>", "<div>"),
        ("a.html", "just words", "there is no element"),
        ("a.html", '<img src="missing.png">', "missing.png is not among the product's files"),
    ],
)
def test_what_does_not_parse_is_named_with_its_line(name, text, words):
    found = of(name, text)
    assert found.state == "failed"
    assert words in found.details
    assert found.summary.startswith(name)
    assert "\n" not in found.summary


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", "todo_list = []\nprint('You can pass')\n"),
        ("a.py", "class A(Exception):\n    pass\n"),
        ("a.py", "x = '\\d'\n"),
        ("tsconfig.json", "{ // comment\n}"),
        ("a.yaml", "a: &x [1]\nb: *x\n---\nc: 1\n"),
        (
            "a.html",
            "<!DOCTYPE html><html><body><ul><li>a<li>b</ul><br><p>x<p>y<img src='https://x.y/z.png'></body></html>",
        ),
        ("a.html", '<a href="elsewhere.html">x</a>'),
        ("templates/a.html", "{% for x in y %}<div>{% endfor %}"),
        ("notes.txt", "def f(:"),
    ],
)
def test_what_is_fine_passes(name, text):
    assert of(name, text).state == "passed", of(name, text).details


def test_alias_bombs_are_not_expanded():
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(20)
    )
    assert of("a.yaml", bomb).state == "passed"


@pytest.mark.parametrize(
    "body",
    [
        "...",
        "raise NotImplementedError",
        "raise NotImplementedError('later')",
        "pass  # TODO: write this",
        '"""Doc."""\n    ...',
    ],
)
def test_a_sure_placeholder_fails(body):
    found = of("a.py", f"def draw():\n    {body}\n")
    assert found.state == "failed"
    assert "a.py:1: draw is a placeholder" in found.details


@pytest.mark.parametrize(
    "text",
    [
        "from abc import ABC, abstractmethod\nclass A(ABC):\n    @abstractmethod\n    def f(self): ...\n",
        "from typing import Protocol\nclass A(Protocol):\n    def f(self) -> int: ...\n",
        "class A:\n    def f(self):\n        raise NotImplementedError\n"
        "class B(A):\n    def f(self):\n        return 1\n",
        "def on_close():\n    pass\n",
        "def f():\n    '''todo: nothing'''\n    return ...\n",
    ],
)
def test_what_is_meant_to_be_empty_passes(text):
    assert of("a.py", text).state == "passed", of("a.py", text).details


def test_what_lies_beside_the_tests_may_be_broken_on_purpose():
    broken = {"tests/data/bad.json": b"{", "tests/data/bad.py": b"x = (\n", "tests/stub.py": b"def f():\n    ...\n"}
    rung = parse_rung({"main.py": b"print(1)\n", **broken})
    assert rung.state == "passed", rung.summary
    assert "tests/data/bad.json:1: " in rung.details
    assert parse_rung({"data/bad.json": b"{"}).state == "failed"
    assert parse_rung({"tests/test_a.py": b"x = (\n"}).state == "failed"


def test_what_was_left_out_of_the_folder_is_told():
    rung = parse_rung({"main.py": b"print(1)\n"}, ["assets: a symbolic link", "pipe: not a plain file"])
    assert rung.summary.endswith("2 left out (assets: a symbolic link, ...)")
    assert "left out: pipe: not a plain file" in rung.details


def test_an_empty_product_fails():
    assert parse_rung({}).state == "failed"


@given(st.sampled_from(["a.py", "a.json", "a.toml", "a.yaml", "a.html"]), st.binary(max_size=200))
def test_no_bytes_break_the_rung(name, data):
    assert parse_rung({name: data}).state in ("passed", "failed")


@given(st.text(max_size=300))
def test_shown_output_has_no_control_characters(text):
    shown = plain(text)
    assert not any(ord(c) < 32 and c not in "\n\t" for c in shown)
    assert "\x7f" not in shown
    last_error(text)


def test_terminal_tricks_are_taken_out():
    assert plain("\x1b]0;title\x07a\x1b[2Jb\x1b[31mc") == "abc"
    assert plain("all is well\rERROR") == "all is well\nERROR"
    assert "\u202e" not in plain("abc\u202etxt.exe")


def test_the_last_error_has_its_place():
    text = (
        'Traceback (most recent call last):\n  File "/box/app/main.py", line 3, in <module>\n    go()\n'
        '  File "/usr/lib/python3.11/json/__init__.py", line 9, in loads\n    x\nValueError: no such thing\n'
    )
    assert last_error(text) == "main.py:3: ValueError: no such thing"
