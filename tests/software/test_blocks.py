"""Replies to files: the corpus, and what has to hold for any reply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.software.blocks import BlockLimits, parse_reply, render_file
from chatdev.software.placeholders import find_placeholders
from chatdev.software.syntax import syntax_problem
from tests.software.corpus import AWKWARD, HOSTILE


@pytest.mark.parametrize("case", [*AWKWARD, *HOSTILE], ids=lambda case: case.name)
def test_the_corpus(case):
    found = parse_reply(case.reply)
    assert [(block.path, block.text) for block in found.files] == list(case.files)
    assert found.deletes == list(case.deletes)
    assert [(p.path, p.line) for p in found.problems] == [(path, line) for path, line, _ in case.problems]
    for problem, (path, _, words) in zip(found.problems, case.problems, strict=True):
        assert words in problem.message
        assert not path or path in problem.message
    assert len(found.notices) == len(case.notices), found.notices
    for notice, words in zip(found.notices, case.notices, strict=True):
        assert words in notice


# Any text but lines that look like our tags or like fences, which only checked kinds of files may hold.
_LINE = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n"), max_size=60)
_PLAIN = _LINE.filter(lambda line: "<" not in line and "```" not in line and "~~~" not in line)
_TEXT = st.lists(_PLAIN, max_size=12).map(lambda lines: "".join(f"{line}\n" for line in lines))
_NAME = st.from_regex(
    r"[A-Za-z0-9_][A-Za-z0-9_ .-]{0,12}(/[A-Za-z0-9_][A-Za-z0-9_-]{0,8}){0,3}\.(txt|js|md|css|rs)", fullmatch=True
)
_FILES = st.lists(st.tuples(_NAME, _TEXT), max_size=6, unique_by=lambda pair: pair[0])
_PROSE = st.lists(_PLAIN, max_size=4).map("\n".join)


@given(_FILES, st.lists(_PROSE, min_size=7, max_size=7))
def test_files_in_the_asked_for_form_come_back_byte_for_byte(files, prose):
    reply = prose[0] + "\n"
    for (path, text), words in zip(files, prose[1:], strict=False):
        reply += render_file(path, text) + words + "\n"
    found = parse_reply(reply)
    assert [(block.path, block.text) for block in found.files] == files
    assert not found.problems


_ANY_LINE = st.one_of(
    _LINE,
    st.sampled_from(["</file>", '<file path="evil.py">', "```", "```python", "~~~", "<INFO> Finished", "main.py"]),
)


@given(st.lists(st.lists(_ANY_LINE, max_size=10), max_size=4))
def test_python_files_hold_any_lines_in_their_strings(contents):
    files = []
    for number, lines in enumerate(contents):
        data = "\n".join(lines).replace("\\", "\\\\").replace('"', '\\"').replace("\r", "").replace("\0", "")
        files.append((f"m{number}.py", f'DATA = """\n{data}\n"""\n'))
    # Quotes are escaped, so the tag in question reads <file path=\"evil.py\"> in some lines; the others are exact.
    found = parse_reply("".join(render_file(path, text) for path, text in files))
    assert [(block.path, block.text) for block in found.files] == files
    fenced = parse_reply("".join(f"{path}\n```python\n{text}```\n\n" for path, text in files))
    assert [(block.path, block.text) for block in fenced.files] == files


_FENCES = ["```", "````", "```python", "~~~", "  ```", '```json title="x.json"', "main.py", "**a/b.md**"]
_TAGS = ['<file path="a.py">', "</file>", '<file path="b.md"/>', '<delete path="c"/>', "<file>", "<file path="]
_SOUP = st.lists(st.sampled_from([*_FENCES, *_TAGS, "x = 1", '"""', "{", "}", ""]), max_size=40)


@given(_SOUP)
def test_no_reply_breaks_the_parser_and_every_line_of_a_file_stands_in_the_reply(lines):
    found = parse_reply("\n".join(lines))
    for block in found.files:
        for line in block.text.split("\n")[:-1]:
            assert line in lines or f"  {line}" in lines
    paths = [block.path for block in found.files]
    assert len(paths) == len(set(paths))
    assert not set(paths) & set(found.deletes)


@given(st.text(max_size=300))
def test_any_text_at_all_is_read(text):
    found = parse_reply(text, default_path="main.py")
    assert all(block.path for block in found.files)
    assert len({block.path for block in found.files}) == len(found.files)


def test_a_single_unnamed_block_is_the_default_file():
    found = parse_reply(
        "I wrote it.\n```python\nx = 1\n```\nRun it:\n```sh\npython main.py\n```", default_path="main.py"
    )
    assert [(f.path, f.text) for f in found.files] == [("main.py", "x = 1\n")]
    assert not found.problems
    assert "had no name" in found.notices[0]


def test_two_unnamed_blocks_are_in_doubt_and_told():
    found = parse_reply("```python\nx = 1\n```\n```python\ny = 1\n```", default_path="main.py")
    assert not found.files
    assert [p.line for p in found.problems] == [1, 4]


def test_the_default_file_does_not_stand_in_for_a_broken_block():
    found = parse_reply('```python\nx = 1\n```\n<file path="a.py">\ny =', default_path="main.py")
    assert not found.files
    assert len(found.problems) == 2


def test_limits_are_named_and_the_rest_is_taken():
    limits = BlockLimits(files=2, file_bytes=20)
    reply = render_file("big.txt", "x" * 30) + "".join(render_file(f"{n}.txt", "ok\n") for n in range(4))
    found = parse_reply(reply, limits=limits)
    assert [f.path for f in found.files] == ["0.txt", "1.txt"]
    assert ["larger than 20 bytes" in p.message for p in found.problems] == [True, False, False]
    assert all("more than 2 files" in p.message for p in found.problems[1:])


def test_a_reply_beyond_the_limit_is_read_up_to_it():
    found = parse_reply(
        render_file("a.txt", "a\n") + render_file("b.txt", "b" * 500), limits=BlockLimits(reply_chars=100)
    )
    assert [f.path for f in found.files] == ["a.txt"]
    assert {"b.txt", None} == {p.path for p in found.problems}


@pytest.mark.parametrize(
    "flood",
    [
        '<file path="a.py">\n' * 30_000,
        "</file>\n" * 30_000,
        "```python\n" * 30_000,
        "main.py\n```python\n" * 15_000,
        '<file path="a.py">\n"""\n</file>\n' * 10_000,
        "```\n" * 30_000,
        " " * 500_000 + "```" + " " * 500_000,
        "`" * 1_000_000,
        '<file path="' + "a" * 1_000_000,
        "(" * 200_000,
    ],
    ids=lambda flood: flood[:12].strip() or "spaces",
)
@pytest.mark.timeout(60)
def test_a_flood_ends(flood):
    found = parse_reply(flood)
    assert len(found.files) <= 500
    assert len(found.problems) <= 21


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "(" * 50_000),
        ("a.py", "x = " + "-" * 100_000 + "1"),
        ("a.py", "a" + ".b" * 200_000),
        ("a.py", "a" + "+a" * 200_000),
        ("a.py", "if a: pass\n" + "elif b: pass\n" * 50_000),
        ("a.json", "[" * 200_000),
        ("a.toml", "a = " + "[" * 50_000),
        ("a.yaml", "[" * 50_000),
    ],
    ids=lambda text: text[:12],
)
def test_source_nested_beyond_reason_is_a_problem_and_no_crash(path, text):
    assert syntax_problem(path, text) is not None
    assert find_placeholders({path: text}) == []
