"""Whatever lies in a warehouse, the studio answers and the page stands: journals full of lies, products that vanish."""

import json
import shutil
import socket
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from chatdev.company import load_company
from chatdev.run.journal import Event
from chatdev.run.product import Product
from chatdev.studio import lookup, paging
from chatdev.studio.catalogue import Run
from chatdev.studio.follow import message
from chatdev.studio.plain_json import encode

from .pages import events_of, product_in, run_address, start_run, wait_for_end
from .test_server import ask

KINDS = [
    *["life", "run_started", "step_started", "step_ended", "told", "said", "artifact", "asked", "answered", "message"],
    *["committed", "rung", "checked", "notice", "stopped", "run_ended", "undone", "redone", "moved", "words"],
    *["progress", "loop_ended", "waiting", "guarded", "_init__", "constructor", "__proto__"],
]
FIELDS = [
    *["task", "titles", "step", "phase", "title", "agent", "by", "text", "window", "usage", "model", "sha", "files"],
    *["message", "rung", "report", "reason", "verdict", "choices", "subject", "reasons", "about", "evidence", "to"],
    *["answer", "name", "since", "undo", "unsaid", "lines", "resumed", "pid", "question", "patch", "head", "models"],
]
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800\u202e<script>"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
EVENTS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=6)), max_size=12
)


@settings(max_examples=30, deadline=None)
@given(EVENTS)
def test_whatever_a_journal_holds_the_studio_answers(events):
    with TemporaryDirectory() as folder:
        product = Product(Path(folder))
        product.journal.parent.mkdir()
        lines = [Event(n, 1.0, kind, None, data).to_line() for n, (kind, data) in enumerate(events, 1)]
        product.journal.write_bytes(b"".join(lines))
        run = Run(product)
        run.refresh()
        answers = [run.state(), run.state_at(3), paging.before(run, 100), paging.after(run, 0), paging.commits(run)]
        answers += [paging.moments(run), lookup.steps(run)]
        for answer in answers:
            json.loads(encode(answer), parse_constant=lambda name: (_ for _ in ()).throw(ValueError(name)))
        assert message("item", answers[2]).count(b"\n\n") == 1


SEEN = """
hidden => { Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden});
  document.dispatchEvent(new Event('visibilitychange')) }
"""
"""A headless browser never hides a tab; the page is told that it did."""
LONG = "x" * 1_000_000
TRAP = '<file path="a' + "\u202e" + 'gpj.exe">\n' * 20_000
LINK = "[click](javascript:window.caught=1) <a href='javascript:window.caught=1'>here</a>"
LIES = [
    ("life", {"pid": "x", "resumed": [], "version": {}}),
    ("run_started", {"task": {"a": 1}, "titles": {"cto": ["x"]}, "models": 3, "born": "never"}),
    ("step_started", {"step": ["a"], "title": 7, "phase": {}}),
    ("told", {"agent": "cto", "by": 3, "text": None}),
    ("said", {"agent": "programmer", "text": LONG, "window": {"held": "many", "total": -1}, "model": [], "usage": 1}),
    ("said", {"agent": "programmer", "text": TRAP, "finish": 1}),
    ("said", {"agent": "programmer", "text": LINK, "window": [], "usage": None}),
    ("committed", {"sha": "0" * 40, "files": [None, 1], "message": None}),
    ("committed", {"sha": "1" * 40, "files": [{"path": 'a"\n\u202egpj.exe\x07'}], "message": "<b>\u202eevil</b>"}),
    ("rung", {"rung": "no rung", "step": 1}),
    ("checked", {"report": {"verdict": "verified", "rungs": [1, {"evidence": "x"}], "reason": 3}, "step": "verify"}),
    ("asked", {"choices": "approve", "title": [1], "subject": 5, "about": "diff", "reasons": {"a": 1}}),
    ("notice", {"text": float("nan")}),
    ("constructor", {"text": "x"}),
    ("run_ended", {"verdict": ["verified"], "reason": 1}),
    ("notice", {"text": "the last words"}),
]


