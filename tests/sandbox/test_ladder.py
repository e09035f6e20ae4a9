"""The ladder on products of many kinds: windows, servers, terminals, tests, missing names. Real engines."""

import json
from pathlib import Path

import pytest
from PIL import Image

from chatdev.sandbox import SandboxConfig, climb

TK = """\
import tkinter as tk
root = tk.Tk()
root.title("Counter")
count = tk.IntVar()
tk.Label(root, textvariable=count, font=("DejaVu Sans", 30)).pack(padx=80, pady=20)
root.bind("<space>", lambda event: count.set(count.get() + 1))
root.mainloop()
"""
SNAKE = """\
import sys
import pygame
pygame.init()
screen = pygame.display.set_mode((400, 300))
pygame.display.set_caption("Snake")
clock, x, y, step = pygame.time.Clock(), 200, 100, (STEP, 0)
while True:
    for event in pygame.event.get():
        if event.type == pygame.QUIT:
            sys.exit()
        if event.type == pygame.KEYDOWN and event.key in (pygame.K_LEFT, pygame.K_RIGHT):
            step = (-STEP if event.key == pygame.K_LEFT else STEP, 0)
    x = (x + step[0]) % 400
    screen.fill((0, 0, 0))
    pygame.draw.rect(screen, (0, 255, 0), (x, y, 20, 20))
    pygame.display.flip()
    clock.tick(20)
"""


def needs(rung):
    """Skip on a machine whose own system (seen by bubblewrap) lacks what the image has."""
    if rung.state == "unverified":
        pytest.skip(rung.summary)


@pytest.mark.docker
def test_the_image_has_what_these_tests_need(docker, product):
    from chatdev.sandbox.engine import run

    names = "tkinter, pygame, numpy, PIL.ImageTk, requests, flask, pytest, pytest_cov, yaml, rich, Xlib.display"
    done = run(docker, product({"a.py": ""}), ["python3", "-c", f"import {names}"])
    assert done.exit_code == 0, done.stderr.text
    assert run(docker, product({"a.py": "import os\n"}), ["ruff", "check", "a.py"]).exit_code == 1


@pytest.mark.docker
def test_a_window_is_photographed_and_changes_with_keys(docker, product, tmp_path):
    report = climb(product({"main.py": TK}), docker, docker.config, evidence=tmp_path / "seen")
    window = {r.name: r for r in report.rungs}["window"]
    assert report.verdict == "verified", report.for_model()
    assert '"Counter"' in window.summary
    assert window.facts["changes"]
    pictures = [Image.open(tmp_path / "seen" / name) for name in window.evidence]
    assert len(pictures) >= 4
    assert len(pictures[-1].getcolors(100_000)) > 10
    assert pictures[0].tobytes() != pictures[-1].tobytes()


@pytest.mark.docker
def test_an_empty_window_is_no_proof(docker, product):
    report = climb(product({"main.py": "import tkinter\ntkinter.Tk().mainloop()\n"}), docker, docker.config)
    assert report.verdict == "failed"
    assert "blank" in report.reason


@pytest.mark.docker
@pytest.mark.parametrize(("step", "verdict"), [("10", "verified"), ("0", "failed")])
def test_a_snake_has_to_move(docker, product, step, verdict):
    report = climb(product({"main.py": SNAKE.replace("STEP", step)}), docker, docker.config)
    assert report.verdict == verdict, report.for_model()
    assert ("stands still" in report.reason) == (verdict == "failed")


@pytest.mark.docker
def test_an_error_in_a_callback_fails_a_living_window(docker, product):
    text = TK.replace("root.mainloop()", "root.after(300, lambda: undefined_name())\nroot.mainloop()")
    report = climb(product({"main.py": text}), docker, docker.config)
    assert report.verdict == "failed"
    assert "main.py:7: NameError: name 'undefined_name' is not defined" in report.reason


