"""The studio's server without a browser: who is let in, what is read, what is served, what is saved."""

import http.client
import json
import os
import subprocess
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.run.journal import Event
from chatdev.run.lock import ProductLock, holder
from chatdev.software.safegit import SafeGit
from chatdev.studio import product_files
from chatdev.studio.chain_map import node_of, rounds_of
from chatdev.studio.evidence import PNG, read_evidence
from chatdev.studio.feed import Feed
from chatdev.studio.paint import paint, read_patch

GOOD = {"authorization": "Bearer {token}", "host": "{host}", "origin": "http://{host}"}


def ask(studio, path, method="GET", body=None, **headers):
    """One request with the right headers, but for those that are given; None takes one away."""
    host = studio.origin.removeprefix("http://")
    sent = {name: value.format(token=studio.token, host=host) for name, value in GOOD.items()}
    data = json.dumps(body).encode() if body is not None else b""
    sent |= {"content-type": "application/json", "content-length": str(len(data))} if body is not None else {}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    line = http.client.HTTPConnection(host, timeout=30)
    line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in sent.items():
        if value is not None:
            line.putheader(name, value)
    line.endheaders(data or None)
    answer = line.getresponse()
    try:
        return answer.status, answer.headers, answer.read()
    finally:
        line.close()


def test_only_the_studios_own_page_is_answered(studio):
    assert ask(studio, "/api/products")[0] == 200
    assert ask(studio, "/api/products", origin=None)[0] == 200, "a browser sends no origin when it reads"
    refused = {
        "a name that was bound to 127.0.0.1": {"host": "evil.example:80"},
        "another port's name": {"host": "127.0.0.1:1"},
        "another page": {"origin": "http://evil.example"},
        "another program on this machine": {"origin": "http://127.0.0.1:9999"},
        "a sandboxed frame": {"origin": "null"},
        "a link from elsewhere": {"sec_fetch_site": "cross-site"},
        "another port, as browsers see it": {"sec_fetch_site": "same-site"},
        "no token": {"authorization": None},
        "a wrong token": {"authorization": "Bearer x"},
    }
    for who, headers in refused.items():
        assert ask(studio, "/api/products", **headers)[0] in (401, 403, 421), who
        assert ask(studio, "/api/products", "POST", {"task": "x"}, **headers)[0] in (401, 403, 421), who
    assert ask(studio, "/api/products", "POST", {"task": "x"}, origin=None)[0] == 403
    assert ask(studio, "/api/products", "POST", {"task": "x"}, content_type="text/plain")[0] == 415
    assert ask(studio, "/api/products", "POST", {"task": "x"}, content_length="99999999")[0] == 413
    assert not (studio.folder / "warehouse").exists()


def test_every_answer_is_hardened(studio):
    for path in ("/", "/js/main.js", "/api/products", "/nothing"):
        _, headers, _ = ask(studio, path)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "set-cookie" not in headers
    page = ask(studio, "/")[2].decode()
    assert "style=" not in page
    assert page.count("<script") == page.count('<script type="module" src=')
    assert "//" not in page.replace("</", "").replace("<!--", "").split("<body>")[0].replace("http-equiv", "")


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/%2e%2e/app.py",
        "/js/../../app.py",
        "/api/products/..%2f..",
        "/api/products/.",
        "/api/products/%2e%2e/items",
        "/api/products/nothing/evidence/final/screen.png",
        "/api/companies/..%2fx",
    ],
)
def test_no_path_leads_outside(studio, path):
    status, _, body = ask(studio, path)
    assert status in (404, 405), body
    assert b"root:" not in body
    assert b"import" not in body


def test_a_product_is_shown_whatever_its_folder_is_called(studio):
    names = ["my game", "jeu-éléphant", "<b>\"'&", "100%2e%2e", "-x", ".hidden", "a?b#c", "..."]
    for name in [*names, "no text \udce9"]:
        journal = studio.folder / "warehouse" / name / ".chatdev" / "journal.jsonl"
        journal.parent.mkdir(parents=True)
        journal.write_bytes(line(1, "life"))
    listed = json.loads(ask(studio, "/api/products")[2])["products"]
    assert sorted(one["name"] for one in listed) == sorted(names)
    for name in names:
        status, _, body = ask(studio, f"/api/products/{quote(name, safe='')}")
        assert (status, json.loads(body)["state"]["product"]) == (200, name)
        status, headers, _ = ask(studio, f"/api/products/{quote(name, safe='')}/export")
        assert (status, headers.get_content_disposition(), headers.get_filename()) == (
            200,
            "attachment",
            f"{name}.html",
        )
    assert ask(studio, f"/api/products/{'x' * 300}/export")[0] == 404


