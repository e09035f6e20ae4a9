"""The Human company, agents that ask, and answers that were written down: without anybody at the keyboard."""

import subprocess

import pytest
import yaml

from tests.chain.house import TASK, chatdev, git, only_product
from tests.chain.table import BUILD, PLAN, PLANNED, company, events_of, file, order, script

HELLO = file('print("hello")')
SNAKE = ("--task", TASK, "--company", "human", "--model", "scripted:snake", "--sandbox", "none")


def answers(folder, value):
    path = folder / "answers.yaml"
    path.write_text(value if isinstance(value, str) else yaml.safe_dump(value), encoding="utf-8")
    return ("--answers", str(path))


def told(folder, phase):
    return [event["text"] for event in events_of(folder, "told") if event["phase"] == phase]


def run(tmp_path, chain, phases, replies, given):
    mine = company(tmp_path, chain, **phases)
    model = script(tmp_path, *replies)
    return chatdev(
        "--task", "x", "--company", mine, "--model", model, "--sandbox", "none", *answers(tmp_path, given), cwd=tmp_path
    )


def test_the_human_company_asks_first_and_is_commented_on_after_the_review(tmp_path):
    blue, more = {"comment": "make the snake blue"}, {"comment": "and the apple green"}
    given = [{"answer": "it dies"}, "skip", blue, more, "approve"]
    done = chatdev(*SNAKE, *answers(tmp_path, given), cwd=tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    asked = events_of(tmp_path, "asked")
    assert [event["subject"] for event in asked[:2]] == [
        "What happens when the snake meets the edge of the field?",
        "Should it become faster as it grows?",
    ]
    assert [event["step"] for event in asked[2:]] == [f"people.{turn}.human_review" for turn in (1, 2, 3)]
    assert asked[2]["reasons"] == "", "a control line is for the house"
    wished = [event["text"] for event in events_of(tmp_path, "said") if event["phase"] == "human_review"]
    assert "The snake is blue now." in wished[0]
    assert wished[1].startswith("This is a recording"), "what was not recorded is said, and the run goes on"
    assert "make the snake blue" in told(tmp_path, "human_review")[0]
    assert "#4f9de8" in (only_product(tmp_path) / "main.py").read_text(encoding="utf-8")
    steps = [event["step"] for event in events_of(tmp_path, "step_started")]
    assert steps.index("people.1.human_review") > steps.index("review.2.code_review")
    (ended,) = [event for event in events_of(tmp_path, "loop_ended") if event["loop"] == "people"]
    assert ended["until"] == "human_review.done"


def test_what_the_person_answered_stands_in_every_agents_task_from_then_on(tmp_path):
    from tests.fake_openai import FakeOpenAI

    def reply(messages):
        return {"Ask.": "1. How large?\n2. **For whom?**\nThank you.", "Plan.": "A plan"}.get(
            messages[-1]["content"].strip(), HELLO
        )

    ask = "instructor: cto\nassistant: programmer\nconclusion: answers\nprompt: Ask.\n"
    mine = company(tmp_path, "chain: [plan, ask, build]\n", plan=PLAN, ask=ask, build=PLANNED)
    with FakeOpenAI(reply=reply) as server:
        done = chatdev(
            "--task", "x", "--company", mine, "--sandbox", "none", "--model", "openai:tiny",
            *answers(tmp_path, [{"answer": "10 by 10"}, "skip"]), cwd=tmp_path, OPENAI_BASE_URL=server.url,
        )  # fmt: skip
        heads = [call.messages[0]["content"] for call in server.calls]
    assert done.returncode == 3, done.stderr
    assert "10 by 10" not in heads[0]
    assert heads[-1].rstrip().endswith("- How large? 10 by 10")
    assert "For whom" not in heads[-1], "what was left open is not told"


def test_agents_that_keep_their_stream_are_told_the_answers(tmp_path):
    ask = "instructor: cto\nassistant: programmer\nconclusion: answers\nprompt: Ask.\n"
    chain = "stream: {scope: run}\nchain: [plan, ask, build]\n"
    done = run(
        tmp_path,
        chain,
        {"plan": PLAN, "ask": ask, "build": PLANNED},
        ["A plan", "How large?", HELLO],
        [{"answer": "3"}],
    )
    assert done.returncode == 3, done.stderr
    assert any("- How large? 3" in text for text in told(tmp_path, "ask"))


def test_questions_are_passed_over_without_cost_where_nobody_is_there(tmp_path):
    mine = company(tmp_path, "chain: [clarify, build]\n", "ceo, cpo, cto, programmer", build=BUILD)
    done = chatdev(
        "--task", "x", "--company", mine, "--model", script(tmp_path, HELLO), "--sandbox", "none", cwd=tmp_path
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert [event["phase"] for event in events_of(tmp_path, "said")] == ["build"]
    assert "nobody is there to answer" in done.stdout


def test_the_human_company_without_a_person_fails_before_anything_is_spent(tmp_path):
    done = chatdev(*SNAKE, cwd=tmp_path)
    assert done.returncode == 1
    assert "asks a person" in done.stderr
    assert "--answers FILE" in done.stderr
    assert not (tmp_path / "warehouse").exists()


def test_answers_in_order_edit_reject_and_approve(tmp_path):
    given = [
        {"edit": {"files": {"main.py": 'print("mine")\n', "README.md": "# Mine\n"}}},
        {"reject": "no"},
        {"always": "run"},
    ]
    done = run(
        tmp_path, "review: all\nchain: [build, plan]\n", {"build": BUILD, "plan": PLAN}, [HELLO, HELLO, "P"], given
    )
    assert done.returncode == 3, done.stdout + done.stderr
    log = git(only_product(tmp_path), "log", "--reverse", "--format=%an: %s").splitlines()
    assert log == [
        "Programmer: Build [build]",
        "Human: Edited by hand [build]",
        "Human: Taken back [build]",
        "Programmer: Build [build~2]",
    ]
    assert not (only_product(tmp_path) / "README.md").exists()


DECISIONS = [
    {"comment": "friendlier"},
    {"edit": {"files": {"main.py": 'print("mine")\n', "notes.md": "# x\n"}}},
    {"reject": "no"},
    "approve",
    "skip",
]


def decided(folder, shared, kill_at=None):
    """A run with all decisions, in one life or killed when a line is printed; returns the product's history."""
    again = BUILD.replace("Build.", "Again.")
    folder.mkdir()
    mine = company(folder, "review: all\nchain: [build, again]\n", build=BUILD, again=again)
    model = script(shared, HELLO, file('print("hi")'), file('print("new")'), file("2", "two.py"))
    command, env = order("--company", mine, "--model", model, *answers(shared, DECISIONS))
    with subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True) as life:
        for line in life.stdout:
            if kill_at is not None and kill_at in line:
                life.kill()
                break
        life.stdout.read()
    if kill_at is not None:
        done = chatdev("resume", only_product(folder).name, *answers(shared, DECISIONS), cwd=folder)
        assert done.returncode == 3, done.stdout + done.stderr
    keys = [event.key for event in events_of(folder) if event.key]
    assert len(keys) == len(set(keys))
    return git(only_product(folder), "log", "--format=%H %an: %s")


def test_decisions_are_taken_once_wherever_the_run_is_killed(tmp_path):
    undisturbed = decided(tmp_path / "undisturbed", tmp_path)
    assert undisturbed.count("Human: ") == 3
    for number, kill_at in enumerate(["You: edit", "You: reject"]):
        assert decided(tmp_path / f"killed{number}", tmp_path, kill_at) == undisturbed, kill_at


def test_answers_by_phase_and_none_left_stops_and_can_go_on(tmp_path):
    phases = {"plan": PLAN, "build": PLANNED}
    chain = "review: all\nchain: [plan, build]\n"
    done = run(tmp_path, chain, phases, ["A plan", "B plan", HELLO], {"plan": [{"comment": "shorter"}, "approve"]})
    assert done.returncode == 5, done.stdout + done.stderr
    assert 'has no answer left for "Build"' in done.stdout
    product = only_product(tmp_path).name
    given = answers(tmp_path, {"plan": [{"comment": "shorter"}, "approve"], "build": ["approve"]})
    # What was stopped at counts as no answer: the file still holds all answers of the run from its beginning.
    done = chatdev("resume", product, *given, cwd=tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    assert len(events_of(tmp_path, "said")) == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- aprove\n", 'answers.yaml:1: "aprove" is no answer'),
        ("- approve\n- comment: {a: b}\n", "answers.yaml:2: expected a text"),
        ("coding: [approve, {edit: {files: [a]}}]\n", "answers.yaml:1: edit has files"),
        ("approve", "expected a list of answers"),
        ("- [approve\n", "answers.yaml"),
        ("codin: [approve]\n", 'answers.yaml:1: there is no phase "codin" here (did you mean "coding"?)'),
    ],
)
def test_a_file_that_holds_no_answers_is_refused_before_anything_is_spent(tmp_path, text, told):
    done = chatdev("--task", "x", "--model", "scripted:snake", *answers(tmp_path, text), cwd=tmp_path)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "warehouse").exists()


def test_an_answer_that_cannot_be_given_there_names_its_line(tmp_path):
    done = run(tmp_path, "review: all\nchain: [build]\n", {"build": BUILD}, [HELLO], ["skip"])
    assert done.returncode == 1
    assert 'answers.yaml:1: "skip" cannot be answered to "Build" [build]' in done.stderr
    assert "resume" in done.stderr
