"""What a person sees: plain lines, a live terminal, and nothing a hostile text could do to either."""

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from chatdev.run.journal import Event
from chatdev.run.ledger import Ledger
from chatdev.screen.live import LiveScreen
from chatdev.screen.plain import PlainScreen
from chatdev.screen.text import safe, window_text

USAGE = {"prompt_tokens": 900, "completion_tokens": 100, "money": 0.01, "seconds": 2.5}
WINDOW = {"held": 4096, "total": 182440, "bytes": 231_000_000, "tokens_per_second": 38.2, "notes": {}}
EVENTS = [
    ("step_started", {"step": "coding", "title": "Coding", "instructor": "cto", "assistant": "programmer"}),
    ("words", {"agent": "programmer", "text": "Here is the "}),
    ("words", {"agent": "programmer", "text": "program.\nIt is [bold]short[/bold]."}),
    ("said", {"agent": "programmer", "text": "…", "usage": USAGE, "window": WINDOW, "finish": "stop"}),
    ("committed", {"sha": "0123456789", "files": [{"path": "main.py", "status": "A", "added": 3, "removed": 0}]}),
    ("rung", {"rung": {"name": "start", "state": "failed", "summary": "exit 1"}}),
    ("checked", {"report": {"verdict": "failed", "reason": "start: exit 1"}}),
    ("waiting", {"seconds": 4.0, "reason": "429 Too Many Requests"}),
]
TITLES = {"cto": "Chief Technology Officer", "programmer": "Programmer"}


def events():
    return [Event(number, 0.0, kind, None, {"phase": "coding", **data}) for number, (kind, data) in enumerate(EVENTS)]


def test_plain_lines_tell_the_run():
    out = io.StringIO()
    screen = PlainScreen(out, TITLES)
    for event in events():
        screen.read(event)
    text = out.getvalue()
    assert "== Coding [coding]   Chief Technology Officer -> Programmer" in text
    assert "commit 01234567  main.py +3 −0" in text
    assert "start   FAILED: exit 1" in text
    assert "stream 4,096 of 182,440 tokens · 231 MB · 38 tok/s" in text
    assert "waiting 4.0 s: 429 Too Many Requests" in text


def test_the_live_screen_shows_the_words_as_text_and_not_as_markup():
    out = io.StringIO()
    screen = LiveScreen(Console(file=out, force_terminal=True, width=100), Ledger(), TITLES)
    for event in events():
        screen.read(event)
    screen.close()
    assert "It is [bold]short[/bold]." in out.getvalue()
    assert "Here is the program." in out.getvalue()


def test_a_console_that_knows_no_unicode_is_no_crash():
    raw = io.BytesIO()
    screen = PlainScreen(io.TextIOWrapper(raw, encoding="cp1252"), TITLES, verbose=True)
    said = {"agent": "programmer", "phase": "coding", "text": "done \U0001f40d", "usage": USAGE}
    screen.read(Event(1, 0.0, "said", "k", {**said, "window": WINDOW, "finish": "stop"}))
    assert b"done ?" in raw.getvalue()


@given(st.text())
def test_no_text_can_steer_the_terminal(text):
    assert all(char in "\n\t" or (ord(char) >= 32 and char not in "\x7f\x9b\u202e\u2066") for char in safe(text))


def test_escape_sequences_become_visible():
    assert safe("\x1b]0;owned\x07\x1b[2J") == "\\x1b]0;owned\\x07\\x1b[2J"
    assert safe("family \U0001f468\u200d\U0001f469 and ok") == "family \U0001f468\u200d\U0001f469 and ok"


def test_a_stream_without_memory_of_its_own_says_only_its_tokens():
    assert window_text({"held": 10, "total": 20, "bytes": 0, "tokens_per_second": 0}) == "stream 10 of 20 tokens"