def test_the_studio_listens_on_this_machine_only(studio):
    port = int(studio.origin.rsplit(":", 1)[1])
    shown = subprocess.run(["cat", "/proc/net/tcp"], capture_output=True, text=True, check=False).stdout
    if not shown:
        pytest.skip("no /proc here")
    places = {line.split()[1] for line in shown.splitlines()[1:] if line.split()[3] == "0A"}
    assert [place for place in places if place.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


def test_evidence_is_what_it_says_it_is_or_is_not_served(tmp_path):
    step = tmp_path / "final"
    step.mkdir()
    (step / "screen-1.png").write_bytes(PNG + b"rest")
    (step / "fake.png").write_bytes(b"<script>")
    (step / "page.html").write_text("<script>", encoding="utf-8")
    (step / "out.txt").write_text("<script>", encoding="utf-8")
    (tmp_path.parent / "secret.txt").write_text("secret", encoding="utf-8")
    (step / "link.txt").symlink_to(tmp_path.parent / "secret.txt")
    (tmp_path / "away").symlink_to(tmp_path.parent, target_is_directory=True)
    os.mkfifo(step / "pipe.txt")
    assert read_evidence(tmp_path, "final", "screen-1.png") == (PNG + b"rest", "image/png")
    assert read_evidence(tmp_path, "final", "out.txt") == (b"<script>", "text/plain; charset=utf-8")
    for where, name in [("final", one) for one in ("fake.png", "page.html", "link.txt", "pipe.txt", "../secret.txt")]:
        assert read_evidence(tmp_path, where, name) is None, name
    assert read_evidence(tmp_path, "away", "secret.txt") is None
    assert read_evidence(tmp_path, "..", "secret.txt") is None


def line(number, kind, **data):
    return Event(number, 1.0, kind, None, data).to_line()


def test_a_feed_reads_on_keeps_unfinished_words_and_notices_a_new_file(tmp_path):
    path = tmp_path / "journal.jsonl"
    feed = Feed(path)
    feed.refresh()
    path.write_bytes(
        line(1, "life") + line(2, "words", agent="a", text="hel") + line(3, "words", agent="a", text="lo")[:9]
    )
    feed.refresh()
    assert [one.id for one in feed.after(0)] == [1, 2]
    path.write_bytes(path.read_bytes()[:-9] + line(3, "words", agent="a", text="lo"))
    feed.refresh()
    assert [one.id for one in feed.after(2)] == [3]
    with path.open("ab") as journal:
        journal.write(line(4, "stopped", reason="x", exit_code=130))
    feed.refresh()
    assert [one.id for one in feed.after(0)] == [1, 4]
    assert feed.events[-1]["unsaid"] == [{"agent": "a", "text": "hello"}]
    path.unlink()
    path.write_bytes(line(1, "life"))
    feed.refresh()
    assert (feed.generation, [one.id for one in feed.events]) == (1, [1])


@given(st.lists(st.sampled_from(["words", "said", "told", "life", "notice", "progress"]), max_size=30), st.data())
def test_whoever_reads_in_pieces_reads_everything(tmp_path_factory, kinds, data):
    path = tmp_path_factory.mktemp("feed") / "journal.jsonl"
    whole = b"".join(line(n, kind, agent="a", text=str(n), what="x", done=0) for n, kind in enumerate(kinds, 1))
    feed, seen, last = Feed(path), [], 0
    at = 0
    while at < len(whole):
        at += data.draw(st.integers(1, max(1, len(whole) // 3)))
        path.write_bytes(whole[:at])
        feed.refresh()
        fresh = feed.after(last)
        seen += fresh
        last = fresh[-1].id if fresh else last
    kept = [(n, kind) for n, kind in enumerate(kinds, 1) if kind not in ("words", "progress")]
    assert [(one.id, one.kind) for one in seen if one.kind not in ("words", "progress")] == kept
    assert feed.damage == ""


def test_a_damaged_journal_is_shown_up_to_the_damage(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(line(1, "life") + b"{broken\n" + line(3, "life"))
    feed = Feed(path)
    feed.refresh()
    assert [one.id for one in feed.events] == [1]
    assert feed.damage.startswith("line 2")


@given(st.text(max_size=300), st.sampled_from(["main.py", "a.js", "x.unknown", "Makefile", "page.html", "a.md"]))
def test_coloured_lines_are_the_lines(text, name):
    assert ["".join(piece[1] for piece in one) for one in paint(name, text)] == text.split("\n")


def test_a_patch_of_git_is_read_with_numbers(tmp_path):
    for arguments in (["init", "-q"], ["config", "user.email", "a@b"], ["config", "user.name", "a"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    (tmp_path / "a ü.py").write_text("x = 1\ny = 2\n", encoding="utf-8")
    (tmp_path / "b.bin").write_bytes(b"\0\1")
    subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)
    subprocess.run(["git", "commit", "-qm", "one"], cwd=tmp_path, check=True)
    (tmp_path / "a ü.py").write_text("x = 1\ny = 3\nz = 4", encoding="utf-8")
    (tmp_path / "b.bin").unlink()
    subprocess.run(["git", "commit", "-qam", "two"], cwd=tmp_path, check=True)
    sha = SafeGit(tmp_path).text("rev-parse", "HEAD").strip()
    found = product_files.commit(tmp_path, sha)
    assert found["message"] == "two"
    changed, gone = found["files"]
    assert (changed["path"], gone["path"], gone["status"]) == ("a ü.py", "b.bin", "deleted")
    rows = [
        (one["sign"], one["old"], one["new"], "".join(p[1] for p in one["pieces"]))
        for one in changed["hunks"][0]["lines"]
    ]
    assert rows[:4] == [(" ", 1, 1, "x = 1"), ("-", 2, None, "y = 2"), ("+", None, 2, "y = 3"), ("+", None, 3, "z = 4")]
    assert read_patch("") == []
    assert product_files.texts(tmp_path, ["a ü.py", "../../etc/passwd"]) == {"a ü.py": "x = 1\ny = 3\nz = 4"}


def test_step_paths_lead_to_the_steps_of_the_picture():
    known = {"coding", "review", "review.code_review", "coding-2", "final"}
    paths = {
        "coding": "coding",
        "coding~2": "coding",
        "coding-2": "coding-2",
        "review.2.code_review": "review.code_review",
        "coding.reflection": "coding",
        "nothing": "",
    }
    assert {path: node_of(path, known) for path in paths} == paths
    assert rounds_of("review.2.inner.3.code_review") == {"review": 2, "review.inner": 3}


def test_who_holds_a_product_is_seen_without_taking_it(tmp_path):
    assert holder(tmp_path) is None
    with ProductLock(tmp_path):
        assert holder(tmp_path) == os.getpid()
    assert holder(tmp_path) is None


def test_a_save_never_leaves_the_company_nor_writes_over_somebody(studio):
    made = ask(studio, "/api/companies/default/copy", "POST", {"as": "mine"})
    assert made[0] == 200, made[2]
    for name in ("../out", "", "a/b", "."):
        assert ask(studio, "/api/companies/default/copy", "POST", {"as": name})[0] == 422
    company = json.loads(ask(studio, "/api/companies/own:mine")[2])
    file = next(one for one in company["files"] if one["key"] == "company.yaml")
    text = file["text"].replace("Be brief and concrete.", "Be kind.")

    def save(key, was, what=text):
        return ask(studio, "/api/companies/own:mine/save", "POST", {"files": {key: what}, "was": {key: was}})

    for key in ("../company.yaml", "/etc/passwd", "roles/../../x.yaml", "company.yaml/", "run.log"):
        assert save(key, file["was"])[0] in (404, 422)
    assert save("company.yaml", "0" * 16)[0] == 422, "changed by somebody else"
    status, _, body = save("company.yaml", file["was"], text.replace("- manual", "- manul"))
    assert (status, "did you mean" in body.decode()) == (422, True)
    on_disk = studio.folder / "mine" / "company.yaml"
    assert on_disk.read_text(encoding="utf-8") == file["text"]
    on_disk.chmod(0o640)
    assert save("company.yaml", file["was"])[0] == 200
    assert "Be kind." in on_disk.read_text(encoding="utf-8")
    assert on_disk.stat().st_mode & 0o777 == 0o640
    assert sorted(one.name for one in studio.folder.iterdir()) == ["mine"]
