"""Where a product starts, from its files alone."""

import pytest

from chatdev.sandbox.entry import find_entry

GUARDED = "def main():\n    print(1)\nif __name__ == '__main__':\n    main()\n"
MODULE = "VALUE = 1\ndef f():\n    return VALUE\n"


def entry(**files):
    return find_entry({name.replace("__dot__", "."): text.encode() for name, text in files.items()})


def of(files):
    return find_entry({name: text.encode() for name, text in files.items()})


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"main.py": "print(1)"}, "python3 main.py"),
        ({"main.py": MODULE, "game.py": GUARDED}, "python3 main.py"),
        ({"my program.py": GUARDED}, "python3 my program.py"),
        ({"app.py": GUARDED, "models.py": MODULE}, "python3 app.py"),
        ({"snake_game.py": GUARDED, "board.py": MODULE}, "python3 snake_game.py"),
        ({"src/main.py": "import game\n", "src/game.py": MODULE}, "python3 src/main.py"),
        ({"src/main.py": "from src.game import f\n", "src/game.py": MODULE}, "python3 -m src.main"),
        ({"shop/__init__.py": "", "shop/__main__.py": "from . import x\n"}, "python3 -m shop"),
        ({"one.py": "print(1)\n"}, "python3 one.py"),
        ({"start_here.py": "import helper\nhelper.go()\n", "helper.py": MODULE}, "python3 start_here.py"),
        ({"pyproject.toml": "[project.scripts]\nx = 'a.b:f'\n", "a/b.py": MODULE, "a/c.py": MODULE},
         "python3 -c import sys; sys.argv[0] = 'b'; from a.b import f; sys.exit(f())"),
        ({"pyproject.toml": "[project.scripts]\nx = 'a; rm:f'\n", "a/b.py": MODULE}, None),
        ({"src/shop/cli.py": "from shop.stock import f\n" + GUARDED, "src/shop/stock.py": MODULE},
         "python3 -c import runpy, sys; sys.path.insert(0, 'src'); "
         "runpy.run_module('shop.cli', run_name='__main__', alter_sys=True)"),
        ({"package.json": '{"scripts": {"start": "node server.js"}}', "server.js": ""}, "node server.js"),
        ({"package.json": '{"main": "lib/go.js"}', "lib/go.js": ""}, "node lib/go.js"),
        ({"index.js": "console.log(1)"}, "node index.js"),
        ({"index.html": "<p>", "app.js": ""}, "python3 -m http.server 8000 --bind 127.0.0.1"),
        ({"calculator.html": "<p>"}, "python3 -m http.server 8000 --bind 127.0.0.1"),
        ({"main.py": "print('"}, "python3 main.py"),
        ({"typing_test.py": GUARDED}, "python3 typing_test.py"),
        ({"speed_test.py": GUARDED, "words.py": MODULE, "test_w.py": "def test_a(): pass\n"}, "python3 speed_test.py"),
    ],
)  # fmt: skip
def test_found(files, command):
    found = of(files)
    assert (" ".join(found.command) if found else None) == command


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"README.md": "hello"},
        {"game.py": MODULE},
        {"a.py": GUARDED, "b.py": GUARDED},
        {"test_main.py": GUARDED},
        {"tests/main.py": GUARDED},
        {"shop_test.py": "import unittest\nclass Shop(unittest.TestCase):\n    def test_a(self): pass\n"},
        {"setup.py": "from setuptools import setup\nsetup()\n"},
        {"a.html": "", "b.html": ""},
        {"package.json": "[]"},
        {"package.json": '{"scripts": {"start": "node ../../etc/x.js; rm -rf /"}}'},
    ],
)
def test_not_found(files):
    assert of(files) is None


def test_a_name_that_looks_like_an_option_is_none():
    assert of({"-m.py": "print(1)"}).command == ("python3", "./-m.py")


@pytest.mark.parametrize(
    ("text", "gui", "terminal"),
    [
        ("import tkinter as tk", True, False),
        ("from PyQt5.QtWidgets import QApplication", True, False),
        ("import pygame.mixer", True, False),
        ("import curses", False, True),
        ("print('import tkinter')", False, False),
        ("def f():\n    import turtle\n", True, False),
    ],
)
def test_windows_and_terminals_are_seen_from_imports(text, gui, terminal):
    found = of({"main.py": text})
    assert (found.gui, found.terminal) == (gui, terminal)
