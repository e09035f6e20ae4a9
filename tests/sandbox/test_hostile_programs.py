"""Hostile programs on real engines: nothing of the host is seen, the limits hold and are named, nothing is left
running.
"""

import os
import time

import pytest

from chatdev.sandbox.engine import run

pytestmark = pytest.mark.usefixtures("boxed")


def play(engine, product, text, seconds=10.0, **options):
    return run(engine, product({"main.py": text}), ["python3", "main.py"], seconds=seconds, **options)


def test_no_secret_of_the_host_is_seen(boxed, product, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-words")
    done = play(
        boxed, product,
        "import os, pathlib\n"
        "print(dict(os.environ))\n"
        "for place in pathlib.Path('/proc').glob('*/environ'):\n"
        "    try: print(place.read_bytes())\n"
        "    except OSError as error: print(place, error)\n"
        "for place in ('~root/.ssh', '/home', '/etc/shadow', '/var/run/docker.sock'):\n"
        "    place = os.path.expanduser(place)\n"
        "    seen = os.access(place, os.R_OK) and (not os.path.isdir(place) or os.listdir(place))\n"
        "    print(place, bool(seen))\n",
    )  # fmt: skip
    assert done.exit_code == 0, done
    assert "very-secret" not in done.stdout.text
    assert os.environ["PATH"] not in done.stdout.text
    assert ".ssh False" in done.stdout.text
    assert "docker.sock False" in done.stdout.text


def test_the_network_cannot_be_reached(boxed, product):
    done = play(
        boxed, product,
        "import socket\n"
        "for place in (('169.254.169.254', 80), ('1.1.1.1', 53), ('172.17.0.1', 22)):\n"
        "    try: socket.create_connection(place, 3); print('REACHED', place)\n"
        "    except OSError as error: print(error)\n"
        "print([name for _, name in socket.if_nameindex()])\n",
    )  # fmt: skip
    assert "REACHED" not in done.stdout.text
    assert "unreachable" in done.stdout.text
    assert "['lo']" in done.stdout.text or "'lo'" in done.stdout.text
    assert "eth0" not in done.stdout.text


def test_the_loopback_works(boxed, product):
    done = play(
        boxed, product,
        "import socket\n"
        "server = socket.create_server(('127.0.0.1', 8000))\n"
        "client = socket.create_connection(('127.0.0.1', 8000))\n"
        "print('connected')\n",
    )  # fmt: skip
    assert done.stdout.text == "connected\n"


def test_it_is_nobody_and_can_write_only_its_own_folders(boxed, product):
    done = play(
        boxed, product,
        "import os\n"
        "print(os.getuid(), [l for l in open('/proc/self/status') if l.startswith(('CapEff', 'NoNewPrivs'))])\n"
        "for place in ('/etc/x', '/usr/x', '/x', '/var/x', '/tmp/x', 'x'):\n"
        "    try: open(place, 'w').write('x'); print('wrote', place)\n"
        "    except OSError as error: print('refused', place)\n",
    )  # fmt: skip
    text = done.stdout.text
    assert text.startswith("65534 ")
    assert "CapEff:\\t0000000000000000" in text
    assert "NoNewPrivs:\\t1" in text
    assert [line.split()[1] for line in text.splitlines() if line.startswith("wrote")] == ["/tmp/x", "x"]


def test_a_fork_bomb_ends_and_names_the_limit(boxed, product, processes):
    if any("processes" in limit for limit in boxed.missing_limits()):
        pytest.skip("this engine cannot limit the number of processes here")
    done = play(
        boxed, product,
        "import os, time\n"
        "made = 0\n"
        "try:\n"
        "    for _ in range(5000):\n"
        "        if os.fork() == 0:\n"
        "            time.sleep(600)\n"
        "        made += 1\n"
        "finally:\n"
        "    print('made', made, flush=True)\n",
    )  # fmt: skip
    assert done.exit_code != 0
    assert "BlockingIOError" in done.stderr.text
    made = int(done.stdout.text.split("made")[1].split()[0])
    assert 16 < made < 200
    if boxed.name == "docker":
        assert done.limit == "pids"


def test_a_real_fork_bomb_is_survived(boxed, product):
    if any("processes" in limit for limit in boxed.missing_limits()):
        pytest.skip("this engine cannot limit the number of processes here")
    done = play(boxed, product, "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n", seconds=3)
    assert done.exit_code != 0
    assert done.limit in ("pids", "time")


def test_memory_is_limited(boxed, product):
    done = play(boxed, product, "hold = [bytearray(50_000_000) for _ in range(200)]\nprint('got it')\n")
    assert "got it" not in done.stdout.text
    assert done.exit_code != 0
    if boxed.name == "docker":
        assert done.oom
        assert done.limit == "memory"


def test_the_disk_is_limited(boxed, product):
    done = play(
        boxed, product,
        "for number in range(100):\n    open(f'{number}.bin', 'wb').write(b'x' * 20_000_000)\nprint('all written')\n",
        seconds=20,
    )  # fmt: skip
    assert "all written" not in done.stdout.text
    assert "No space left" in done.stderr.text
    assert done.limit == "disk"


def test_open_files_are_limited(boxed, product):
    done = play(boxed, product, "hold = [open('/dev/null') for _ in range(1_000_000)]\n")
    assert "Too many open files" in done.stderr.text


def test_a_daemonised_child_is_killed_and_told(boxed, product, processes):
    done = play(
        boxed, product,
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        time.sleep(987654)\n"
        "    os._exit(0)\n"
        "os.execvp('sleep', ['sleep', '0.2'])\n",
    )  # fmt: skip
    assert done.exit_code == 0
    assert any("running" in note for note in done.notes), done.notes


def test_output_without_end_is_bounded_and_told(boxed, product):
    begun = time.monotonic()
    done = play(
        boxed,
        product,
        "import sys\nsys.stdout.write('first words\\n')\nwhile True: sys.stdout.write('y' * 65536)\n",
        seconds=30,
    )
    assert done.limit == "output"
    assert len(done.stdout.head) + len(done.stdout.tail) <= boxed.config.output_bytes
    assert done.stdout.text.startswith("first words")
    assert "left out" in done.stdout.text
    assert time.monotonic() - begun < 60


def test_binary_and_broken_text_come_back(boxed, product):
    done = play(boxed, product, "import sys\nsys.stdout.buffer.write(bytes(range(256)))\n")
    assert done.stdout.head == bytes(range(256))
    assert "\ufffd" in done.stdout.text


def test_a_program_cannot_forge_its_result(boxed, product):
    done = play(
        boxed, product,
        "import glob, os, sys\n"
        "frame = b'\\n\\0' + b'0' * 32 + b' result 2 123\\n{}'\n"
        "for place in glob.glob('/proc/[0-9]*/fd/1'):\n"
        "    try:\n"
        "        with open(place, 'wb') as line: line.write(frame * 100)\n"
        "    except OSError: pass\n"
        "sys.exit(3)\n",
    )  # fmt: skip
    assert done.exit_code == 3


def test_killing_the_supervisor_is_no_way_to_pass(boxed, product):
    done = play(boxed, product, "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nos._exit(0)\n")
    assert not done.ok
    assert done.error


def test_stdin_env_and_collected_files(boxed, product):
    done = play(
        boxed, product,
        "import os, sys\nos.makedirs('out')\nopen('out/a.txt', 'w').write(sys.stdin.read() + os.environ['COLOUR'])\n"
        "os.symlink('/etc/passwd', 'out/link.txt')\n",
        stdin=b"given ", env={"COLOUR": "blue"}, collect=["out/*.txt"],
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr.text
    assert done.collected == {"out/a.txt": b"given blue"}


def test_a_module_name_from_its_stderr_is_only_quoted(boxed, product, tmp_path):
    from chatdev.sandbox import climb

    mark = tmp_path / "PWNED"
    text = f"raise ModuleNotFoundError(\"No module named 'x;touch {mark};$(touch {mark})'\")\n"
    report = climb(product({"main.py": text}), boxed, boxed.config)
    assert report.verdict == "failed"
    assert "neither a file of the product nor a package" in report.reason
    assert not mark.exists()


def test_terminal_tricks_do_not_reach_the_report(boxed, product):
    from chatdev.sandbox import climb

    text = "import sys\nsys.stderr.write('\\x1b]0;owned\\x07\\x1b[2Jbad\\rgood \\u202e')\nsys.exit(1)\n"
    report = climb(product({"main.py": text}), boxed, boxed.config)
    assert "\x1b" not in report.for_model()
    assert "\x1b" not in report.reason
    assert "\u202e" not in report.for_model()


def test_deleting_its_own_tree_harms_nobody(boxed, product):
    text = (
        "import pathlib, shutil\nshutil.rmtree('/box', ignore_errors=True)\nshutil.rmtree('/', ignore_errors=True)\n"
        "pathlib.Path.home().joinpath('.config/autostart').mkdir(parents=True, exist_ok=True)\n"
    )
    folder = product({"main.py": text, "keep.txt": "kept"})
    assert run(boxed, folder, ["python3", "main.py"], seconds=20).exit_code == 0
    assert (folder / "keep.txt").read_text() == "kept"
