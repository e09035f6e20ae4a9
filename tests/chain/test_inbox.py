"""Speaking to a run that has no terminal: letters in its inbox, as the studio writes them."""

import json
import signal

from hypothesis import given
from hypothesis import strategies as st

from chatdev.chain.absent import read_answers
from chatdev.errors import UserErrors
from chatdev.run.inbox import Inbox, letter_of
from tests.chain.house import chatdev, git
from tests.chain.table import BUILD, PLAN, PLANNED, Background, company, file, script

HELLO = file('print("hello")')


def test_every_answer_can_come_by_letter(tmp_path):
    model = script(tmp_path, HELLO, file('print("hi")'), file('print("again")'))
    mine = company(tmp_path, "review: all\nchain: [build]\n", build=BUILD)
    run = Background(tmp_path, "--company", mine, "--model", model, "--answers", "inbox")
    asked = run.answer("comment", 1, text="Shorter,\nplease")
    assert (asked["about"], asked["files"]) == ("diff", ["main.py"])
    assert '+print("hello")' in asked["subject"]
    assert set(asked["choices"]) == {"approve", "comment", "edit", "reject", "stop", "always"}
    asked = run.answer("edit", 2, files={"main.py": 'print("mine")\n', "../evil.py": "no"})
    assert '+print("hi")' in asked["subject"]
    asked = run.answer("reject", 3, text="start anew")
    assert '+print("mine")' in asked["subject"]
    run.answer("approve", 4)
    assert run.end() == 3, run.text()
    assert (run.product / "main.py").read_text() == 'print("again")\n'
    assert not (run.product.parent / "evil.py").exists()
    assert "your edit: " in run.text()
    log = git(run.product, "log", "--reverse", "--format=%an: %s").splitlines()
    assert log == [
        "Programmer: Build [build]",
        "Programmer: Build [build]",
        "Human: Edited by hand [build]",
        "Human: Taken back [build]",
        "Programmer: Build [build~2]",
    ]
    told = [event["text"] for event in run.events("told")]
    assert "Shorter,\nplease" in told[1]
    assert '+print("mine")' in told[2]
    assert "start anew" in told[3]
    assert not list((run.product / ".chatdev" / "inbox").glob("*.json"))


def test_a_question_names_the_reasons_and_the_evidence(tmp_path):
    review = "instructor: programmer\nassistant: reviewer\nreads: [files]\nwrites: review\nprompt: '{{ files }}'\n"
    mend = BUILD.replace("writes: files", "reads: [review]\nwrites: files").replace("Build.", "'{{ review }}'")
    mine = company(
        tmp_path,
        "review: [mend]\nchain: [build, verify, look, mend]\n",
        build=BUILD,
        look=review,
        mend=mend,
    )
    model = script(tmp_path, file("raise SystemExit(7)"), "It ends with 7.", file("print(1)"))
    args = ("--company", mine, "--model", model, "--answers", "inbox", "--sandbox", "host")
    run = Background(tmp_path, *args)
    asked = run.answer("approve", 1)
    assert asked["reasons"] == "It ends with 7."
    assert asked["evidence"]["verdict"] == "failed"
    assert asked["evidence"]["rung"]["name"] == "start"
    assert asked["evidence"]["current"] is False
    run.end()


def test_an_artifact_is_edited_and_the_next_phase_reads_the_persons_words(tmp_path):
    mine = company(tmp_path, "review: [plan]\nchain: [plan, build]\n", plan=PLAN, build=PLANNED)
    run = Background(tmp_path, "--company", mine, "--model", script(tmp_path, "My plan.", HELLO), "--answers", "inbox")
    assert run.answer("edit", 1, text="Your plan.\n")["subject"] == "My plan.\n"
    assert run.answer("approve", 2)["subject"] == "Your plan.\n"
    assert run.end() == 3, run.text()
    told = [event["text"] for event in run.events("told")]
    assert "changed your work by hand" in told[1]
    assert told[2] == "Your plan.\n"


def test_what_the_analysis_lists_can_be_corrected_before_anything_is_built(tmp_path):
    chain = "review: [demand_analysis]\nchain: [demand_analysis, language_choose, coding]\n"
    mine = company(tmp_path, chain, roles="ceo, cpo, cto, programmer, counselor")
    model = script(tmp_path, "WIDTH = 20\n\n<INFO> Game", "<INFO> Python", HELLO)
    run = Background(tmp_path, "--company", mine, "--model", model, "--answers", "inbox")
    corrected = "modality: Terminal program\nrequirements: |\n  WIDTH = 30\n"
    assert run.answer("edit", 1, text=corrected)["subject"] == "modality: Game\nrequirements: |\n  WIDTH = 20\n"
    run.answer("approve", 2)
    assert run.end() == 3, run.text()
    (told,) = [event["text"] for event in run.events("told") if event["phase"] == "coding"]
    assert "Form: Terminal program." in told
    assert "What was agreed:\nWIDTH = 30\n" in told


