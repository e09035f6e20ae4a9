"""Pages that try to be judged less strictly than others, and good ones that used to be called bad. Real engines."""

import pytest

from chatdev.sandbox.entry import find_entry
from chatdev.sandbox.job import Output, Run
from chatdev.sandbox.rung_import import NAMED, import_steps, judge_imports
from chatdev.sandbox.rung_page import judge_page
from chatdev.sandbox.rung_parse import parse_rung

PAGE = "<!DOCTYPE html>\n<html><head>{head}</head><body><p>hello</p>{body}</body></html>\n"


def page(head="", body=""):
    return PAGE.format(head=head, body=body).encode()


@pytest.mark.parametrize("mark", ["<p>{{ name }}</p>", "<!-- {% -->", "<script>const t = '{{';</script>"])
def test_two_braces_do_not_turn_the_checks_off(mark):
    broken = {"index.html": page('<script src="gone.js"></script>', mark + "<script>let a = ;</script>")}
    rung = parse_rung(broken)
    assert rung.state == "failed"
    assert "gone.js" in rung.summary
    steps, _, _ = import_steps(broken, find_entry(broken))
    assert [s.name for s in steps if s.name == "import:index.html"], "its scripts are checked"


def test_a_template_of_a_server_is_no_page():
    text = page("", "{% if x %}<div>{% else %}<div class='a'>{% endif %}</div><script>let d = {{ data }};</script>")
    for server in ("from flask import render_template\n", "import jinja2\n"):
        files = {"app.py": server.encode(), "templates/index.html": text}
        assert parse_rung(files).state == "passed"
        assert not [s for s in import_steps(files, None)[0] if "index.html" in s.name]


@pytest.mark.parametrize(
    ("base", "links", "state"),
    [
        ("/", ["style.css", "./js/app.js"], "passed"),
        ("./", ["style.css"], "passed"),
        ("js/", ["app.js", "../style.css", "/style.css"], "passed"),
        ("js/page.html", ["app.js"], "passed"),
        ("https://example.org/x/", ["whatever.css"], "passed"),
        ("js/", ["style.css"], "failed"),
        ("/", ["gone.css"], "failed"),
    ],
)
def test_links_start_from_the_base_of_the_page(base, links, state):
    head = f'<base href="{base}">' + "".join(f'<link rel="stylesheet" href="{link}">' for link in links)
    files = {"index.html": page(head), "style.css": b"p {}", "js/app.js": b"let a;"}
    assert parse_rung(files).state == state, parse_rung(files).summary


def test_an_address_that_is_none_is_no_crash():
    assert parse_rung({"index.html": page('<link rel="x" href="http://[">')}).state == "passed"


OUTSIDE = '<script src="https://cdn.example/npm/{}/dist/it.min.js"></script>'


@pytest.mark.parametrize(
    ("script", "error", "state"),
    [
        ("vue@3", "ReferenceError: Vue is not defined", "unverified"),
        ("jquery@3.7", "ReferenceError: $ is not defined", "unverified"),
        ("three@0.150", "ReferenceError: THREE is not defined", "unverified"),
        ("vue@3", "ReferenceError: drawBoard is not defined", "failed"),
        ("vue@3", "TypeError: board.draw is not a function", "failed"),
        ("vue@3", "SyntaxError: Unexpected token ';'", "failed"),
        ("vue@3", "Error: Vue is not defined", "failed"),
    ],
)
def test_a_script_of_another_site_excuses_only_what_it_brings(script, error, state):
    files = {"index.html": page(OUTSIDE.format(script))}
    run = Run("start", None, 1.0, alive=True, facts={"page": {"messages": [f"Uncaught {error} (x:1)"], "problem": ""}})
    rung = judge_page(run, find_entry(files), files, "")
    assert rung.state == state, rung.summary


def test_a_page_that_nobody_could_look_at_is_not_verified(boxed, product, monkeypatch):
    from chatdev.sandbox import climb

    monkeypatch.setattr(type(boxed), "lacks", lambda self, kit: "no browser is there" if kit == "web" else "")
    report = climb(product({"index.html": page()}), boxed, boxed.config.with_(start_seconds=1.0))
    assert report.verdict == "unverified", report.for_model()
    assert "not photographed: no browser is there" in report.reason


def test_bubblewrap_looks_at_pages_with_the_browser_of_this_machine(product, tmp_path):
    from chatdev.sandbox import climb
    from tests.sandbox.conftest import engine_or_stop

    engine = engine_or_stop("bubblewrap", seconds=20, start_seconds=2, quiet_seconds=6)
    if engine.lacks("web"):
        pytest.skip(engine.lacks("web"))
    good = climb(product({"index.html": page()}), engine, engine.config, evidence=tmp_path / "seen")
    assert good.verdict == "verified", good.for_model()
    assert (tmp_path / "seen" / "page.png").read_bytes().startswith(b"\x89PNG")
    broken = page("", "<p>{{ title }}</p><script>undefinedThing();</script>")
    report = climb(product({"index.html": broken}, "broken"), engine, engine.config)
    assert report.verdict == "failed"
    assert "undefinedThing is not defined" in report.reason


ENDLESS = {
    "tags": b"<a " * 300_000,
    "comments": b"<p>x</p>--><p>" + b"<!--" * 300_000,
    "sections": b"<p>]></p>" + b"<![" * 300_000,
    "all": b"<!--" + b"<![<a " * 200_000,
    "nested": b"<div>" * 50_000,
    "scripts": b"<script>\n" * 50_000 + b"</script>" + b"<script>1</script>\n" * 50_000,
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_page_that_never_ends_is_judged_all_the_same(name):
    """Python's parser alone takes hours for most of these, and a list of padded scripts would fill the memory."""
    files = {"index.html": ENDLESS[name]}
    assert parse_rung(files).state in ("failed", "passed")
    assert len(import_steps(files, find_entry(files))[0]) <= 60


@pytest.mark.parametrize(
    "files",
    [
        {"package.json": b"[" * 100_000},
        {"package.json": b'{"main": ["x"], "scripts": {"start": ["node"]}}'},
        {"package.json": b'{"main": {"a": 1}, "scripts": "node"}'},
        {"pyproject.toml": b"project = [1]\n"},
        {"pyproject.toml": b"a=" + b"[" * 50_000},
        {"pyproject.toml": b"[project]\nscripts = {a = [1]}\n"},
    ],
)
def test_settings_of_strangers_break_nothing(files):
    assert find_entry(files) is None


def test_what_a_box_says_of_missing_names_is_not_believed_blindly():
    """The product's own json.py is asked first: it can print whatever it likes."""
    for told in (b"[[1]]", b"{}", b"7", b"[" * 5_000, b'["calc", 3, null]'):
        run = Run(NAMED, 0, 0.1, stdout=Output(told))
        rung = judge_imports([run], {"main.py": b"import calc\n"}, [])
        assert rung.state == ("failed" if b"calc" in told else "passed")