def test_a_server_is_asked_on_its_port(rungs):
    report, found = rungs({
        "server.py": "from http.server import *\nif __name__ == '__main__':\n"
        "    HTTPServer(('127.0.0.1', 8123), SimpleHTTPRequestHandler).serve_forever()\n"
    })  # fmt: skip
    assert report.verdict == "verified", report.for_model()
    assert "port 8123 answers HTTP 200" in found["start"].summary


def test_a_server_that_fails_on_its_first_page_fails(rungs):
    report, found = rungs({
        "server.py": "from http.server import *\n"
        "class H(BaseHTTPRequestHandler):\n"
        "    def do_GET(self): self.send_error(500)\n"
        "    def log_message(self, *a): pass\n"
        "if __name__ == '__main__': HTTPServer(('127.0.0.1', 8123), H).serve_forever()\n"
    })  # fmt: skip
    assert report.verdict == "failed"
    assert "HTTP 500" in found["start"].summary


def test_a_full_screen_terminal_program_gets_a_terminal(rungs):
    text = (
        "import curses\ndef main(s):\n    s.addstr(0, 0, 'press q')\n    while True: s.getch()\ncurses.wrapper(main)\n"
    )
    report, found = rungs({"main.py": text})
    assert report.verdict == "verified", report.for_model()
    assert "waits for input" in found["start"].summary


def test_going_on_to_write_is_a_sign_of_life(rungs):
    report, _ = rungs({"main.py": "import time\nwhile True:\n    print('tick', flush=True)\n    time.sleep(0.4)\n"})
    assert report.verdict == "verified", report.for_model()


def test_one_line_and_then_silence_is_none(rungs):
    report, _ = rungs({"main.py": "import time\nprint('starting', flush=True)\nwhile True:\n    time.sleep(1)\n"})
    assert report.verdict == "failed"


def test_threads_that_die_are_noticed(rungs):
    report, _ = rungs(
        {"main.py": "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()\n"}
    )
    assert report.verdict == "failed"
    assert "ZeroDivisionError" in report.reason


def test_a_command_line_tool_that_wants_arguments_explains_itself(rungs):
    text = "import argparse\np = argparse.ArgumentParser()\np.add_argument('file')\nprint(p.parse_args().file)\n"
    report, found = rungs({"main.py": text})
    assert report.verdict == "verified", report.for_model()
    assert "--help" in found["start"].summary


def test_packages_are_started_as_modules(rungs):
    report, _ = rungs({
        "shop/__init__.py": "", "shop/stock.py": "ITEMS = 3\n",
        "shop/__main__.py": "from .stock import ITEMS\nprint(ITEMS)\n",
    })  # fmt: skip
    assert report.verdict == "verified", report.for_model()
    assert report.entry == "python3 -m shop"


def test_all_missing_names_are_told_apart_at_once(rungs):
    report, found = rungs({
        "main.py": "import helper\nfrom player import Player\nimport lib.sounds\nhelper.go()\n",
        "helper.py": "import cv2\ntry:\n    import surely_not_there\nexcept ImportError:\n    pass\n"
        "def go():\n    return 1\n",
        "lib/music.py": "",
    })  # fmt: skip
    details = found["import"].details
    assert report.verdict == "failed"
    assert "opencv-python" in details
    assert "player (imported by main.py:2): player is neither a file of the product nor a package" in details
    assert "surely_not_there" not in details


def test_a_failing_test_is_quoted_with_its_place(rungs):
    report, found = rungs({
        "main.py": "from calc import add\nprint(add(1, 2))\n",
        "calc.py": "def add(a, b):\n    return a - b\n\n\ndef twice(a):\n    return a * 2\n",
        "tests/test_calc.py": "from calc import add, twice\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\n\n"
        "def test_twice():\n    assert twice(2) == 4\n",
    })  # fmt: skip
    needs(found["tests"])
    assert report.verdict == "failed"
    assert "1 of 2 tests fail" in report.reason
    assert "tests/test_calc.py:5: in test_add" in report.for_model()
    assert "assert -1 == 3" in report.for_model()
    assert "tests.junit.xml" in found["tests"].evidence


