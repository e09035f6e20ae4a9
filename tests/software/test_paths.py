"""Names that the company may and may not write."""

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.software.paths import BadPath, collides, safe_path

GOOD = {
    "main.py": "main.py",
    "./src//game.py": "src/game.py",
    "src\\ui\\view.py": "src/ui/view.py",
    "a/./b.py": "a/b.py",
    "My Game/level one.json": "My Game/level one.json",
    "Dockerfile": "Dockerfile",
    ".gitignore": ".gitignore",
    ".github/workflows/ci.yml": ".github/workflows/ci.yml",
    "my-app_2.0/x.tar.gz": "my-app_2.0/x.tar.gz",
    "cafe\u0301.py": "caf\u00e9.py",
    "🐍.py": "🐍.py",
    "100%.txt": "100%.txt",
    "console.py": "console.py",
    "git/hooks.py": "git/hooks.py",
    "[id].tsx": "[id].tsx",
    ".gitattributes": ".gitattributes",
    "nullable.py": "nullable.py",
    "a..b.py": "a..b.py",
}


@pytest.mark.parametrize("written", GOOD)
def test_ordinary_names_pass_in_one_normal_form(written):
    assert str(safe_path(written)) == GOOD[written]


BAD = {
    "absolute": ["/etc/passwd", "\\etc\\passwd", "~/.ssh/id_rsa", "~root/x", "./~/x", ".\\~"],
    "drive": ["C:\\x", "c:/x", "C:x"],
    "share": ["\\\\srv\\x", "//srv/x", "\\\\?\\C:\\x"],
    "leaves": ["../../etc/cron.d/x", "a/../../b", "a/../b", "..", "..\\x", "...", "a/…/b", "．．/x"],
    "encoded": ["%2e%2e/x", "a%2Fb", "..%5cx", "x%00.py"],
    "control": ["a\0b", "a\nb", "a\rb", "\tb", "a\x7f", "a\u2028b", "\x1b[2J"],
    "git": [
        *(".git/hooks/pre-commit", ".GIT/config", ".Git", "sub/.git/x", ".git /x", ".git./x", ".git. ./x"),
        *("git~1/config", "GIT~2/x", ".g\u200cit/config", "\uff0egit/config", ".gitmodules", "GITMOD~1"),
        *(".git::$INDEX_ALLOCATION/config", ".git:x/config", ".ｇｉｔ/config"),
    ],
    "ours": [".chatdev/journal.jsonl", ".ChatDev/x", "a/.chatdev./x"],
    "reserved": ["con.py", "CON", "nul", "aux.tar.gz", "com1.txt", "a/LPT9/b", "prn .txt", "conin$", "COM¹"],
    "ends": ["a.", "a /b", " a", "a/b ", "a/b."],
    "windows": ["a:b", "a?b", "a*b", 'a"b', "a<b", "a|b", "longna~1.txt"],
    "invisible": ["a\u202eyp.py", "a\u200b.py", "\ufeffa.py", "a\u00adb", "a\u00a0b.py", "a\u3000b.py"],
    "long": ["a" * 121, "/".join(["abcdefgh"] * 30), "é" * 61],
    "nothing": ["", ".", "./", "a/", "a\\", " "],
    "generated": ["__pycache__/x.pyc", "a/__pycache__/b", "x.pyc", "x.PYO", ".venv/bin/python", "node_modules/x"],
    "option": ["-rf", "a/--help.py"],
    "unicode": ["a\ud800b"],
}


@pytest.mark.parametrize("written", [name for names in BAD.values() for name in names], ids=ascii)
def test_everything_else_is_refused_with_a_reason(written):
    with pytest.raises(BadPath) as refused:
        safe_path(written)
    assert len(refused.value.reason) > 10


_PIECES = [
    "..",
    ".",
    "",
    ".git",
    "git~1",
    "a",
    "B.py",
    "con",
    "~",
    "%2e%2e",
    "\\",
    "C:",
    "\0",
    "\u202e",
    " ",
    "é",
    "x.",
]
_PATHS = st.one_of(
    st.text(max_size=60),
    st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=8)), max_size=6).map("/".join),
    st.lists(st.sampled_from(_PIECES), max_size=5).map("\\".join),
)


@given(_PATHS)
def test_what_passes_lies_inside_and_stays_as_it_is(written):
    try:
        path = safe_path(written)
    except BadPath:
        return
    root = Path(os.path.realpath("here"))
    assert root in Path(os.path.normpath(root / path)).parents
    assert ".." not in path.parts
    assert not path.is_absolute()
    assert safe_path(str(path)) == path
    assert unicodedata.is_normalized("NFC", str(path))
    assert not any(part.lower().startswith((".git.", ".git ")) or part.lower() == ".git" for part in path.parts)


@pytest.mark.parametrize(
    ("path", "existing", "other"),
    [
        ("a.py", "A.py", "A.py"),
        ("src/x.py", "Src/y.py", "Src/y.py"),
        ("src", "src/x.py", "src/x.py"),
        ("src/x.py", "src", "src"),
        ("src/x.py/y", "src/x.py", "src/x.py"),
        ("straße.py", "STRASSE.py", "STRASSE.py"),
        ("CAF\u00c9.py", "caf\u00e9.py", "caf\u00e9.py"),
        ("a.py", "a.py", None),
        ("src/a.py", "src/b.py", None),
        ("src/a.py", "srcs", None),
        ("a/b/c.py", "a/c.py", None),
    ],
)
def test_collisions_of_case_insensitive_systems(path, existing, other):
    assert collides(path, ["unrelated.txt", existing]) == other
