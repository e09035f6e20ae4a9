"""A person at the terminal while agents work: a word to them, Ctrl-C, edits, and a terminal that is closed."""

import os
import sys

import pytest

from tests.chain.house import git, only_product
from tests.chain.table import BUILD, PLAN, PLANNED, company, events_of, script

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
if sys.platform != "win32":
    from tests.chain.terminal import ASK, HELLO, Terminal, reviewed


def slow(tmp_path, *replies, **env):
    mine = company(tmp_path, "chain: [plan, build]\n", plan=PLAN, build=PLANNED)
    return Terminal(tmp_path, "--company", mine, "--model", script(tmp_path, *replies, pace=40), **env)


LONG = "A long plan. " + "word " * 60


def test_what_is_typed_while_agents_work_reaches_the_agent_and_tears_nothing(tmp_path):
    run = slow(tmp_path, LONG, HELLO)
    run.see("A long plan.")
    run.type("@programmer make it blue\n")
    run.see("Programmer will hear it at the next turn")
    run.type("@nobody hello\n")
    run.see('there is no "nobody" here')
    run.type("half a sen")
    run.see("> half a sen")
    assert run.end() == 3, run.plain
    told = [event["text"] for event in events_of(tmp_path, "told")]
    assert "make it blue" not in told[0]
    assert "make it blue" in told[1]
    (message,) = events_of(tmp_path, "message")
    assert (message["to"], message["text"]) == ("programmer", "make it blue")
    assert LONG.strip() in " ".join(run.plain.split()).replace("\r", "") or "word word word" in run.plain


def test_a_megabyte_pasted_while_agents_work_is_one_bounded_message(tmp_path):
    run = slow(tmp_path, LONG, HELLO)
    run.see("A long plan.")
    run.type(b"\x1b[200~" + b"first line\nsecond \xff\n" + b"y" * 1_000_000 + b"\x1b[201~\n")
    run.see("cut at 100,000 characters")
    assert run.end() == 3, run.plain[-2000:]
    (message,) = events_of(tmp_path, "message")
    assert message["text"].startswith("first line\nsecond \ufffd\nyyy")
    assert len(message["text"]) == 100_000


@pytest.mark.parametrize("screen", [{}, {"NO_COLOR": "1"}])
def test_ctrl_c_pauses_and_asks_and_a_message_is_heard(tmp_path, screen):
    run = slow(tmp_path, LONG, HELLO, **screen)
    run.see("A long plan." if not screen else "Plan")
    run.type("\x03")
    run.see("pausing at the next word")
    run.see("--- paused")
    run.see("go on [Enter]")
    run.type("and green\n")
    run.see("whoever works next will hear it")
    run.type("\n")
    assert run.end() == 3, run.plain
    assert sum("and green" in event["text"] for event in events_of(tmp_path, "told")) == 1
    (paused,) = events_of(tmp_path, "paused")
    assert paused["waited"] > 0


@pytest.mark.parametrize("second", ["\x03", "s\n", "\x04"])
def test_ctrl_c_twice_or_stop_at_the_pause_saves_the_run(tmp_path, second):
    run = slow(tmp_path, LONG, HELLO)
    run.see("A long plan.")
    run.type("\x03")
    run.see("--- paused")
    run.type(second)
    assert run.end() == 130, run.plain
    assert "resume" in run.plain


def test_a_letter_answers_a_question_that_waits_at_the_terminal(tmp_path):
    from chatdev.run.inbox import Inbox

    run = reviewed(tmp_path, HELLO)
    run.see(ASK)
    run.type("half an ans")
    (asked,) = events_of(tmp_path, "asked")
    inbox = Inbox(only_product(tmp_path) / ".chatdev" / "inbox")
    inbox.put({"kind": "answer", "question": asked.key, "answer": "approve"})
    assert run.end() == 3, run.plain
    assert events_of(tmp_path, "answered")[0]["by"] == "inbox"


def test_a_file_edited_while_the_company_works_is_the_persons_before_the_next_turn(tmp_path):
    judge = PLAN.replace("programmer", "reviewer").replace("plan", "judgement").replace("Plan.", "Judge.")
    run = reviewed(
        tmp_path,
        HELLO,
        "Fine.",
        chain="review: [build]\nchain: [build, judge]\n",
        phases={"build": BUILD, "judge": judge},
    )
    run.see(ASK)
    product = only_product(tmp_path)
    with (product / "main.py").open("a", encoding="utf-8") as main:
        main.write("# mine\n")
    run.type("\n")
    assert run.end() == 3, run.plain
    kinds = [event.kind for event in events_of(tmp_path) if event.kind == "said" or "by hand" in event.get("text", "")]
    assert kinds == ["said", "notice", "said"]
    assert git(product, "log", "-1", "--format=%an: %s").strip() == "Human: Edited by hand"


def test_a_terminal_that_is_closed_saves_the_run(tmp_path):
    run = reviewed(tmp_path, HELLO)
    run.see(ASK)
    os.close(run.slave)
    os.close(run.master)
    run.process.wait(30)
    (stopped,) = events_of(tmp_path, "stopped")
    assert stopped["exit_code"] in (5, 130), "the person went away, nothing broke"