def test_passing_tests_are_counted_with_their_coverage(rungs, tmp_path):
    report, found = rungs({
        "main.py": "print('x')\n", "calc.py": "def add(a, b):\n    return a + b\n",
        "test_calc.py": "from calc import add\ndef test_add():\n    assert add(1, 2) == 3\n",
    })  # fmt: skip
    needs(found["tests"])
    assert report.verdict == "verified", report.for_model()
    assert found["tests"].summary.startswith("1 test")
    assert (tmp_path / "evidence" / "tests.junit.xml").read_text().startswith("<?xml")


def test_hidden_tests_show_what_failed_and_not_their_code(rungs, tmp_path):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "test_secret.py").write_text(
        "from calc import add\n\ndef test_large_numbers():\n    secret_value = 40\n"
        "    assert add(secret_value, 2) == 42, 'sums are wrong'\n"
    )
    report, found = rungs({"main.py": "import calc\n", "calc.py": "def add(a, b):\n    return 0\n"}, accept=hidden)
    needs(found["acceptance"])
    text = report.for_model()
    assert report.verdict == "failed"
    assert "test_large_numbers" in text
    assert "AssertionError" in text
    for word in ("sums are wrong", "secret_value", "42"):
        assert word not in text


def test_hidden_tests_are_in_no_box_but_their_own_and_no_disguise_carries_them_out(rungs, tmp_path):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "test_secret.py").write_text(
        "import calc\n\n\ndef test_it():\n    assert calc.add(2, 2) == 4711 - 4707\n"
    )
    spy = (
        "import base64, pathlib\n"
        "def look():\n    return [path.read_text() for path in pathlib.Path('..').rglob('*secret*.py')]\n"
        "def add(a, b):\n    text = look()[0]\n"
        "    name = base64.b32encode(text.encode()).decode().rstrip('=')\n"
        "    raise type(name, (Exception,), {})(text + ' '.join(text) + text[::-1] + text.encode().hex())\n"
    )
    report, found = rungs(
        {
            "calc.py": spy, "main.py": "import calc\nprint('seen:', calc.look())\n",
            "test_calc.py": "import calc\n\ndef test_look():\n    assert calc.look() == []\n",
        },
        accept=hidden,
    )  # fmt: skip
    needs(found["acceptance"])
    assert found["tests"].state == "passed", found["tests"].details
    assert (tmp_path / "evidence" / "start.stdout.txt").read_text() == "seen: []\n"
    assert found["acceptance"].state == "failed"
    told = "an error, in calc.py, line 7 (what it compared is hidden, as the test is)"
    assert found["acceptance"].details == f"test_it\n{told}"
    assert found["acceptance"].summary == f"1 of 1 tests fail: test_it: {told}"
    assert "4707" not in json.dumps(report.to_json())
    assert "4707" in (tmp_path / "evidence" / "acceptance.junit.xml").read_text(), "the person finds the rest here"


ATTACK = """\
import os, pathlib
here = {place!r}
tried = []
for name, act in {{
    "write": lambda: pathlib.Path(here).write_text("def test_it(): pass\\n"),
    "remove": lambda: os.remove(here),
    "rename": lambda: os.rename(here, here + ".old"),
    "replace": lambda: (pathlib.Path("x.py").write_text(""), os.replace("x.py", here)),
    "chmod": lambda: os.chmod(here, 0o666),
}}.items():
    try:
        act()
    except OSError as error:
        tried.append(name)
def add(a, b):
    raise AssertionError("refused: " + " ".join(tried))
"""


