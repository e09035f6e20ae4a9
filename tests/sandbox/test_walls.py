"""Walls of a box that a hostile product leans against, on real engines: mounts, namespaces, memory, its own tests."""

import ast
import sys

import pytest

from chatdev.errors import UserError
from chatdev.sandbox import seccomp, wire
from chatdev.sandbox.bundle import pack
from chatdev.sandbox.engine import run
from chatdev.sandbox.forward import MAX_PORTS, Forwards
from chatdev.sandbox.job import Job, Step
from chatdev.sandbox.report import LadderReport, Rung
from chatdev.sandbox.rung_tests import accept_bundle
from tests.sandbox.conftest import engine_or_stop

CALLS = """\
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(name, number, *rest):
    ctypes.set_errno(0)
    done = libc.syscall(number, *rest)
    print(name, "done" if done >= 0 else os.strerror(ctypes.get_errno()), flush=True)
call("user namespace", 272, 0x10000000)
call("mount namespace", 272, 0x20000)
call("clone", 56, 0x10000000 | 17, 0, 0, 0, 0)
call("mount", 165, b"none", b"/tmp", b"tmpfs", 0, 0)
call("key", 248, b"user", b"name", b"value", 5, -3)
call("bpf", 321, 0, 0, 0)
call("handle", 304, -100, 0, 0)
call("clock", 227, 0, ctypes.byref((ctypes.c_long * 2)(0, 0)))
call("pid", 39)
"""


def test_calls_that_widen_the_box_are_refused(boxed, product):
    if boxed.missing_limits():
        assert all("swap" not in m or "memory" in m for m in boxed.missing_limits())
    done = run(boxed, product({"main.py": CALLS}), ["python3", "main.py"], seconds=10)
    said = dict(line.rsplit(" ", 1) for line in done.stdout.text.splitlines() if line.endswith("done"))
    assert said == {"pid": "done"}, done.stdout.text


def test_bubblewrap_says_what_does_not_hold(monkeypatch):
    engine = engine_or_stop("bubblewrap")
    said = " ".join(engine.missing_limits())
    assert "namespaces" not in said
    assert "filtered" not in said
    monkeypatch.setattr(seccomp, "program", lambda **_: b"")
    assert "system calls are not filtered" in " ".join(engine_or_stop("bubblewrap").missing_limits())


def test_a_filter_is_made_only_for_processors_that_are_known():
    assert seccomp.program(machine="mips64") == b""
    for machine in seccomp.MACHINES:
        with_files, without = (len(seccomp.program(machine=machine, memory_files=yes)) for yes in (True, False))
        assert without == with_files + 16
        assert len(set(seccomp.MACHINES[machine].forbidden)) == len(seccomp.MACHINES[machine].forbidden)


SWAP = """\
import atexit, os, pathlib
did = []
def attempt(name, act):
    try:
        act()
        did.append(name)
    except OSError:
        pass
def swap():
    attempt("tests", lambda: os.rename("tests", "elsewhere"))
    attempt("deep", lambda: os.rename("pkg/tests", "pkg/elsewhere"))
    attempt("parent", lambda: os.rename("pkg", "other"))
    attempt("app", lambda: os.rename("../app", "../ppa"))
    attempt("data", lambda: pathlib.Path("tests/expected.json").write_text("[]"))
    attempt("last", lambda: pathlib.Path("tests/test_249.py").write_text("def test_it(): pass\\n"))
    attempt("gone", lambda: os.remove("pkg/tests/test_deep.py"))
    attempt("link", lambda: (os.symlink("/tmp", "x"), os.replace("x", "tests")))
    attempt("exchange", lambda: os.replace("main.py", "tests/test_0.py"))
swap()
atexit.register(swap)
def add(a, b):
    raise AssertionError("did: " + (" ".join(did) or "nothing"))
"""


def test_a_folder_of_tests_cannot_be_moved_aside_with_all_that_lies_in_it(rungs):
    test = "import calc\n\n\ndef test_it():\n    assert calc.add(1, 1) == 2\n"
    files = {f"tests/test_{n}.py": "def test_it():\n    assert True\n" for n in range(250)}
    files |= {"tests/test_0.py": test, "tests/expected.json": "[1]", "pkg/tests/test_deep.py": test}
    _, found = rungs({"main.py": "print(1)\n", "calc.py": SWAP, **files})
    if found["tests"].state == "unverified":
        pytest.skip(found["tests"].summary)
    assert found["tests"].state == "failed"
    assert found["tests"].details.count("AssertionError: did: nothing") == 2, found["tests"].details
    assert "were changed" not in found["tests"].summary


def test_more_tests_than_can_be_kept_are_told_and_not_called_proved(rungs, tmp_path):
    many = {f"tests/data/{n}.txt": "" for n in range(2001)}
    report, found = rungs({"main.py": "print(1)\n", "tests/test_it.py": "def test_it(): pass\n", **many})
    assert report.verdict == "unverified"
    assert "more than 2,000 files of tests" in found["tests"].summary
    (tmp_path / "hidden").mkdir()
    for number in range(2001):
        (tmp_path / "hidden" / f"test_{number}.py").touch()
    with pytest.raises(UserError, match="more than 2,000"):
        accept_bundle(tmp_path / "hidden")


