"""YAML from strangers: what is read as what, what is refused and how it is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.company.safe_yaml import MAX_BYTES, Map, Seq, Text, plain, read_file, read_yaml
from chatdev.errors import UserErrors


def read(text: str | bytes) -> object:
    return plain(read_yaml(text, "f.yaml"))


def test_scalars_keep_the_text_that_was_typed() -> None:
    typed = ["no", "Yes", "on", "1.10", "12:30", "010", "0o17", "1_000", "2020-01-01", ".inf", "=", "1e3"]
    assert read("[" + ", ".join(typed) + "]") == typed


def test_only_null_is_null() -> None:
    assert read("a:\nb: ~\nc: null\nd: 'null'\ne: ''\nf: '~'\n") == {
        "a": None,
        "b": None,
        "c": None,
        "d": "null",
        "e": "",
        "f": "~",
    }


def test_a_key_is_its_text() -> None:
    assert read("no: 1\n1.10: 2\nnull: 3\n") == {"no": "1", "1.10": "2", "null": "3"}


def test_block_texts_keep_their_lines() -> None:
    assert read("a: |\n  x\n\n   y\nb: >-\n  p\n  q\n") == {"a": "x\n\n y\n", "b": "p q"}


def test_every_value_knows_its_line() -> None:
    tree = read_yaml("# c\na: 1\nb:\n  - x\n  - y: |\n      z\n", "f.yaml")
    assert isinstance(tree, Map)
    items = tree.items["b"]
    assert isinstance(items, Seq)
    inner = items.items[1]
    assert isinstance(inner, Map)
    text = inner.items["y"]
    assert isinstance(text, Text)
    assert [str(m) for m in (tree.keys["a"], tree.keys["b"], items.items[0].mark, text.mark)] == [
        "f.yaml:2",
        "f.yaml:3",
        "f.yaml:4",
        "f.yaml:5",
    ]
    assert text.block


def test_anchors_and_merging() -> None:
    text = "base: &b {x: 1, y: 2}\nmore: &m {z: 3, y: 9}\none:\n  <<: *b\n  y: 5\ntwo:\n  <<: [*b, *m]\nthree: *b\n"
    found = read(text)
    assert isinstance(found, dict)
    assert found["one"] == {"y": "5", "x": "1"}
    assert found["two"] == {"x": "1", "y": "2", "z": "3"}
    assert found["three"] == found["base"]


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert read(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n") == {"a": "1", "b": "2"}


def test_nothing_at_all_is_null() -> None:
    assert read("") is None
    assert read("# only a comment\n") is None


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{key}: &{key} [{', '.join([f'*{last}'] * 9)}]\n" for last, key in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a: 1\nb: 2\na: 3\n", ['f.yaml:3: the key "a" is given twice (first in line 1)']),
        ("x: {a: 1, a: 2}\nb: 1\nb: 1\n", [
            'f.yaml:1: the key "a" is given twice (first in line 1)',
            'f.yaml:3: the key "b" is given twice (first in line 2)',
        ]),
        ("a: !!python/object/apply:os.system [ls]\n", [
            'f.yaml:1: tags such as "tag:yaml.org,2002:python/object/apply:os.system" are not allowed'
        ]),
        ("a: !!str 1\n", ['f.yaml:1: tags such as "tag:yaml.org,2002:str" are not allowed']),
        ("a: ! x\n", ['f.yaml:1: tags such as "!" are not allowed']),
        ("a:\n\tb: 1\n", ["f.yaml:2: a tab is used for indentation (write spaces)"]),
        ("a:\n  b: 1\n \tc: 2\n", ["f.yaml:3: a tab is used for indentation (write spaces)"]),
        ("a: [1, 2\n", ["f.yaml:2: this is not valid YAML: expected ',' or ']', found stream end"]),
        ("a: b: c\n", ["f.yaml:1: this is not valid YAML: mapping values are not allowed here"]),
        ("a: @x\n", ["f.yaml:1: this is not valid YAML: found character '@' that cannot start any token"]),
        ("x: &a [*a]\n", ['f.yaml:1: the alias "*a" contains itself']),
        ("x: *y\n", ['f.yaml:1: the alias "*y" is not defined above']),
        ("a: 1\n---\nb: 1\n", ["f.yaml:2: there is a second document (---) in this file"]),
        ("? [a]\n: 1\n", ["f.yaml:1: a key must be a plain word"]),
        ("<<: 1\n", ["f.yaml:1: << needs a mapping or a list of mappings"]),
        ("a: 1\nb: \x07\n", ["f.yaml:2: the character U+0007 is not allowed"]),
        ('a: "\\0"\n', ["f.yaml:1: the character U+0000 is not allowed"]),
        ('a: "\\ud800"\n', ["f.yaml:1: the character U+D800 is not allowed"]),
        (b"a: 1\nb: \xff\n", ["f.yaml:2: the file is not UTF-8 text"]),
        ("a: 1".encode("utf-16"), ["f.yaml:1: the file is not UTF-8 text"]),
        ("[" * 100, ["f.yaml:1: the nesting is deeper than 32 levels"]),
        ("a: &x 1\nb: [" + "*x," * 101 + "]\n", ["f.yaml:2: there are more than 100 aliases"]),
        (BOMB, ["f.yaml:5: the file has more than 50,000 values, aliases written out"]),
        ("a" * (MAX_BYTES + 1), ["f.yaml: the file is larger than 1,000,000 bytes"]),
    ],
)  # fmt: skip
def test_refused(text: str | bytes, lines: list[str]) -> None:
    with pytest.raises(UserErrors) as caught:
        read(text)
    assert [str(error) for error in caught.value.errors] == lines


def test_a_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(UserErrors, match="cannot be read: No such file"):
        read_file(tmp_path / "none.yaml")


pieces = st.sampled_from(
    [
        "a",
        "b",
        ": ",
        "- ",
        "\n",
        "\n  ",
        "\t",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "&a ",
        "*a",
        "!",
        "!!int ",
        "|\n",
        ">",
        "'",
        '"',
        "#",
        "?",
        "<<: ",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "\\",
        "null",
        "~",
        "\x85",
        "\u2028",
        "\ufeff",
        "@",
        "`",
        "é",
    ]
)


@given(st.one_of(st.text(), st.binary(), st.lists(pieces, max_size=30).map("".join)))
def test_whatever_the_text_only_user_errors(text: str | bytes) -> None:
    lines: list[str] = []
    try:
        read(text)
    except UserErrors as found:
        lines = [str(error) for error in found.errors] or ["nothing is said"]
    assert all(line.startswith("f.yaml") and "\n" not in line for line in lines)


values = st.recursive(
    st.none() | st.text("abc: -#'\"{}[]\n~no1", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abn1", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(values)
def test_what_was_dumped_is_read_again(value: object) -> None:
    from chatdev.company.bundle import dumped

    assert read(dumped(value)) == value
