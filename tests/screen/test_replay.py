"""A journal played again, at any speed and with pauses; and which dialogue a line comes from."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

import pytest

from chatdev.run.journal import Event
from chatdev.screen.playing import LONGEST, Player
from tests.chain.house import DATE, chatdev, git


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder whose warehouse holds one whole run."""
    folder = tmp_path_factory.mktemp("replay")
    done = chatdev("--task", "build a snake game", "--model", "scripted:snake", "--sandbox", "none", cwd=folder)
    assert done.returncode == 3
    (folder / "output.txt").write_text(done.stdout, encoding="utf-8")
    return folder


def events(*moments):
    return [Event(number, at, "words", None, {}) for number, at in enumerate(moments, start=1)]


def test_a_replay_in_a_pipe_says_what_the_run_said(folder):
    played = chatdev("replay", "snake", cwd=folder)
    assert played.returncode == 0, played.stderr
    said = (folder / "output.txt").read_text(encoding="utf-8").partition("\n\n")[0]
    assert played.stdout.strip() == said.strip()


def test_a_replay_can_begin_at_a_step(folder):
    played = chatdev("replay", "snake", "--from", "review.2.code_review", "-v", cwd=folder).stdout
    assert played.startswith("== Code review [review.2.code_review]")
    assert "| Please review the program" in played
    wrong = chatdev("replay", "snake", "--from", "coding2", cwd=folder)
    assert 'there is no step "coding2". Did you mean "coding"?' in wrong.stderr
    loop = chatdev("replay", "snake", "--from", "review", cwd=folder)
    assert 'Did you mean "review.1.code_review"?' in loop.stderr
    nothing = chatdev("replay", "snake", "--speed", "nan", cwd=folder)
    assert (nothing.returncode, "nan is not a number" in nothing.stderr) == (2, True)


def test_waits_are_divided_by_the_speed_and_never_long():
    waits = []
    player = Player(2.0, lambda seconds: waits.append(seconds) or time.sleep(seconds) or "")
    seen = []
    begun = time.monotonic()
    player.play(events(100.0, 100.4, 100.4), [lambda event: seen.append(player.now())])
    assert seen == [100.0, 100.4, 100.4]
    assert time.monotonic() - begun >= 0.19
    assert max(waits) <= 0.05
    assert LONGEST < 5, "a night between two lives is not waited for"
    fast = []
    Player(0.0, lambda seconds: fast.append(seconds) or "").play(events(1.0, 1e9), [lambda event: None])
    assert sum(fast) == 0.0


def test_space_pauses_plus_speeds_up_and_q_ends():
    keys = iter(["", " ", "", "", " ", "+", ""])
    player = Player(1.0, lambda seconds: next(keys, ""))
    player.play(events(0.0, 0.0), [lambda event: None])
    assert not player._paused
    assert player.speed == 1.0 or player.speed == 2.0
    seen = []
    Player(1.0, lambda seconds: "q").play(events(0.0, 10.0), [seen.append])
    assert seen == []


def test_in_a_terminal_it_plays_live_and_heeds_the_keys(folder):
    master, slave = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "SOURCE_DATE_EPOCH": DATE}
    for name in ("NO_COLOR", "CI"):
        env.pop(name, None)
    command = [sys.executable, "-m", "chatdev", "replay", "snake", "--speed", "0.02"]
    run = subprocess.Popen(command, cwd=folder, env=env, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    try:
        _until(master, "demand_analysis")
        os.write(master, b" ")
        time.sleep(0.3)
        os.write(master, b" ++++++++++++++++++++++++")
        shown = _until(master, "[manual]")
        assert "Snake in a window" in shown, "the words of the dialogue are typed"
        os.write(master, b"q")
        assert run.wait(timeout=60) == 0
    finally:
        run.kill()
        run.wait()
        os.close(master)


def _until(master, wanted, seconds=60.0):
    """Read the terminal until a text has been shown."""
    shown, end = "", time.monotonic() + seconds
    while wanted not in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown):
        assert time.monotonic() < end, shown[-2000:]
        if select.select([master], [], [], 0.2)[0]:
            shown += os.read(master, 65536).decode("utf-8", "replace")
    return shown


def test_costs_are_told_by_role_and_by_phase(folder):
    told = chatdev("show", "snake", "--costs", cwd=folder).stdout
    assert re.search(r"reviewer +2 ", told)
    assert re.search(r"code_review +2 ", told)
    found = json.loads(chatdev("show", "snake", "--costs", "--json", cwd=folder).stdout)
    assert sum(account["tokens"] for account in found["by_role"].values()) == found["tokens"]
    assert sum(account["tokens"] for account in found["by_phase"].values()) == found["tokens"]


def test_blame_prints_the_dialogue_that_wrote_a_line(folder, tmp_path):
    shutil.copytree(folder / "warehouse", tmp_path / "warehouse")
    (product,) = (tmp_path / "warehouse").iterdir()
    lines = (product / "snake.py").read_text(encoding="utf-8").splitlines()
    number = next(at for at, line in enumerate(lines, start=1) if "neck = " in line)
    told = chatdev("show", "snake", "--blame", f"snake.py:{number}", cwd=tmp_path).stdout
    assert told.startswith(f"snake.py:{number}:         neck = ")
    assert "Journal: review.1.code_modification/committed1" in told
    assert "| 1. snake.py, Game.turn: the snake can turn back into its own neck." in told
    assert "Programmer (scripted:snake):" in told
    found = json.loads(chatdev("show", "snake", "--blame", f"./snake.py:{number}", "--json", cwd=tmp_path).stdout)
    assert [event["kind"] for event in found["dialogue"]] == ["told", "said"]
    with (product / "snake.py").open("a", encoding="utf-8") as file:
        file.write("mine = True\n")
    own = chatdev("show", "snake", "--blame", f"snake.py:{len(lines) + 1}", cwd=tmp_path).stdout
    assert "never committed: it was edited by hand" in own
    git(product, "-c", "user.name=Me", "-c", "user.email=me@example.invalid", "commit", "-qam", "mine")
    own = chatdev("show", "snake", "--blame", f"snake.py:{len(lines) + 1}", cwd=tmp_path).stdout
    assert "no dialogue of this run wrote it" in own


@pytest.mark.parametrize("place", ["snake.py", "nosuch.py:1", "snake.py:99999", "../../etc/passwd:1", "--help:1", ":1"])
def test_a_place_that_is_none_is_one_line(folder, place):
    done = chatdev("show", "snake", f"--blame={place}", cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
