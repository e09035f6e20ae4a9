"""Reasoning that a server leaves inside the reply is talk, and only that is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.software.blocks import parse_reply, render_file
from chatdev.software.thoughts import without_thoughts

DRAFT = render_file("draft.py", "x = 1\n")
FENCED = "**fenced.py**\n```python\ny = 1\n```\n"
MAIN = render_file("main.py", "print(1)\n")


def files(reply):
    found = parse_reply(reply)
    return [block.path for block in found.files], [problem.message for problem in found.problems]


@pytest.mark.parametrize(
    "thoughts",
    [
        f"<think>\nMaybe so:\n{DRAFT}no, better:\n</think>\n",
        f"<think>\n{FENCED}</think>\n\n",
        f"  <THINK>Maybe so:\n{DRAFT}no, better.</think>\n",
        f"Maybe so:\n{DRAFT}{FENCED}no, better:\n</think>\n",  # the template had the opening tag
        f"{DRAFT}no, better.</think>\n",
        "<think>\n\n</think>\n\n",
        "<think>short</think>\n",
        '<think>\nIt may start so:\n<file path="draft.py">\nx = 1\nno.\n</think>\n',
        "It may start so:\n```python\nx = (\nno.\n</think>\n",
        f"<thinking>\n{DRAFT}</thinking>\n",
        f"<think>\na\n</think>\nNow:\n<think>\n{DRAFT}</think>\n",
        "<think>\n<INFO> Finished\n</think>",
        '<think>\n<delete path="main.py"/>\n</think>\n',
    ],
)
def test_what_was_thought_is_no_file(thoughts):
    found = parse_reply(thoughts + MAIN)
    assert [(block.path, block.text) for block in found.files] == [("main.py", "print(1)\n")]
    assert found.files[0].line == thoughts.count("\n") + 1
    assert not found.problems
    assert not found.deletes
    assert "<INFO>" not in without_thoughts(thoughts + MAIN)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("strip.py", 'TAG = """\n<think>\n</think>\n"""\n'),
        ("notes.txt", "<think>\nopen for ever\n"),
        ("page.html", "</think>\n<p>\n"),
        ("README.md", "```\n<think>\n```\n</think>\n"),
    ],
)
def test_a_tag_inside_a_file_is_data(path, text):
    for reply in (render_file(path, text) + MAIN, f"<think>\n{DRAFT}</think>\n" + render_file(path, text) + MAIN):
        found = parse_reply(reply)
        assert [(block.path, block.text) for block in found.files] == [(path, text), ("main.py", "print(1)\n")]
        assert not found.problems
    fenced = parse_reply(f"`notes.txt`\n```\n<think>\nx\n```\n{MAIN}")
    assert [block.path for block in fenced.files] == ["notes.txt", "main.py"]


def test_thoughts_without_an_end_are_worth_asking_again():
    paths, problems = files(f"{MAIN}<think>\nBut what of\n{DRAFT}")
    assert paths == ["main.py"]
    assert problems == ["line 4 of the reply: <think> is not closed; all that follows was taken for thoughts"]


def test_a_second_closing_tag_closes_nothing():
    assert files(f"<think>\na\n</think>\n{MAIN}</think>\n{DRAFT}") == (["main.py", "draft.py"], [])


def test_words_in_a_sentence_are_no_tags():
    reply = f"I strip the tags <think> and </think> in it.\n{MAIN}"
    assert files(reply) == (["main.py"], [])
    assert without_thoughts(reply) == reply


_LINES = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "a</think>", "<think>b</think>c", "```", "```python", "</file>",
         '<file path="a.py">', "x = 1", "", "<think> x", '"""']
    ),
    max_size=14,
)  # fmt: skip


@given(_LINES)
def test_any_order_of_tags_keeps_the_lines_in_their_places(lines):
    text = "\n".join(lines)
    kept = without_thoughts(text).split("\n")
    assert len(kept) == len(text.split("\n"))
    assert all(new == "" or old.endswith(new) for old, new in zip(text.split("\n"), kept, strict=True))
    parse_reply(text)


@given(st.text(alphabet="<>/think \n`~a", max_size=200))
def test_never_raises(text):
    assert without_thoughts(text).count("\n") == text.count("\n")


def test_a_flood_of_tags_is_read_in_time_that_grows_with_its_length():
    for flood in ("<think>x</think>\n", "<think>\n", "</think>\n", "</think>y\n", '<file path="a.py">\n<think>\n'):
        assert without_thoughts(flood * 40_000).count("\n") == flood.count("\n") * 40_000