def test_a_page_stands_whatever_the_journal_says_and_a_product_may_go_away(studio, open_page):
    product = studio.folder / "warehouse" / "liar"
    load_company("default").write(product / ".chatdev" / "company")
    journal = product / ".chatdev" / "journal.jsonl"
    lines = [Event(n, 1.0, kind, None, data).to_line() for n, (kind, data) in enumerate(LIES, 1)]
    journal.write_bytes(b"".join(lines[:-1]))
    page = open_page("#/")
    page.locator("[data-product=liar] a").click()
    page.wait_for_selector(".kind-notice")
    assert "The journal is damaged at event" in page.locator(".run > .problem").inner_text()
    assert "Show all 1,000,000 characters" in page.locator(".scroller").inner_text()
    for tab in ("Checks", "Streams", "Costs", "Files"):
        page.get_by_role("tab", name=tab).click()
        assert page.locator(".side[data-on=yes]").inner_text().strip()
    named = page.locator(".commits").inner_text()
    assert "\u202e" not in named.split("+")[0].split("evil")[-1]
    assert "\\u{202e}gpj.exe\\u{7}" in named
    assert page.locator("a[href^=javascript]").count() == 0
    assert page.evaluate("window.caught") is None

    # A line that is not whole yet is not damage; when it is whole, it is shown.
    with journal.open("ab") as out:
        out.write(lines[-1][:20])
        out.flush()
        page.wait_for_selector(".run:not(.lost)")
        out.write(lines[-1][20:])
    page.get_by_text("the last words").wait_for()

    # A tab that nobody sees lets its line go, and has missed nothing when it is looked at again.
    with page.expect_event("requestfailed", lambda request: "/events" in request.url):
        page.evaluate(SEEN, True)
    with journal.open("ab") as out:
        out.write(Event(len(LIES) + 1, 1.0, "notice", None, {"text": "said meanwhile"}).to_line())
    page.evaluate(SEEN, False)
    page.get_by_text("said meanwhile").wait_for()

    shutil.rmtree(product)
    page.get_by_text("This product is not in the warehouse any more").wait_for()
    assert "the last words" in page.locator(".scroller").inner_text(), "what was read stays"
    assert page.locator(".actions button").count() == 0
    page.get_by_role("link", name="All products").click()
    page.get_by_text("Nothing has been built yet").wait_for()


def test_a_run_goes_on_when_its_studio_is_killed_and_another_shows_it(studio, open_page, another_studio):
    page = open_page("#/new")
    page.get_by_label("What shall be built?").fill("build a snake game")
    page.get_by_label("Model").fill("scripted:snake")
    page.get_by_label("You sign off").fill("coding")
    page.get_by_text("More").click()
    page.get_by_label("Sandbox").select_option("none")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_selector(".question .choices")
    product = product_in(studio.folder)
    second = another_studio()
    other = open_page(run_address(product), at=second)
    other.wait_for_selector(".question .choices")
    studio.process.kill()
    open_page.expected.append("net::ERR_")
    page.wait_for_selector(".run.lost")
    other.locator("[data-choice=approve]").click()
    wait_for_end(other)
    assert events_of(product)[-1].kind == "run_ended"


def test_whoever_never_reads_holds_up_nobody_and_lines_are_counted(studio):
    start_run(studio.folder, "--model", "scripted:snake", "--quiet").communicate(timeout=120)
    product = product_in(studio.folder)
    last, said = events_of(product)[-1].id, events_of(product, "said")[-1]
    with (product / ".chatdev" / "journal.jsonl").open("ab") as journal:
        for n in range(1, 40):
            journal.write(Event(last + n, 1.0, "said", f"k{n}", {**said.data, "text": "word " * 60_000}).to_line())
    host, port = studio.origin.removeprefix("http://").split(":")
    head = f"Host: {host}:{port}\r\nAuthorization: Bearer {studio.token}\r\n\r\n"
    order = f"GET /api/products/{product.name}/events HTTP/1.1\r\n{head}"
    lines = []
    try:
        for _ in range(100):
            lines.append(socket.create_connection((host, int(port)), timeout=30))
            lines[-1].sendall(order.encode())
        for line in lines:
            assert line.recv(15, socket.MSG_WAITALL) == b"HTTP/1.1 200 OK"
        status, _, body = ask(studio, f"/api/products/{product.name}/events")
        assert (status, b"100 pages" in body) == (503, True)
        assert ask(studio, "/api/products")[0] == 200
        assert ask(studio, f"/api/products/{product.name}")[0] == 200
    finally:
        for line in lines:
            line.close()
    until_free = time.monotonic() + 60
    while True:
        with socket.create_connection((host, int(port)), timeout=30) as line:
            line.sendall(order.encode())
            if line.recv(15, socket.MSG_WAITALL) == b"HTTP/1.1 200 OK":
                return
        assert time.monotonic() < until_free, "the lines that were closed are counted for ever"
        time.sleep(0.1)
