"""A person at the terminal: every answer to a review, and what goes wrong there."""

import stat
import sys

import pytest

from chatdev.screen.editor import edit_text
from tests.chain.house import git, only_product
from tests.chain.table import BUILD, PLAN, PLANNED, events_of, file

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
if sys.platform != "win32":
    from tests.chain.terminal import ASK, HELLO, Terminal, reviewed


def editor(folder, script_text):
    """An editor that is a shell script: it sees the file as $1."""
    path = folder / "editor.sh"
    path.write_text(f"#!/bin/sh\n{script_text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


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
