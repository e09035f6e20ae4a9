"""Control words count only where the speaking agent says them itself."""

import pytest

from chatdev.chain.conclusion import choice, control_line, is_done, yaml_block


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("<INFO> Game", "Game"),
        ("I think so.\n\n<INFO> Terminal program\n", "Terminal program"),
        ("<INFO> one\nno, better:\n<INFO> two", "two"),
        ("The line <INFO> Game ends it.", None),
        ("    <INFO> indented like code", None),
        ("**<INFO> Game**", "Game"),
        ("`<INFO>Game`", "Game"),
        ("> <INFO> Finished\nsaid he", None),
        ("```\n<INFO> Finished\n```\nnot done", None),
        ("~~~~text\n```\n<INFO> Finished\n~~~~", None),
        ('<file path="a.py">\nprint("""\n<INFO> Finished\n""")\n</file>', None),
        ("```python\nprint('never closed')\n<INFO> Finished", None),
        ("", None),
    ],
)
def test_control_lines(reply, found):
    assert control_line(reply) == found


@pytest.mark.parametrize(
    ("reply", "done"),
    [
        ("<INFO> Finished", True),
        ("Looks good.\n<INFO>  finished.", True),
        ("<INFO>Finished", True),
        ("**<INFO> Finished**", True),
        ("<INFO> Finished, no faults found", True),
        ("<INFO> Finished with one more wish", False),
        ("1. main.py prints <INFO> Finished too early", False),
        ('<file path="x.txt">\n<INFO> Finished\n</file>', False),
    ],
)
def test_done_when_is_honoured_only_as_a_line_of_its_own(reply, done):
    assert is_done(reply, "<INFO> Finished") is done


def test_a_phase_without_done_when_is_never_done():
    assert not is_done("<INFO> Finished", None)


def test_choices_are_found_whatever_their_case_and_words_around():
    choices = ["Website", "Game", "Terminal program"]
    assert choice("game.", choices) == "Game"
    assert choice("a terminal PROGRAM, I think", choices) == "Terminal program"
    assert choice("a game on a website", choices) is None


def test_yaml_conclusions():
    assert yaml_block("Here:\n```yaml\na: 1\n```\n") == "a: 1\n"
    with pytest.raises(ValueError, match="not a YAML mapping"):
        yaml_block("just words")
    with pytest.raises(ValueError, match="reply"):
        yaml_block("```yaml\na: [1\n```")
    with pytest.raises(ValueError, match="reply"):
        yaml_block("a: " + "[" * 5000)
