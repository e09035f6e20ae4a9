"""The model in the box, as a newcomer meets it: no model is named, none is set up."""

import json

import pytest

import chatdev.apprentice as apprentice
from chatdev.apprentice.curriculum import FAMILIES
from tests.chain.house import chatdev, git, only_product

TASK = 'Build a terminal number guessing game called "Lucky Harbour".'


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One program, built and proved; `host` needs nothing, and the program's text is ours."""
    folder = tmp_path_factory.mktemp("newcomer")
    return chatdev("--task", TASK, "--sandbox", "host", cwd=folder), only_product(folder)


def test_the_first_command_builds_a_program_that_is_verified(run):
    done, product = run
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert apprentice.what_it_is() in done.stdout + done.stderr
    report = json.loads((product / ".chatdev" / "report.json").read_text(encoding="utf-8"))
    assert (report["verdict"], set(report["models"].values())) == ("verified", {"apprentice"})
    assert (report["window"], report["gave_up"]) == (1152, False)
    assert f"{report['tokens'] / 1152:.1f} windows of 1,152)" in done.stdout
    assert "Lucky Harbour" in "".join(path.read_text(encoding="utf-8") for path in product.glob("*.py"))


def test_the_same_seed_makes_the_same_repository_byte_for_byte(run, tmp_path):
    chatdev("--task", TASK, "--sandbox", "host", cwd=tmp_path)
    commits = [git(product, "log", "--format=%H") for product in (run[1], only_product(tmp_path))]
    assert commits[0] == commits[1]
    assert len(commits[0].split()) > 2


def test_of_what_it_does_not_know_it_says_so(tmp_path):
    done = chatdev("--task", "Write a Game Boy emulator.", "--sandbox", "host", cwd=tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "says that this cannot be done" in done.stdout
    assert apprentice.what_it_is() in done.stdout
    assert not list(only_product(tmp_path).glob("*.py"))


def test_a_task_of_more_tokens_than_it_holds_is_refused_before_a_word_is_said(tmp_path):
    done = chatdev("--task", "Сделай игру в угадывание чисел. " * 15, "--sandbox", "host", cwd=tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "cannot hold a task of so many tokens" in done.stdout
    assert apprentice.what_it_is() in done.stdout
    journal = (only_product(tmp_path) / ".chatdev" / "journal.jsonl").read_text(encoding="utf-8")
    assert '"kind":"said"' not in journal


def test_it_is_small_and_an_ordinary_folder():
    names = {path.name: path.stat().st_size for path in apprentice.WEIGHTS.iterdir()}
    assert sum(names.values()) <= 32_000_000
    ordinary = {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja", "generation_config.json"}
    assert {*ordinary, "README.md"} <= set(names)
    families = set(apprentice.facts()["families"])
    assert len(families) >= 30
    assert families <= set(FAMILIES)