def test_a_message_reaches_its_agent_at_the_next_turn_and_only_once(tmp_path):
    chain = "review: [plan]\nchain: [plan, judge, build]\n"
    judge = PLAN.replace("programmer", "reviewer").replace("plan", "judgement").replace("Plan.", "Judge.")
    mine = company(tmp_path, chain, plan=PLAN, judge=judge, build=BUILD)
    run = Background(
        tmp_path, "--company", mine, "--model", script(tmp_path, "A plan", "Fine", HELLO), "--answers", "inbox"
    )
    run.wait_for("asked")
    run.put(kind="message", to="programmer", text="make it blue")
    run.put(kind="message", to="all", text="and quick")
    run.put(kind="message", text="who hears this?")
    run.put(kind="message", to="programer", text="a slip")
    run.answer("approve", 1)
    assert run.end() == 3, run.text()
    told = {event["agent"] + "/" + event["phase"]: event["text"] for event in run.events("told")}
    assert "make it blue" in told["programmer/build"]
    assert "and quick" in told["programmer/build"]
    assert "make it blue" not in told["reviewer/judge"]
    assert "and quick" in told["reviewer/judge"]
    assert "who hears this?" in told["reviewer/judge"]
    assert "who hears this?" not in told["programmer/build"]
    assert 'there is no "programer" here' in run.text()
    assert all(event.key for event in run.events("message"))


def test_a_letter_that_asks_to_stop_ends_the_run_at_once_and_resume_is_not_stopped_again(tmp_path):
    mine = company(tmp_path, "chain: [build]\n", build=BUILD)
    model = script(tmp_path, "word " * 400 + "\n" + HELLO, pace=3)
    run = Background(tmp_path, "--company", mine, "--model", model)
    run.wait_for("words")
    run.put(kind="stop")
    assert run.end() == 130
    assert "resume" in run.text()
    run.put(kind="stop")  # written when nobody was there any more
    script(tmp_path, HELLO)
    done = chatdev("resume", run.product.name, cwd=tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr


def test_a_run_killed_during_a_question_asks_again_and_takes_the_answer_that_came_meanwhile(tmp_path):
    mine = company(tmp_path, "review: all\nchain: [plan, build]\n", plan=PLAN, build=PLANNED)
    args = ("--company", mine, "--model", script(tmp_path, "A plan", HELLO), "--answers", "inbox")
    run = Background(tmp_path, *args)
    run.answer("approve", 1)
    asked = run.wait_for("asked", 2)
    run.process.send_signal(signal.SIGKILL)
    run.process.wait()
    run.put(kind="answer", question=asked.key, answer="approve")
    again = Background(tmp_path, "resume", run.product.name, "--answers", "inbox")
    newest = again.wait_for("asked", 3)
    assert newest["step"] == "build", "the plan was approved and is not asked about again"
    assert newest.key != asked.key
    again.put(kind="answer", question=newest.key, answer="approve")
    assert again.end() == 3, again.text()
    keys = [event.key for event in again.events() if event.key]
    assert len(keys) == len(set(keys))


def test_what_is_no_letter_is_put_aside_and_said(tmp_path):
    said = []
    inbox = Inbox(tmp_path / "inbox", said.append)
    inbox.put({"kind": "message", "text": "good"})
    bad = {"1.json": "{", "2.json": "[]", "3.json": '{"kind": "order"}', "4.json": '{"kind": "message", "text": " "}'}
    bad["5.json"] = json.dumps({"kind": "answer", "question": "q", "answer": "perhaps"})
    bad["6.json"] = json.dumps({"kind": "message", "text": "x" * 9_000_000})
    bad["7.json"] = json.dumps({"kind": "answer", "question": "q", "answer": "edit", "files": {"a": 1}})
    bad["8.json"] = "[" * 100_000
    for name, text in bad.items():
        (inbox.folder / name).write_text(text, encoding="utf-8")
    (inbox.folder / "9.json").write_bytes(b"\xff\xfe\x00")
    (inbox.folder / "a.json").symlink_to("/etc/passwd")
    (inbox.folder / "b.json").mkdir()
    (inbox.folder / ".half").write_text("not yet a letter", encoding="utf-8")
    assert [letter.text for letter in inbox.letters()] == ["good"]
    assert len(said) == len(bad) + 3
    assert [letter.text for letter in inbox.letters()] == ["good"]
    assert len(said) == len(bad) + 3, "each is refused once"


FIELDS = st.sampled_from(["kind", "text", "to", "question", "answer", "files"]) | st.text()
PLAIN = st.none() | st.booleans() | st.integers() | st.text()
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(FIELDS, inner))


@given(JSON | st.fixed_dictionaries({"kind": st.sampled_from(["answer", "message", "stop"])}, optional={"text": JSON}))
def test_whatever_lies_in_an_inbox_is_a_letter_or_refused(value):
    try:
        letter = letter_of(value, "1.json")
    except ValueError:
        return
    assert letter.kind in ("answer", "message", "stop")
    assert all(isinstance(text, str) for text in (letter.text, letter.to, *letter.files, *letter.files.values()))


LINES = st.lists(st.sampled_from(["- approve\n", "- {comment: x}\n", "a: [stop]\n", "- edit:\n"])).map("".join)


@given(st.text() | LINES)
def test_whatever_a_file_of_answers_holds_is_answers_or_named_faults(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "answers.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    faults = []
    try:
        read_answers(path, ["coding"])
    except UserErrors as found:
        faults = [str(fault) for fault in found.errors]
    assert [fault for fault in faults if "answers.yaml" not in fault] == []
