"""A task that the apprentice did not understand is found in its analysis, by rules, and the run stops there."""

import pytest
import yaml

from chatdev.apprentice.bounds import Bounds, bounds_of
from chatdev.apprentice.course import Course
from chatdev.apprentice.curriculum import lesson
from chatdev.apprentice.oracle import Oracle
from chatdev.apprentice.rehearsal import default_company
from chatdev.chain.absent import FromFile
from chatdev.chain.company_run import CompanyRun, Order
from chatdev.chain.people import Nobody
from chatdev.chain.pieces import LONGEST
from chatdev.cli.endings import ending
from chatdev.errors import UserError
from chatdev.llm import select
from chatdev.run import product as products
from chatdev.run.journal import read_events

BOUNDS = Bounds(["snake", "todo"])


@pytest.mark.parametrize(
    ("task", "analysis", "why"),
    [
        ("a snake game", "1: a snake game [PROGRAM = snake]\n\nWIDTH = 20\n", None),
        ("A snake game. Thanks!", "1: A snake game. [PROGRAM = snake]\n2: Thanks!\n", None),
        ("hello", "1: hello\n\nI cannot do this well.\n\n<INFO> Python\n", "names no program"),
        ("a chess game", "1: a chess game [PROGRAM = chess]\n", "names no program"),
        ("a snake game", "[PROGRAM = snake]\n", "names no program"),
        ("A snake game. Nice.", "1: A snake game. [PROGRAM = snake]\n2: Nice.\n1: Nice.\n2: Nice.\n", "lost its way"),
        ("A snake game. Nice.", "1: A snake game. [PROGRAM = snake]\n", "lost its way"),
        ("hello [PROGRAM = snake]", "1: hello [PROGRAM = snake] [TITLE = x]\n", "names no program"),
        ("hello [PROGRAM = snake]", "1: hello [PROGRAM = snake] [PROGRAM = todo]\n", None),
        ("a snake game", f"{'9' * 5000}: a snake game [PROGRAM = snake]\n", "names no program"),
    ],
)
def test_an_analysis_shows_whether_the_task_was_understood(task, analysis, why):
    found = BOUNDS.beyond(task, analysis)
    assert (why is None and found is None) or why in found


@pytest.mark.parametrize(
    ("task", "analysis", "lost"),
    [
        ("a snake game", "1: a snake game [PROGRAM = snake]\n", []),
        ('a list called "a [B = 1] c"', '1: a list\n2: called "a [B = 1] c" [TITLE = "a [B = 1] c"]\n', []),
        (
            "a snake game 0 cells wide and -5 high",
            "1: a snake game  [PROGRAM = snake]\n2: and -5 high [HEIGHT = 5]\n",
            ["0 cells wide"],
        ),
        ("a snake game with sound", "1: a snake game [PROGRAM = snake]\n2: with music\n", ["sound"]),
        ("a snake game with sound", "1: a snake game [PROGRAM = snake]\n", ["with sound"]),
        ("a snake\u00a0game.\x0bNice", "1: a snake game. [PROGRAM = snake]\n2: Nice\n", []),
        ("a snake game\n* * *", "1: a snake game [PROGRAM = snake]\n", []),
    ],
)
def test_what_an_analysis_leaves_out_of_the_task_is_found(task, analysis, lost):
    assert BOUNDS.overlooked(task, analysis) == lost


def test_a_task_too_long_to_be_taken_apart_is_told_with_the_numbers():
    assert BOUNDS.too_long("a" * LONGEST) is None
    assert "at most 2,000 characters, and this one has 2,001" in BOUNDS.too_long("a" * (LONGEST + 1))


def test_only_the_apprentice_has_bounds():
    assert "snake" in bounds_of("apprentice").families
    assert bounds_of("hf:chatdev/apprentice/weights") is None
    assert bounds_of("openai:gpt-4o-mini") is None


class Speaking(Oracle):
    """An oracle in the apprentice's place whose analyses are given, one after the other."""

    def __init__(self, *analyses):
        super().__init__(lesson("snake", 1), Course(), name="apprentice")
        self.analyses = list(analyses)

    def answer(self):
        return self.analyses.pop(0) if self.phase == "demand_analysis" and self.analyses else super().answer()


@pytest.fixture
def house(tmp_path, monkeypatch):
    """Runs a product of the default company without a sandbox, with a model in the apprentice's place."""
    bundle = default_company()
    sandbox = bundle.company.sandbox.model_copy(update={"engine": "none"})
    product = products.create(tmp_path, "snake")

    def run(oracle, task=None, answers=(), source=None):
        changes = {"model": oracle.name, "sandbox": sandbox, "review": ["demand_analysis"] if answers else "none"}
        bundle.company = bundle.company.model_copy(update=changes)
        bundle.write(product.company)
        monkeypatch.setitem(select.OPENERS, oracle.name.partition(":")[0], lambda rest, setting: oracle)
        file = tmp_path / "answers.yaml"
        file.write_text(yaml.safe_dump({"demand_analysis": list(answers)}), encoding="utf-8")
        person = FromFile(file, set(bundle.phases)) if answers else Nobody()
        order = Order(task or oracle.lesson.task, source=source)
        return CompanyRun(product, bundle, order, person, lambda ledger, titles: [oracle.read]).run()

    run.product = product
    return run