@pytest.mark.parametrize("place", ["tests/test_calc.py", "test_calc.py", "../acceptance/test_calc.py"])
def test_tests_cannot_be_written_by_the_program_they_judge(rungs, tmp_path, place):
    text = "import sys\nsys.path.insert(0, '.')\nimport calc\n\n\ndef test_it():\n    assert calc.add(1, 1) == 2\n"
    files = {"main.py": "print(1)\n", "calc.py": ATTACK.format(place=place)}
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "test_calc.py").write_text(text)
    own = place.startswith("..")
    report, found = rungs(files if own else files | {place: text}, accept=hidden if own else None)
    rung = found["acceptance" if own else "tests"]
    needs(rung)
    assert report.verdict == "failed"
    said = (tmp_path / "evidence" / f"{rung.name}.junit.xml").read_text()
    assert "refused: write remove rename replace chmod" in said


def test_a_folder_of_other_tests_put_in_the_place_of_the_right_ones_does_not_pass(rungs):
    swap = (
        "import os, pathlib\ntry:\n    os.rename('tests', 'elsewhere')\n    os.mkdir('tests')\n"
        "    pathlib.Path('tests/test_calc.py').write_text('def test_it(): pass\\n')\nexcept OSError:\n    pass\n"
    )
    text = "import calc\n\n\ndef test_it():\n    calc.add(1, 1)\n"
    calc = f"def add(a, b):\n    {swap.strip().replace(chr(10), chr(10) + '    ')}\n    return 3\n"
    report, found = rungs({"main.py": "print(1)\n", "calc.py": calc, "tests/test_calc.py": text})
    needs(found["tests"])
    assert report.verdict == "verified", "it could not be done"


def test_tests_that_write_beside_themselves_still_pass(rungs):
    text = (
        "from pathlib import Path\n\n\ndef test_it():\n    place = Path(__file__).parent / 'made.txt'\n"
        "    place.write_text('x')\n    assert place.read_text() == 'x'\n    place.unlink()\n"
    )
    report, found = rungs({"main.py": "print(1)\n", "tests/test_it.py": text, "tests/deep/test_too.py": text})
    needs(found["tests"])
    assert report.verdict == "verified", report.for_model()


def test_scripts_of_a_page_are_checked(rungs):
    page = "<!DOCTYPE html>\n<html><body><p>hi</p>\n<script>\nlet a = ;\n</script></body></html>\n"
    report, found = rungs({"index.html": page})
    needs(found["import"])
    assert report.verdict == "failed"
    assert "index.html" in found["import"].summary


def test_no_engine_is_never_verified(product):
    report = climb(product({"main.py": "print('hello')\n"}), None, SandboxConfig(engine="none"))
    assert report.verdict == "unverified"
    assert "switched off" in report.reason
    broken = climb(product({"main.py": "print('hello'\n"}, "other"), None, SandboxConfig(engine="none"))
    assert broken.verdict == "failed"


def test_rungs_are_told_in_order_as_they_are_climbed(boxed, product):
    heard = []
    report = climb(product({"main.py": "print(1)\n"}), boxed, boxed.config, on_rung=heard.append)
    assert [r.name for r in heard] == ["parse", "import", "start", "window", "tests"]
    assert list(report.rungs) == heard


def test_the_report_is_plain_json_and_names_what_was_tried(boxed, product):
    folder = product({"main.py": "print(1)\n"})
    first = climb(folder, boxed, boxed.config)
    assert json.loads(json.dumps(first.to_json()))["verdict"] == "verified"
    assert first.fingerprint == climb(folder, boxed, boxed.config).fingerprint
    (folder / "main.py").write_text("print(2)\n")
    assert climb(folder, boxed, boxed.config).fingerprint != first.fingerprint


def test_the_folder_is_only_read(boxed, product):
    folder = product({"main.py": "open('made.txt', 'w').write('x')\nimport os\nos.remove('main.py')\n"})
    before = sorted(p.name for p in Path(folder).iterdir())
    assert climb(folder, boxed, boxed.config).verdict == "verified"
    assert sorted(p.name for p in Path(folder).iterdir()) == before
