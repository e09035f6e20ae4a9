"""Somebody else in a role's chair: a person at the terminal or by letter, or a folder of prompts and replies."""

import os
import signal
import sys
import time

import pytest

from tests.chain.house import chatdev, only_product
from tests.chain.table import BUILD, Background, company, events_of, file, script

unix = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
HELLO = file('print("hello")')
LOOK = "instructor: programmer\nassistant: reviewer\nreads: [files]\nwrites: review\nprompt: '{{ files }}'\n"
MEND = BUILD.replace("writes", "reads: [review]\nwrites", 1).replace("Build.", "'{{ review }}'")


def house(tmp_path, model):
    chain = f"roles: {{cto: , programmer: , reviewer: {{model: '{model}'}}}}\nchain: [build, look, mend]\n"
    mine = company(tmp_path, "", build=BUILD, look=LOOK, mend=MEND)
    (tmp_path / "mine" / "company.yaml").write_text(f"extends: default\n{chain}", encoding="utf-8")
    return mine


@unix
def test_a_person_reviews_in_the_reviewers_chair(tmp_path):
    from tests.chain.terminal import Terminal

    mine = house(tmp_path, "human")
    run = Terminal(tmp_path, "--company", mine, "--model", script(tmp_path, HELLO, HELLO.replace("hello", "hi")))
    run.see("You are the Code Reviewer")
    run.see('print("hello")')
    run.see("single dot")
    run.type("Too long.\n\tAnd indented.\n.\n")
    assert run.end() == 3, run.plain
    review = next(event for event in events_of(tmp_path, "artifact") if event["name"] == "review")
    assert review["text"] == "Too long.\n\tAnd indented.\n"
    assert "hi" in (only_product(tmp_path) / "main.py").read_text()
    said = [(event["agent"], event["model"]) for event in events_of(tmp_path, "said")]
    assert said[1] == ("reviewer", "human")


@unix
def test_a_reply_is_written_in_the_persons_editor(tmp_path):
    from tests.chain.terminal import Terminal

    edit = tmp_path / "editor.sh"
    edit.write_text("#!/bin/sh\necho 'In my editor.' > \"$1\"\n", encoding="utf-8")
    edit.chmod(0o755)
    model = script(tmp_path, HELLO, HELLO.replace("hello", "hi"))
    run = Terminal(tmp_path, "--company", house(tmp_path, "human"), "--model", model, EDITOR=str(edit))
    run.see("edit [e]")
    run.type("e\n")
    assert run.end() == 3, run.plain
    assert [event["text"] for event in events_of(tmp_path, "said")][1] == "In my editor."


def test_a_chair_can_be_answered_by_letter_with_whole_files(tmp_path):
    mine = company(tmp_path, "chain: [build]\n", build=BUILD)
    run = Background(tmp_path, "--company", mine, "--model", "human", "--answers", "inbox")
    program = file("print('" + "x" * 200_000 + "')")
    asked = run.answer("comment", 1, text=program)
    assert (asked["about"], asked["choices"]) == ("question", ["comment", "stop"])
    assert asked["subject"].rstrip().endswith("Build.")
    assert run.end() == 3, run.text()
    assert (run.product / "main.py").stat().st_size > 200_000


def test_a_chair_without_a_person_is_told_before_anything_begins(tmp_path):
    done = chatdev("--task", "x", "--model", "human", cwd=tmp_path)
    assert done.returncode == 1
    assert 'a person is the "ceo", and there is no terminal' in done.stderr
    assert not (tmp_path / "warehouse").exists()


def wait_for(path):
    until = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < until, path
        time.sleep(0.05)


def drop(path, text):
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    os.utime(part, (time.time() - 60, time.time() - 60))  # as something that was written before, and is whole
    part.rename(path)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_mailbox_run_that_was_stopped_while_it_waited_goes_on_with_the_same_prompt(tmp_path, end):
    mine = company(tmp_path, "chain: [build, look, mend]\n", build=BUILD, look=LOOK, mend=MEND)
    box = tmp_path / "box"
    run = Background(tmp_path, "--company", mine, "--model", "mailbox:box")
    wait_for(box / "001-programmer-build.prompt.md")
    drop(box / "001-programmer-build.reply.md", HELLO)
    second = box / "002-reviewer-look.prompt.md"
    wait_for(second)
    assert 'print("hello")' in second.read_text()
    time.sleep(1.5)
    run.process.send_signal(end)
    assert run.end() == (130 if end == signal.SIGINT else -9)
    assert str(box / "002-reviewer-look.reply.md") in run.text()
    drop(box / "002-reviewer-look.reply.md", "Shorter.")
    again = Background(tmp_path, "resume", run.product.name)
    wait_for(box / "003-programmer-mend.prompt.md")
    drop(box / "003-programmer-mend.reply.md", HELLO.replace("hello", "hi"))
    assert again.end() == 3, again.text()
    assert sorted(path.name for path in box.glob("*.prompt.md")) == [
        "001-programmer-build.prompt.md",
        "002-reviewer-look.prompt.md",
        "003-programmer-mend.prompt.md",
    ]
    assert again.events("said")[0]["waited"] > 0
    if end == signal.SIGINT:
        (paused,) = again.events("paused")
        assert paused["waited"] > 1, "waiting is not work, also when no reply came of it"
