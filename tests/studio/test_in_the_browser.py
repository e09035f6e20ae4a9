"""The studio in a real browser: a run watched, answered, reloaded, and shown as text whatever it says."""

import itertools
import json
import re
import signal
import time

import pytest

from chatdev.run.journal import Event, read_events

from .conftest import script_with_pace
from .pages import (
    all_items,
    as_terminal,
    even,
    events_of,
    product_in,
    run_address,
    shown,
    start_run,
    until,
    wait_for_end,
)


def held_while_typing(run, product):
    """Hold a run in the middle of a reply; returns what of it is written so far."""
    while True:
        events = events_of(product)
        if events[-1].kind == "words":
            run.send_signal(signal.SIGSTOP)
            events = events_of(product)
            if events[-1].kind == "words":
                last = next(n for n, event in enumerate(reversed(events)) if event.kind != "words")
                return "".join(event["text"] for event in events[len(events) - last :])
            run.send_signal(signal.SIGCONT)
        assert run.poll() is None, "no reply was written"
        time.sleep(0.01)


def test_the_page_and_the_terminal_show_the_same_for_a_whole_run(studio, open_page):
    script = script_with_pace(studio.folder, 600)
    run = start_run(studio.folder, "--model", f"scripted:{script}", "--verbose")
    product = product_in(studio.folder)
    typed = held_while_typing(run, product)
    page, other = open_page(run_address(product)), open_page(run_address(product))
    for _ in range(2):
        until(page, f"document.querySelector('.typing .words')?.textContent === {json.dumps(typed)}")
        assert page.locator(".node[aria-current=step]").count() == 1, "the step that is on is marked in the picture"
        page.reload()
    run.send_signal(signal.SIGCONT)
    output, _ = run.communicate(timeout=120)
    for one in (page, other):
        wait_for_end(one)
        items = all_items(one)
        at = output.index("\n\nUNVERIFIED")
        terminal = [even(line) for line in output[:at].splitlines()]
        assert as_terminal(items) == terminal
        assert len({item["id"] for item in items}) == len(items)
    until(page, "document.querySelector('.chip').textContent === 'Not verified'")


def test_a_run_is_started_reviewed_and_stopped_from_the_page(studio, open_page):
    page = open_page("#/new")
    page.get_by_label("What shall be built?").fill("build a snake game")
    page.get_by_label("Model").fill("scripted:snake")
    page.get_by_label("You sign off").fill("demand_analysis,coding")
    page.get_by_text("More").click()
    page.get_by_label("Sandbox").select_option("none")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_selector(".question [data-choice=approve]")
    assert "Game" in page.locator(".question .subject").text_content()
    page.locator("[data-choice=approve]").click()
    page.wait_for_selector(".question .patch")
    assert page.locator(".question .diff .hl-k").count() > 0, "a diff is shown in colours"
    product = product_in(studio.folder)
    page.get_by_role("button", name="Stop", exact=True).click()
    page.wait_for_selector(".kind-stopped")
    events, _ = read_events(product / ".chatdev" / "journal.jsonl")
    answers = [event["answer"] for event in events if event.kind == "answered"]
    assert answers[0] == "approve"
    page.get_by_role("button", name="Resume").click()
    page.wait_for_selector(".question .patch")
    page.get_by_label("Message").fill("make the snake blue")
    page.get_by_role("button", name="Send", exact=True).click()
    until(page, "document.querySelector('[aria-label=Message]').value === ''")
    page.locator("[data-choice=approve]").click()
    wait_for_end(page)
    events, _ = read_events(product / ".chatdev" / "journal.jsonl")
    assert events[-1].kind == "run_ended"
    assert "make the snake blue" in [event["text"] for event in events if event.kind == "message"]


HOSTILE = """<script>window.caught = 1</script><img src=x onerror="window.caught = 1"> <INFO> <svg onload=alert(1)>"""


def test_what_a_model_says_is_shown_and_never_run(studio, open_page):
    script = studio.folder / "hostile.yaml"
    script.write_text(f"replies:\n  - {{say: {json.dumps(HOSTILE)}, times: always}}\n", encoding="utf-8")
    run = start_run(studio.folder, "--model", f"scripted:{script}", "--name", "x", "--company", "solo")
    product = product_in(studio.folder)
    run.communicate(timeout=120)
    page = open_page(run_address(product))
    page.wait_for_selector(".kind-said")
    assert HOSTILE in shown_text(page)
    assert page.evaluate("window.caught") is None
    assert page.locator(".dialogue script, .dialogue img[src=x]").count() == 0
    with pytest.raises(Exception, match="TrustedHTML"):
        page.evaluate("() => { document.body.innerHTML = '<b>x</b>' }")
    open_page.complaints.clear()  # the browser told of the line above


def shown_text(page):
    return "".join(item["words"] for item in shown(page))


def long_journal(product, count):
    """A journal of `count` events, most of them words, as a long run leaves it."""
    events, _ = read_events(product / ".chatdev" / "journal.jsonl")
    told = next(event for event in events if event.kind == "told")
    said = next(event for event in events if event.kind == "said")
    head = [event for event in events if event.id < told.id]
    lines, number = [event.to_line() for event in head], head[-1].id
    while number < count:
        for one, data in (
            (told, {"text": f"question {number}"}),
            *(
                (Event(0, 0, "words", None, {"agent": said["agent"], "phase": "x", "text": "word "}), {})
                for _ in range(6)
            ),
            (said, {"text": f"answer {number}\n" + "word " * 6}),
        ):
            number += 1
            key = f"{one.key}x{number}" if one.key else None
            lines.append(Event(number, one.at or said.at, one.kind, key, {**one.data, **data}).to_line())
    (product / ".chatdev" / "journal.jsonl").write_bytes(b"".join(lines))
    return number


