"""Prompts grow with what is new: shown once, referred to while it is held, shown again when lost or changed."""

import pytest

from chatdev.chain.agent import Agent
from chatdev.chain.brief import Brief
from chatdev.chain.prompt import Composer
from chatdev.chain.recollection import Recollection
from chatdev.chain.snapshots import Snapshots
from chatdev.chain.words import Words
from chatdev.errors import UserError
from chatdev.llm.base import Mark, WindowState
from chatdev.run.journal import Journal


class ShortMemory:
    """A stream that holds the last `keep` texts it heard; nothing is ever said."""

    def __init__(self, keep=100, window=0):
        self.heard, self.keep, self.window = [], keep, WindowState(0, 0, window=window)

    def hear(self, text):
        self.heard.append(text)
        return Mark(len(self.heard) - 1, len(self.heard))

    def holds(self, mark):
        return mark.start >= len(self.heard) - self.keep


@pytest.fixture
def house(tmp_path):
    """A journal, a brief, the files of a product and a composer over them."""
    journal = Journal.open(tmp_path / "journal.jsonl")
    files = {"main.py": "import game\n", "game.py": "class Game:\n    size = 20\n"}
    brief = Brief(journal, {"task": "a game", "background": ""})
    composer = Composer(brief, Words.load(), lambda: files)
    yield journal, files, brief, composer
    journal.close()


def ask(house, agent, template, reads, room=10_000, **names):
    journal, _, _, composer = house
    key = f"told{len(journal.events)}"
    return agent.hear(key, "phase", "ceo", lambda: composer.compose(template, "x.yaml", agent, reads, room, **names))


def agent(house, keep=100, window=0):
    memory = Recollection(lambda: ShortMemory(keep, window), "", "programmer", Snapshots(house[0].path.parent), print)
    return Agent("programmer", "test", memory, house[0], lambda: None)


def test_files_are_shown_once_and_then_referred_to(house):
    who = agent(house)
    first = ask(house, who, "{{ files }}", ["files"])
    assert '<file path="game.py">\nclass Game:\n    size = 20\n</file>' in first
    second = ask(house, who, "{{ files }}", ["files"])
    assert "class Game" not in second
    assert "game.py (2 lines) is unchanged" in second


def test_only_the_changed_file_is_shown_again(house):
    who = agent(house)
    ask(house, who, "{{ files }}", ["files"])
    house[1]["game.py"] = "class Game:\n    size = 30\n"
    again = ask(house, who, "{{ changes }}\n{{ files }}", ["files", "changes"])
    assert "size = 30" in again
    assert again.startswith("game.py\n")
    assert "import game" not in again


def test_what_was_evicted_is_shown_again(house):
    who = agent(house, keep=2)
    ask(house, who, "{{ files }}", ["files"])
    ask(house, who, "How are you?", [])
    assert "class Game" not in ask(house, who, "{{ files }}", ["files"])
    ask(house, who, "How are you?", [])
    assert "class Game" in ask(house, who, "{{ files }}", ["files"])


def test_a_deleted_file_is_told(house):
    who = agent(house)
    ask(house, who, "{{ files }}", ["files"])
    del house[1]["game.py"]
    assert "game.py was deleted." in ask(house, who, "{{ changes }}", ["changes"])


def test_a_long_artifact_is_not_pasted_twice_but_its_new_version_is(house):
    who, brief = agent(house), house[2]
    brief.write("a1", "review", "fault " * 200, "reviewer")
    assert "fault fault" in ask(house, who, "{{ review }}", ["review"])
    assert "(review: as you know it from before)" in ask(house, who, "{{ review }}", ["review"])
    brief.write("a2", "review", "other " * 200, "reviewer")
    assert "other other" in ask(house, who, "{{ review }}", ["review"])


def test_a_name_in_a_branch_not_taken_counts_as_not_shown(house):
    who = agent(house)
    ask(house, who, "{% if review %}{{ files }}{% endif %}", ["files", "review"])
    assert "class Game" in ask(house, who, "{{ files }}", ["files"])


def test_files_beyond_the_room_are_named(house):
    house[1]["big.py"] = "x = 1\n" * 1000
    text = ask(house, agent(house), "{{ files }}", ["files"], room=500)
    assert "class Game" in text
    assert "x = 1" not in text
    assert "Not shown, for want of room: big.py." in text


def test_a_file_named_in_the_findings_goes_first_when_room_is_short(house):
    house[1]["zoo.py"] = "z = 1\n" * 80
    house[2].write("a1", "test_report", "zoo.py:3: NameError", "verify")
    text = ask(house, agent(house), "{{ files }}", ["files"], room=490)
    assert "z = 1" in text
    assert "class Game" not in text


FAILING = "tests/test_game.py:4: in test_size\n    assert Game.size == 30"


def with_a_failing_test(house):
    house[1]["tests/test_game.py"] = "from game import Game\n\n\ndef test_size():\n    assert Game.size == 30\n"
    house[2].write("a1", "test_report", FAILING, "verify")
    return house


def test_what_a_failing_test_tries_is_shown_with_it(house):
    text = ask(with_a_failing_test(house), agent(house), "{{ suspects }}", ["suspects"])
    assert "def test_size" in text
    assert "class Game" in text
    assert "There are also: main.py." in text


def test_a_small_window_is_not_filled_with_what_no_report_names(house):
    text = ask(with_a_failing_test(house), agent(house, window=120), "{{ suspects }}", ["suspects"])
    assert "def test_size" in text
    assert "There are also: game.py, main.py." in text


def test_what_the_summary_names_is_a_suspect_for_whoever_reads_the_summary(house):
    with_a_failing_test(house)[2].write("a2", "error_summary", "game.py, Game: the size is wrong.", "tester")
    who = agent(house, window=120)
    assert "class Game" not in ask(house, who, "{{ suspects }}", ["suspects"])
    assert "class Game" in ask(house, who, "{{ suspects }}", ["suspects", "error_summary"])


def test_text_of_models_and_tasks_is_never_a_template(house):
    who, brief = agent(house), house[2]
    brief.write("a1", "review", "{{ task }} {% raw %}", "reviewer")
    assert ask(house, who, "{{ review }}", ["review"]).strip() == "{{ task }} {% raw %}"


def test_an_unknown_name_is_one_line_for_the_user(house):
    with pytest.raises(UserError, match=r"^x\.yaml: the prompt names something that is not there: .*nothing"):
        ask(house, agent(house), "{{ nothing }}", [])
