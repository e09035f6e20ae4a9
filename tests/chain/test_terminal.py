"""A person at the terminal: every answer to a review, a word while agents work, Ctrl-C, and what goes wrong there."""

import os
import stat
import sys

import pytest

from chatdev.screen.editor import edit_text
from tests.chain.house import git, only_product
from tests.chain.table import BUILD, PLAN, PLANNED, company, events_of, file, script

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
if sys.platform != "win32":
    from tests.chain.terminal import Terminal

HELLO = file('print("hello")')
ASK = "approve [Enter]"


def editor(folder, script_text):
    """An editor that is a shell script: it sees the file as $1."""
    path = folder / "editor.sh"
    path.write_text(f"#!/bin/sh\n{script_text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def reviewed(tmp_path, *replies, chain="review: all\nchain: [build]\n", phases=None, **env):
    mine = company(tmp_path, chain, **(phases or {"build": BUILD}))
    return Terminal(tmp_path, "--company", mine, "--model", script(tmp_path, *replies), **env)


def test_comments_go_round_until_the_person_approves(tmp_path):
    run = reviewed(tmp_path, HELLO, file('print("hi")'), file('print("howdy")'))
    run.see('+print("hello")')
    run.see(ASK)
    run.type("c\n")
    run.see("single dot")
    run.type("Friendlier,\nplease\n.\n")
    run.see('+print("hi")')
    run.see(ASK)
    run.type("Once more, in Texan\n")
    run.see('+print("howdy")')
    run.see(ASK)
    run.type("\n")
    assert run.end() == 3, run.plain
    answers = [(event["answer"], event["text"]) for event in events_of(tmp_path, "answered")]
    assert answers == [("comment", "Friendlier,\nplease"), ("comment", "Once more, in Texan"), ("approve", "")]


def test_a_diff_is_coloured_and_its_escapes_are_not_the_models(tmp_path):
    run = reviewed(tmp_path, file('print("\x1b[2J")'))
    run.see("\x1b[32m+print(")
    run.see("\\x1b[2J")
    run.see(ASK)
    run.type("\n")
    assert run.end() == 3


def test_an_edit_in_the_persons_editor_is_their_commit_and_the_agents_are_told(tmp_path):
    edit = editor(tmp_path, 'for file in "$@"; do sed -i s/hello/salut/ "$file"; done; echo new > notes.txt')
    run = reviewed(tmp_path, HELLO, file('print("salut!")'), EDITOR=edit)
    run.see(ASK)
    run.type("e\n")
    run.see('+print("salut")')
    run.see(ASK)
    run.type("louder\n")
    run.see(ASK)
    run.type("\n")
    assert run.end() == 3, run.plain
    product = only_product(tmp_path)
    log = git(product, "log", "--reverse", "--format=%an: %s").splitlines()
    assert log[1] == "Human: Edited by hand [build]"
    assert (product / "notes.txt").read_text() == "new\n"
    told = [event["text"] for event in events_of(tmp_path, "told")]
    assert '+print("salut")' in told[1]
    assert "louder" in told[2]


def test_an_artifact_is_edited_as_a_text(tmp_path):
    edit = editor(tmp_path, 'echo "My own plan" > "$1"')
    run = reviewed(
        tmp_path,
        "A plan",
        HELLO,
        chain="review: [plan]\nchain: [plan, build]\n",
        phases={"plan": PLAN, "build": PLANNED},
        VISUAL=edit,
    )
    run.see("A plan")
    run.see(ASK)
    run.type("e\n")
    run.see("My own plan")
    run.see(ASK)
    run.type("\n")
    assert run.end() == 3, run.plain
    assert events_of(tmp_path, "told")[-1]["text"] == "My own plan\n"


def test_a_line_that_was_looked_at_in_an_editor_is_still_the_same_line(tmp_path, monkeypatch):
    monkeypatch.setenv("VISUAL", editor(tmp_path, f'cp "$1" "{tmp_path}/seen"'))
    assert edit_text("Game") == "Game"
    assert (tmp_path / "seen").read_text(encoding="utf-8") == "Game\n", "what is appended begins a line"
    assert edit_text("two\nlines\n") == "two\nlines\n"


def test_ctrl_c_in_the_editor_is_the_editors(tmp_path):
    edit = editor(tmp_path, "trap 'echo caught; exit 0' INT; echo editing; while true; do sleep 0.1; done")
    run = reviewed(tmp_path, HELLO, EDITOR=edit)
    run.see(ASK)
    run.type("e\n")
    run.see("editing")
    run.type("\x03")
    run.see("caught")
    run.see(ASK)
    run.type("\n")
    assert run.end() == 3, run.plain


def test_an_editor_that_is_not_there_or_fails_changes_nothing_and_asks_again(tmp_path):
    run = reviewed(tmp_path, HELLO, EDITOR="no-such-editor")
    run.see(ASK)
    run.type("m\n")
    run.see("That was all of it.")
    run.see(ASK)
    run.type("e\n")
    run.see('there is no editor "no-such-editor"')
    run.see(ASK)
    run.type("\n")
    assert run.end() == 3
    assert len(events_of(tmp_path, "answered")) == 1


def test_reject_takes_the_work_back_and_begins_the_phase_anew_with_the_reason(tmp_path):
    run = reviewed(tmp_path, HELLO + file("1", "left.py"), file('print("other")'))
    run.see(ASK)
    run.type("r\n")
    run.see("Why")
    run.type("much too long\n")
    run.see('+print("other")')
    run.see(ASK)
    run.type("\n")
    assert run.end() == 3, run.plain
    product = only_product(tmp_path)
    assert sorted(path.name for path in product.iterdir() if path.name[0] != ".") == ["main.py"]
    told = [event["text"] for event in events_of(tmp_path, "told")]
    assert told[1].startswith("Build.\n")
    assert "much too long" in told[1]


def test_skip_takes_the_work_back_and_goes_on(tmp_path):
    more = BUILD.replace("Build.", "More.")
    run = reviewed(
        tmp_path,
        HELLO,
        file("2", "second.py"),
        file("3", "third.py"),
        chain="review: [more]\nchain: [build, more, {phase: build}]\n",
        phases={"build": BUILD, "more": more},
    )
    run.see("second.py")
    run.see("skip [k]")
    run.type("k\n")
    assert run.end() == 3, run.plain
    product = only_product(tmp_path)
    assert sorted(path.name for path in product.iterdir() if path.name[0] != ".") == ["main.py", "third.py"]


def test_a_skipped_review_lets_its_loop_go_on(tmp_path):
    look = "instructor: programmer\nassistant: reviewer\nreads: [files]\nwrites: review\ndone_when: <INFO> Finished\n"
    run = reviewed(
        tmp_path,
        HELLO,
        "All wrong!",
        chain="review: [look]\nchain: [build, {loop: {name: round, times: 3, until: look.done, do: [look, mend]}}]\n",
        phases={
            "build": BUILD,
            "look": look + "prompt: '{{ files }}'\n",
            "mend": BUILD.replace("writes", "reads: [review]\nwrites", 1).replace("Build.", "'{{ review }}'"),
        },
    )
    run.see("All wrong!")
    run.see(ASK)
    run.type("k\n")
    assert run.end() == 3, run.plain
    assert [event["phase"] for event in events_of(tmp_path, "said")] == ["build", "look"]


def test_the_human_review_phase_goes_round_until_the_person_has_no_wish(tmp_path):
    run = reviewed(
        tmp_path,
        HELLO,
        HELLO.replace("hello", "hi"),
        HELLO.replace("hello", "howdy"),
        chain="chain:\n  - build\n  - loop: {name: people, times: 5, until: human_review.done, do: [human_review]}\n",
    )
    for shown, typed in (("hello", "say hi\n"), ("hi", "say howdy\n"), ("howdy", "\n")):
        run.see(f'+print("{shown}")')
        run.see(ASK)
        run.type(typed)
    assert run.end() == 3, run.plain
    assert "howdy" in (only_product(tmp_path) / "main.py").read_text(encoding="utf-8")
    assert "say howdy" in events_of(tmp_path, "told")[2]["text"]


@pytest.mark.parametrize(("typed", "asked"), [("\n", 3), ("r\n", 1)])
def test_dont_ask_again_about_this_phase_or_in_this_run(tmp_path, typed, asked):
    run = reviewed(
        tmp_path,
        *["A plan", HELLO] * 2,
        chain="review: all\nchain: [{loop: {name: twice, times: 2, do: [plan, build]}}]\n",
        phases={"plan": PLAN, "build": PLANNED},
    )
    run.see("don't ask again [d]")
    run.type("d\n")
    run.see("Never again in this run")
    run.type(typed)
    for _ in range(asked - 1):
        run.see(ASK)
        run.type("\n")
    assert run.end() == 3, run.plain
    assert len(events_of(tmp_path, "asked")) == asked


@pytest.mark.parametrize("typed", ["s\n", "\x04"])
def test_stop_and_the_end_of_input_save_the_run(tmp_path, typed):
    run = reviewed(tmp_path, HELLO)
    run.see(ASK)
    run.type(typed)
    assert run.end() == 5, run.plain
    assert "resume" in run.plain
    again = Terminal(tmp_path, "resume", only_product(tmp_path).name)
    again.see(ASK)
    again.type("\n")
    assert again.end() == 3, again.plain
    assert len(events_of(tmp_path, "said")) == 1


def test_a_megabyte_in_one_line_and_bytes_that_are_no_text_are_a_bounded_comment(tmp_path):
    run = reviewed(tmp_path, HELLO, HELLO)
    run.see(ASK)
    run.type("c\n")
    run.see("single dot")
    run.type(b"caf\xe9 \xff" + b"x" * 1_000_000 + b"\nlast\n.\n")
    run.see("(cut at 100,000 characters)")
    run.see(ASK)
    run.type("\n")
    assert run.end() == 3, run.plain[-2000:]
    comment = events_of(tmp_path, "answered")[0]["text"]
    assert comment.startswith("caf\ufffd \ufffdxxx")
    assert len(comment) == 100_000


def test_ctrl_c_at_a_question_saves_the_run(tmp_path):
    run = reviewed(tmp_path, HELLO)
    run.see(ASK)
    run.type("\x03")
    assert run.end() == 130, run.plain


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