def test_a_journal_of_fifty_thousand_events_is_paged(studio, open_page):
    start_run(studio.folder, "--model", "scripted:snake", "--quiet").communicate(timeout=120)
    product = product_in(studio.folder)
    last = long_journal(product, 50_000)
    page = open_page(run_address(product))
    page.wait_for_selector(f".item[data-id='{last}']")
    first = shown(page)[0]["id"]
    for _ in range(8):
        page.locator(".scroller").evaluate("one => { one.scrollTop = 0 }")
        until(page, f"Number(document.querySelector('.items .item').dataset.id) < {first}")
        items = shown(page)
        first = items[0]["id"]
        assert len(items) <= 360
        # Every question and every answer between the first and the last is there: six words lie between them.
        steps = {after["id"] - before["id"] for before, after in itertools.pairwise(items)}
        assert steps <= {1, 7}
    page.get_by_role("button", name="Newest").click()
    page.wait_for_selector(f".item[data-id='{last}']")


def test_a_company_is_read_checked_and_saved(studio, open_page):
    page = open_page("#/company/default")
    page.get_by_role("button", name="Make a copy").click()
    page.get_by_label("Name of the new folder").fill("mine")
    page.get_by_role("button", name="Copy", exact=True).click()
    until(page, "location.hash.includes('own%3Amine')")
    page.wait_for_selector(".company .node")
    assert "You are the Programmer" in page.locator(".prompts").nth(1).text_content()
    page.get_by_role("tab", name="Files").click()
    area = page.get_by_label("Text of the file")
    text = area.input_value()
    area.fill(text.replace("- manual", "- manul"))
    page.wait_for_selector(".errors .error")
    line = next(n for n, one in enumerate(text.splitlines(), 1) if "- manual" in one)
    assert f"company.yaml:{line}" in page.locator(".errors .error").first.text_content()
    assert page.locator(".gutter .wrong").first.text_content() == str(line)
    assert page.get_by_role("button", name="Save").is_disabled()
    saved = (studio.folder / "mine" / "company.yaml").read_text(encoding="utf-8")
    assert "manul" not in saved
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("link", name="Products").click()
    assert "manul" in area.input_value(), "a draft is not thrown away without a question"
    area.fill(text.replace("Be brief and concrete.", "Be kind."))
    page.wait_for_selector(".errors .fine")
    page.get_by_role("button", name="Save").click()
    until(page, "document.getElementById('toast').textContent === 'Saved.'")
    assert "Be kind." in (studio.folder / "mine" / "company.yaml").read_text(encoding="utf-8")


def test_the_token_is_in_no_request_and_leaves_the_address(studio, open_page):
    page = open_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.wait_for_selector(".empty, .card")
    assert studio.token not in page.url
    assert asked
    assert not [url for url in asked if studio.token in url or not url.startswith((studio.origin, "blob:"))]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", studio.origin)


TINY = """\
extends: solo
gui: false
stream: {window: 1024, scope: run, precision: fp32}
limits: {reply_tokens: 60}
review: [solo]
chain: [solo, solo, solo]
"""


def test_the_window_of_a_local_model_is_watched_as_it_moves_on(studio, open_page):
    pytest.importorskip("torch")
    from tests.chain.writer import write_model

    model = write_model(studio.folder / "model")
    (studio.folder / "tiny").mkdir()
    (studio.folder / "tiny" / "company.yaml").write_text(TINY, encoding="utf-8")
    page = open_page("#/new")
    page.get_by_label("What shall be built?").fill("tic tac toe")
    page.get_by_label("Company").select_option(label="tiny")
    page.get_by_label("Model").fill(model)
    page.get_by_text("More").click()
    page.get_by_label("Sandbox").select_option("none")
    page.get_by_label("Seed").fill("7")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_selector(".actions button")
    page.get_by_role("tab", name="Streams").click()
    product = product_in(studio.folder)
    evicted = []
    for turn in range(3):
        until(page, f"document.querySelectorAll('.kind-asked').length === {turn + 1}")
        asked = events_of(product, "asked")[turn].id
        page.wait_for_selector(f".question[data-id='{asked}'] .choices")
        window = [event["window"] for event in events_of(product, "said") if event.id < asked][-1]
        evicted.append(window["total"] - window["held"])
        shown = dict(zip(*(page.locator(f".streams {name}").all_inner_texts() for name in ("dt", "dd")), strict=True))
        assert shown["in the window"] == f"{window['held']:,}"
        assert shown["evicted"] == f"{evicted[-1]:,}"
        assert shown["all in all"] == f"{window['total']:,}"
        assert shown["memory"] == f"{window['bytes'] / 1e6:.1f} MB"
        assert re.fullmatch(r"\d+ tok/s", shown["speed"])
        assert f"{evicted[-1]:,} evicted" in page.locator(".window-bar").get_attribute("aria-label")
        page.locator("[data-choice=approve]").click()
    wait_for_end(page)
    assert evicted[0] < evicted[1] < evicted[2]
