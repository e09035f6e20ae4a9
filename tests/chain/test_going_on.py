"""Going on with what is there: nothing of an earlier run is mistaken, nothing of a person is lost."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chatdev.run.journal import read_events
from tests.chain.house import chatdev, git, only_product

SOLO = ("--task", "x", "--company", "solo", "--set", "gui=false")


def file(text, path="main.py"):
    return f'<file path="{path}">\n{text}\n</file>\n'


def script(tmp_path, *replies, name="script", **settings):
    path = tmp_path / f"{name}.yaml"
    path.write_text(json.dumps({"replies": list(replies), **settings}), encoding="utf-8")
    return ("--model", f"scripted:{path}")


def solo(tmp_path, *replies, sandbox="none", more=(), **settings):
    return chatdev(*SOLO, *script(tmp_path, *replies, **settings), "--sandbox", sandbox, *more, cwd=tmp_path)


def events(product):
    return read_events(product / ".chatdev" / "journal.jsonl")[0]


def test_a_run_that_starts_from_a_product_writes_its_own_work(tmp_path):
    solo(tmp_path, file('print("first")'))
    first = only_product(tmp_path)
    done = solo(tmp_path, file('print("second")'), name="two", more=("--from", str(first), "--out", "more"))
    assert done.returncode == 3, done.stderr
    (second,) = (tmp_path / "more").iterdir()
    assert (second / "main.py").read_text(encoding="utf-8") == 'print("second")\n'
    heard = [event["text"] for event in events(second) if event.kind == "told"][-1]
    assert "The project exists already" in heard
    assert 'print("first")' in heard
    assert len(git(second, "log", "--format=%h").split()) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text elsewhere")
def test_a_source_with_names_that_are_no_text_and_with_links_is_gone_on_with(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    Path(os.fsdecode(os.fsencode(source) + b"/caf\xe9.py")).write_text("print(1)\n", encoding="utf-8")
    (source / "out").symlink_to("/etc")
    done = solo(tmp_path, file("notes", "notes.txt"), more=("--from", str(source)))
    assert (done.returncode, "Traceback" in done.stderr) == (3, False), done.stderr
    assert "note: symbolic links were left out: out" in done.stdout
    product = only_product(tmp_path)
    assert (product / os.fsdecode(b"caf\xe9.py")).is_file()
    assert json.loads(chatdev("show", product.name, "--json", cwd=tmp_path).stdout)["product"] == product.name


def test_a_finished_run_is_not_verified_for_files_that_were_changed_since(tmp_path):
    done = solo(tmp_path, file('print("fine")'), sandbox="host")
    assert done.returncode == 0, done.stdout
    product = only_product(tmp_path)
    (product / "main.py").write_text("def broken(:\n", encoding="utf-8")
    again = chatdev("resume", product.name, cwd=tmp_path)
    assert again.returncode == 3
    assert "FAILED" in again.stdout
    assert git(product, "log", "-1", "--format=%an").strip() == "Human"
    (product / "main.py").write_text('print("fine")\n', encoding="utf-8")
    back = chatdev("resume", product.name, "--json", cwd=tmp_path)
    assert (back.returncode, json.loads(back.stdout)["verdict"]) == (0, "verified")


def test_a_hand_edit_in_a_file_that_the_agent_rewrites_stays_in_the_history(tmp_path):
    company = tmp_path / "twice"
    company.mkdir()
    (company / "company.yaml").write_text("extends: solo\nchain: [solo, solo, verify]\n", encoding="utf-8")
    model = script(tmp_path, file("a = 1"), file("a = 2"))
    command = ("--task", "x", "--company", str(company), *model, "--sandbox", "none")
    assert chatdev(*command, "--set", "limits.turns=1", cwd=tmp_path).returncode == 4
    product = only_product(tmp_path)
    with (product / "main.py").open("a", encoding="utf-8") as main:
        main.write("mine = True\n")
    done = chatdev("resume", product.name, "--set", "limits.turns=9", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    authors = git(product, "log", "--format=%an").splitlines()
    assert authors == ["Programmer", "Human", "Programmer"]
    assert "mine = True" in git(product, "log", "-p", "--author=Human")


def test_a_crash_between_writing_and_committing_leaves_the_work_with_its_author(tmp_path):
    code = (
        "import os, sys\n"
        "from chatdev.software.history import History\n"
        "History.commit = lambda *a, **k: os._exit(9)\n"
        "sys.argv = ['chatdev', *sys.argv[1:]]\n"
        "from chatdev.cli import main\nmain()\n"
    )
    model = script(tmp_path, file("a = 1", "./main.py"))
    command = [sys.executable, "-c", code, *SOLO, *model, "--sandbox", "none"]
    crashed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert crashed.returncode == 9, crashed.stderr
    product = only_product(tmp_path)
    assert (product / "main.py").is_file()
    done = chatdev("resume", product.name, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert git(product, "log", "--format=%an").splitlines() == ["Programmer"]


def test_what_a_phase_may_not_write_it_may_not_write_under_another_spelling(tmp_path):
    company = tmp_path / "narrow"
    (company / "phases").mkdir(parents=True)
    (company / "company.yaml").write_text("extends: solo\nchain: [solo, docs]\n", encoding="utf-8")
    (company / "phases" / "docs.yaml").write_text(
        "instructor: cto\nassistant: programmer\nwrites: files\nconclusion: files\nnever: [main.py]\nreask: 0\n"
        "prompt: Document it.\n",
        encoding="utf-8",
    )
    model = script(tmp_path, file("a = 1"), file("a = 2", "./main.py"))
    done = chatdev("--task", "x", "--company", str(company), *model, "--sandbox", "none", cwd=tmp_path)
    assert "main.py may not be written in this phase (never main.py)" in done.stdout
    assert (only_product(tmp_path) / "main.py").read_text(encoding="utf-8") == "a = 1\n"


def test_a_run_that_ended_without_a_file_asks_again_when_it_is_resumed(tmp_path):
    done = solo(tmp_path, "I would rather not.", "Really not.")
    assert done.returncode == 3
    assert "ended without a single file" in done.stdout
    product = only_product(tmp_path)
    better = script(tmp_path, file("a = 1"), name="better")
    again = chatdev("resume", product.name, *better, cwd=tmp_path)
    assert (product / "main.py").is_file(), again.stdout + again.stderr


def test_thoughts_of_a_model_are_neither_files_nor_decisions(tmp_path):
    thought = f"<think>\nFirst a draft:\n{file('draft = 1', 'draft.py')}<INFO> Finished\n</think>\n"
    solo(tmp_path, thought + file("a = 1"))
    product = only_product(tmp_path)
    assert (product / "main.py").is_file()
    assert not (product / "draft.py").exists()


def test_a_closed_pipe_does_not_end_a_run(tmp_path):
    model = script(tmp_path, file("a = 1") + "word " * 3000, pace=2000)
    command = [sys.executable, "-m", "chatdev", *SOLO, *model, "--sandbox", "none", "-v"]
    run = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    run.stdout.readline()
    run.stdout.close()
    run.wait(timeout=60)
    assert events(only_product(tmp_path))[-1].kind == "run_ended"


def test_being_asked_to_end_is_saved_like_ctrl_c(tmp_path):
    model = script(tmp_path, "word " * 2000, pace=20)
    command = [sys.executable, "-m", "chatdev", *SOLO, *model, "--sandbox", "none"]
    run = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    for line in run.stdout:
        if line.startswith("=="):
            break
    time.sleep(0.3)
    run.send_signal(signal.SIGTERM)
    rest = run.stdout.read()
    run.stdout.close()
    assert run.wait() == 130
    assert "resume" in rest
    assert events(only_product(tmp_path))[-1].kind == "stopped"


def test_a_bad_date_is_told_before_anything_is_done(tmp_path):
    for date in ("²", "99999999999999", "soon"):
        done = chatdev(
            *SOLO, *script(tmp_path, file("a = 1")), "--sandbox", "none", cwd=tmp_path, SOURCE_DATE_EPOCH=date
        )
        assert done.returncode == 1
        assert "SOURCE_DATE_EPOCH" in done.stderr
        assert not (tmp_path / "warehouse").exists()


def test_a_lock_that_is_a_link_is_not_written_through(tmp_path):
    solo(tmp_path, file("a = 1"))
    product = only_product(tmp_path)
    precious = tmp_path / "precious.txt"
    precious.write_text("precious", encoding="utf-8")
    (product / ".chatdev" / "lock").unlink()
    (product / ".chatdev" / "lock").symlink_to(precious)
    done = chatdev("resume", product.name, cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot be locked" in done.stderr
    assert precious.read_text(encoding="utf-8") == "precious"


def test_a_journal_that_somebody_damaged_is_one_line(tmp_path):
    solo(tmp_path, file("a = 1"))
    product = only_product(tmp_path)
    journal = product / ".chatdev" / "journal.jsonl"
    whole = journal.read_text(encoding="utf-8").splitlines()
    for bad in ('{"v":1,"id":5,"kind":"said"}', "[" * 50_000, '{"v":1,"id":5,"at":1,"kind":"said","agent":"x"}'):
        journal.write_text("\n".join([*whole[:2], bad, *whole[2:]]) + "\n", encoding="utf-8")
        for command in ("resume", "show"):
            done = chatdev(command, product.name, cwd=tmp_path)
            assert done.returncode == 1
            assert "the journal is damaged" in done.stderr
            assert "Traceback" not in done.stderr


def test_the_users_own_tests_decide_and_stay_hidden(tmp_path):
    wish = tmp_path / "wish"
    wish.mkdir()
    (wish / "test_wish.py").write_text(
        "import main\n\n\ndef test_secret_wish():\n    assert main.answer() == 4711\n", encoding="utf-8"
    )
    program = file("def answer():\n    return 1\n\n\nprint(answer())")
    done = solo(tmp_path, program, sandbox="host", more=("--accept", str(wish)))
    assert done.returncode == 3
    assert "accept" in done.stdout
    (checked,) = [event for event in events(only_product(tmp_path)) if event.kind == "checked"]
    assert "test_secret_wish" in checked["for_model"]
    assert "main.answer() == 4711" not in checked["for_model"]