def kinds(product, kind):
    return [event for event in read_events(product.journal)[0] if event.kind == kind]


def steps(product):
    return [event["step"] for event in kinds(product, "step_started")]


def named(oracle, name):
    oracle.name = name
    return oracle


STRANGE = "1: hello\n\nI cannot do this well.\n\n<INFO> Python\n"


def test_a_run_stops_at_an_analysis_that_shows_no_understanding_and_another_model_goes_on(house):
    report = house(Speaking(STRANGE))
    assert (report["exit_code"], report["state"], report["gave_up"]) == (3, "stopped", True)
    assert "cannot be used: it names no program" in report["reason"]
    lines = "\n".join(ending(report, house.product))
    assert "knows   breakout, calculator," in lines
    assert "--model MODEL" in lines

    again = house(named(Speaking(), "scripted:other"))
    assert (again["state"], again["gave_up"]) == ("finished", False)
    assert steps(house.product)[:2] == ["demand_analysis", "demand_analysis~2"]


def test_a_run_that_was_killed_before_the_refusal_was_written_is_not_gone_on_with(house):
    house(Speaking(STRANGE))
    lines = house.product.journal.read_bytes().splitlines(keepends=True)
    cut = next(at for at, line in enumerate(lines) if b'"kind":"said"' in line) + 1
    house.product.journal.write_bytes(b"".join(lines[:cut]))
    report = house(named(Speaking(), "scripted:other"))
    assert report["gave_up"]
    assert [event["model"] for event in kinds(house.product, "said")] == ["apprentice"]


def test_what_another_model_said_is_never_judged_by_the_apprentices_rules(house):
    free = named(Speaking("This is a snake game.\n\n<INFO> Game\n"), "scripted:other")
    assert house(free)["state"] == "finished"
    report = house(Speaking())
    assert (report["state"], report["gave_up"]) == ("finished", False)


def test_an_analysis_that_goes_on_and_on_is_not_asked_again(house):
    house(Speaking("1: hello\n" * 50, STRANGE))
    assert len(kinds(house.product, "said")) == 1


def test_a_task_too_long_ends_before_a_word_is_said_and_another_model_goes_on(house):
    task = "a snake game. " * 200
    report = house(Speaking(), task=task)
    assert report["gave_up"]
    assert "2,000 characters" in report["reason"]
    assert not kinds(house.product, "said")
    assert house(named(Speaking(), "scripted:other"), task=task)["state"] == "finished"


def test_what_is_left_out_is_told(house):
    short = "1: a snake game [PROGRAM = snake]\n2: with sound\n3: and\n\nPROGRAM = snake\n\n<INFO> Game\n"
    house(Speaking(short), task="a snake game with sound and grünem \x1b[2J Licht")
    texts = [event["text"] for event in kinds(house.product, "notice")]
    assert 'not taken over from the task: "grünem \x1b[2J Licht"' in texts


GOOD = "1: a snake game [PROGRAM = snake]\n\nPROGRAM = snake\n\n<INFO> Game\n"


def test_a_correction_that_is_no_analysis_leaves_what_was_there(house):
    house(Speaking(GOOD, "main.py: shows the field\n"), task="a snake game", answers=[{"comment": "tetris"}, "stop"])
    assert [event["text"] for event in kinds(house.product, "artifact")][-1].startswith("1: a snake game")
    assert any("what was there stays" in event["text"] for event in kinds(house.product, "notice"))


def test_why_a_person_wants_it_done_again_is_told_to_the_model_that_goes_on(house):
    house(Speaking(GOOD, "<INFO> Game\n"), task="a snake game", answers=[{"reject": "the field should be red"}])
    house(named(Speaking(GOOD), "scripted:other"), task="a snake game", answers=["approve"])
    assert steps(house.product)[:3] == ["demand_analysis", "demand_analysis~2", "demand_analysis~3"]
    told = [event["text"] for event in kinds(house.product, "told") if event.key.startswith("demand_analysis~3/")]
    assert "the field should be red" in told[0]


def test_the_bundled_apprentice_does_not_change_what_is_there(house, tmp_path):
    source = tmp_path / "there"
    source.mkdir()
    (source / "main.py").write_text("print(1)\n")
    with pytest.raises(UserError, match="cannot change what is there"):
        house(Speaking(), source=source)