SHARED = "import mmap, time\nhold = mmap.mmap(-1, 400_000_000)\nhold.write(b'x' * 400_000_000)\ntime.sleep(30)\n"
NAMELESS = "import os\nfor _ in range(50):\n    os.write(os.memfd_create('x'), b'x' * 9_000_000)\nprint('held all')\n"
DEVICES = (
    "with open('/dev/shm/x', 'wb') as file:\n    for _ in range(200): file.write(b'x' * 1_000_000)\nprint('held all')\n"
)


@pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")
@pytest.mark.parametrize("text", [SHARED, NAMELESS, DEVICES], ids=["mmap", "memfd", "shm"])
def test_shared_memory_is_bounded_where_no_control_group_is(product, text):
    engine = engine_or_stop("bubblewrap", memory="128m", seconds=20)
    engine.grouped, engine.scope = False, []
    assert any("memory is watched" in limit for limit in engine.missing_limits())
    done = run(engine, product({"main.py": text}), ["python3", "main.py"], seconds=15)
    assert not done.ok
    assert "held all" not in done.stdout.text
    assert done.limit == "memory" or "Error" in done.stderr.text, done


def test_a_flood_of_ports_is_capped_and_takes_none_of_the_machines_own():
    told = []
    forwards = Forwards(lambda *_: None, told.append)
    try:
        for port in [*range(80, 90), *range(50_000, 50_100)]:
            forwards.offer(port, page=False)
        here = [listener.getsockname() for listener in forwards.listeners]
        assert len(here) == MAX_PORTS
        assert all(host == "127.0.0.1" and port >= 1024 for host, port in here)
        assert sum("no more of them" in line for line in told) == 1
    finally:
        forwards.close()


def test_names_and_words_of_strangers_cannot_steer_whatever_shows_them():
    bad = "a\x1b[2Jb\x1b]0;owned\x07\r\u202ec\udcff\u2028d\x9b31m"
    rung = Rung("start", "failed", f"{bad}\nmore", bad, (bad,), facts={"signs": [bad], bad: 1})
    report = LadderReport("failed", rung.summary, (rung,), "none", "", entry=f"python3 {bad}.py")
    for text in (report.for_model(), str(report.to_json()), rung.summary, report.entry):
        assert "\x1b" not in text
        assert text.encode("utf-8")
        assert not {"\x9b", "\r", "\x07", "\u202e", "\u2028"} & set(text)
    assert "\n" not in rung.summary + report.entry
    assert "\\xff" in rung.summary


OUTSIDE = """\
import socket
for family, kind in ((1, 1), (2, 1), (10, 1), (40, 1), (38, 5)):
    for make in (socket.socket, socket.socketpair if family == 1 else socket.socket):
        try:
            make(family, kind)
            print(family, "made")
        except OSError as error:
            print(family, error.strerror)
"""


def test_the_vsock_of_the_machine_is_no_way_out(boxed, product):
    """Sockets to the hypervisor belong to no network namespace: having no network does not shut them out."""
    done = run(boxed, product({"main.py": OUTSIDE}), ["python3", "main.py"], seconds=10)
    made = {line.split()[0] for line in done.stdout.text.splitlines() if line.endswith("made")}
    assert {"1", "2"} <= made <= {"1", "2", "10"}, done.stdout.text


DEEP = "import os\nfor _ in range(3000):\n    os.mkdir('d')\n    os.chdir('d')\nprint('made')\n"


def test_folders_without_end_break_neither_the_box_nor_the_one_who_reads_them(boxed, product, tmp_path):
    files = {"main.py": DEEP, "test_it.py": "def test_it():\n    assert True\n"}
    job = Job(
        pack(product(files)),
        (
            Step("first", ["python3", "main.py"], seconds=15, collect=("*.py",)),
            Step("next", ["python3", "-c", "import os; print(os.listdir('.'))"], seconds=15),
        ),
    )
    first, after = boxed.perform(job)
    assert first.stdout.text == "made\n", first
    assert set(first.collected) == set(files)
    assert sorted(ast.literal_eval(after.stdout.text)) == sorted(files), "the next step starts from the files again"
    deep = tmp_path / "deep"
    deep.joinpath(*["d"] * 100).mkdir(parents=True)
    with pytest.raises(UserError, match="nested deeper"):
        pack(deep)


def test_a_supervisor_that_was_stopped_costs_one_step_and_not_all_of_them(boxed, product, monkeypatch):
    monkeypatch.setattr(wire, "STEP_MARGIN", 3.0)
    text = "import os, signal, time\nos.kill(os.getppid(), signal.SIGSTOP)\ntime.sleep(600)\n"
    steps = (Step("first", ["python3", "main.py"], seconds=2), Step("next", ["python3", "-V"], seconds=600))
    runs = boxed.perform(Job(pack(product({"main.py": text})), steps))
    assert [run.limit for run in runs] == ["time", "time"]
    assert "did not end in time" in runs[0].error
