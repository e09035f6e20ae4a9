"""One whole company, played from the script: the house itself is what is tested here."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from chatdev.run.journal import read_events
from tests.chain.house import TASK, chatdev, git, only_product


@pytest.fixture(scope="module")
def snake(tmp_path_factory):
    """The product of a run without a sandbox."""
    folder = tmp_path_factory.mktemp("snake")
    done = chatdev("--task", TASK, "--model", "scripted:snake", "--sandbox", "none", cwd=folder)
    return done, only_product(folder)


def test_without_a_sandbox_it_is_built_and_not_called_verified(snake):
    done, product = snake
    assert done.returncode == 3, done.stderr
    assert (product / "main.py").is_file()
    report = json.loads((product / ".chatdev" / "report.json").read_text(encoding="utf-8"))
    assert (report["verdict"], report["state"]) == ("unverified", "finished")
    assert "sandbox" in report["reason"]
    assert "scripted: recorded replies were played" in done.stdout
    assert done.stdout.splitlines()[-1] == str(product)


def test_every_commit_leads_back_to_the_dialogue_that_made_it(snake):
    _, product = snake
    events, _ = read_events(product / ".chatdev" / "journal.jsonl")
    keys = {event.key for event in events}
    log = git(
        product,
        "log",
        "--reverse",
        "--format=%an|%(trailers:key=Journal,valueonly,separator=)|%(trailers:key=Model,valueonly,separator=)",
    )
    rows = [line.split("|") for line in log.splitlines()]
    assert [row[0] for row in rows] == ["Programmer", "Programmer", "Software Test Engineer", "Chief Product Officer"]
    assert all(key in keys and model == "scripted:snake" for _, key, model in rows)
    assert git(product, "status", "--porcelain") == ""
    assert "review.1.code_modification" in git(product, "tag")


def test_the_review_loop_ends_on_the_reviewers_word(snake):
    _, product = snake
    events, _ = read_events(product / ".chatdev" / "journal.jsonl")
    ended = {event["loop"]: event for event in events if event.kind == "loop_ended"}
    assert ended["review"]["until"] == "code_review.done"
    assert ended["review"]["rounds"] == 2
    assert ended["complete"]["rounds"] == 0
    steps = [event["step"] for event in events if event.kind == "step_started"]
    assert "review.2.code_modification" not in steps


def test_the_tester_is_shown_how_the_game_is_called_and_not_how_it_is_written(snake):
    _, product = snake
    events, _ = read_events(product / ".chatdev" / "journal.jsonl")
    (told,) = [event["text"] for event in events if event.kind == "told" and event["phase"] == "test_writing"]
    assert "def turn(self, direction: tuple[int, int]) -> None" in told
    body = "neck = (self.snake[1][0] - self.snake[0][0], self.snake[1][1] - self.snake[0][1])"
    assert body in (product / "snake.py").read_text(encoding="utf-8")
    assert not [
        event for event in events if event.kind == "told" and event["agent"] == "tester" and body in event["text"]
    ]


def test_the_same_order_gives_the_same_repository(snake, tmp_path):
    _, first = snake
    chatdev("--task", TASK, "--model", "scripted:snake", "--sandbox", "none", "-q", cwd=tmp_path)
    assert git(only_product(tmp_path), "rev-parse", "HEAD") == git(first, "rev-parse", "HEAD")


def test_a_killed_run_resumes_to_the_same_repository(snake, tmp_path):
    _, undisturbed = snake
    command = ["--task", TASK, "--model", "scripted:snake", "--sandbox", "none"]
    env = {**os.environ, "SOURCE_DATE_EPOCH": "1790000000", "PYTHONUNBUFFERED": "1"}
    victim = subprocess.Popen(
        [sys.executable, "-m", "chatdev", *command], cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True
    )
    for line in victim.stdout:
        if "review.1.code_review]" in line:
            victim.send_signal(signal.SIGKILL)
            break
    victim.wait()
    victim.stdout.close()
    product = only_product(tmp_path)
    before, _ = read_events(product / ".chatdev" / "journal.jsonl")
    done = chatdev("resume", product.name, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert git(product, "rev-parse", "HEAD") == git(undisturbed, "rev-parse", "HEAD")
    events, _ = read_events(product / ".chatdev" / "journal.jsonl")
    said = [event.key for event in events if event.kind == "said"]
    assert len(said) == len(set(said)), "no reply is asked for twice"
    assert events[: len(before)] == before


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path):
    script = tmp_path / "slow.yaml"
    script.write_text("pace: 3\nreplies:\n  - say: " + "word " * 400 + "\n", encoding="utf-8")
    victim = subprocess.Popen(
        [sys.executable, "-m", "chatdev", "--task", TASK, "--model", f"scripted:{script}", "--sandbox", "none"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in victim.stdout:
        if "demand_analysis" in line:
            time.sleep(0.3)
            victim.send_signal(signal.SIGINT)
            break
    rest = victim.stdout.read()
    assert victim.wait() == 130
    assert "resume build" not in rest
    assert f"resume {only_product(tmp_path).name}" in rest
    victim.stdout.close()


def test_a_limit_stops_the_run_and_resume_goes_on_with_a_higher_one(snake, tmp_path):
    _, undisturbed = snake
    done = chatdev(
        "--task", TASK, "--model", "scripted:snake", "--sandbox", "none", "--set", "limits.turns=4", cwd=tmp_path
    )
    assert done.returncode == 4
    assert "limit turns: 4 of 4 replies made" in done.stdout
    product = only_product(tmp_path)
    again = chatdev("resume", product.name, cwd=tmp_path)
    assert again.returncode == 4
    on = chatdev("resume", product.name, "--set", "limits.turns=50", cwd=tmp_path)
    assert on.returncode == 3, on.stderr
    assert git(product, "rev-parse", "HEAD") == git(undisturbed, "rev-parse", "HEAD")


@pytest.mark.docker
def test_in_docker_the_test_first_fails_then_the_game_is_verified(tmp_path, docker_engine):
    done = chatdev("--task", TASK, "--model", "scripted:snake", "--sandbox", "docker", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"] == "verified"
    events, _ = read_events(only_product(tmp_path) / ".chatdev" / "journal.jsonl")
    verdicts = [event["report"]["verdict"] for event in events if event.kind == "checked"]
    assert verdicts[0] == "failed"
    assert verdicts[-1] == "verified"
    summary = next(event for event in events if event.kind == "told" and event["phase"] == "error_summary")
    assert "test_the_apple_never_lies_on_the_snake" in summary["text"]


def test_what_a_person_edits_between_two_lives_is_a_commit_of_theirs(tmp_path):
    command = ("--task", TASK, "--model", "scripted:snake", "--sandbox", "none")
    assert chatdev(*command, "--set", "limits.turns=4", cwd=tmp_path).returncode == 4
    product = only_product(tmp_path)
    with (product / "main.py").open("a", encoding="utf-8") as main:
        main.write("# my own line\n")
    done = chatdev("resume", product.name, "--set", "limits.turns=50", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "kept what was edited by hand: main.py" in done.stdout
    log = git(product, "log", "--format=%an: %s", "--", "main.py").splitlines()
    assert log[0] == "Human: Edited by hand"
    assert "# my own line" in (product / "main.py").read_text(encoding="utf-8")
