"""Going back, going another way, and comparing the two: nothing is destroyed, and the parent stays as it is."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from benchmarks.kills import COMPANY
from chatdev.run.journal import Journal, read_events
from chatdev.run.lock import ProductLock
from tests.chain.house import DATE, chatdev, git
from tests.chain.writer import write_model

SNAKE = ("--task", "build a snake game", "--model", "scripted:snake", "--sandbox", "none", "-q")
OTHER = {
    "replies": [
        {"hears": "The review", "say": '<file path="main.py">\nprint("another way")\n</file>\n'},
        {"say": "<INFO> Finished", "times": "always"},
    ]
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The warehouse of a whole run."""
    folder = tmp_path_factory.mktemp("snake")
    assert chatdev(*SNAKE, cwd=folder).returncode == 3
    return folder / "warehouse"


@pytest.fixture
def snake(made, tmp_path):
    """A product of one's own, and the commit it ended at."""
    shutil.copytree(made, tmp_path / "warehouse")
    (product,) = (tmp_path / "warehouse").iterdir()
    return product, git(product, "rev-parse", "HEAD").strip()


def journal(product):
    return product / ".chatdev" / "journal.jsonl"


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_undo_goes_back_step_by_step_and_resume_does_the_steps_again(snake, tmp_path):
    product, end = snake
    undone = [chatdev("undo", "snake", cwd=tmp_path) for _ in range(3)]
    said = [done.stdout.partition("\n")[0] or done.stderr for done in undone]
    assert said == [
        "undone: Verify [final]",
        "undone: Manual [manual]",
        "undone: Environment document [environment_doc]",
    ]
    assert not (product / "MANUAL.md").exists()
    assert git(product, "rev-parse", "undone/2").strip() == end
    assert "manual" not in git(product, "tag").split()
    assert git(product, "status", "--porcelain") == ""
    shown = json.loads(chatdev("show", "snake", "--json", cwd=tmp_path).stdout)
    assert (shown["state"], shown["reason"]) == (
        "stopped",
        'went back to before "Environment document" [environment_doc]',
    )
    assert shown["replies"] == 9, "what was undone was paid for all the same"
    assert chatdev("resume", "snake", cwd=tmp_path).returncode == 3
    assert git(product, "rev-parse", "HEAD").strip() == end
    assert "manual" in git(product, "tag").split()


def test_redo_brings_everything_back(snake, tmp_path):
    product, end = snake
    before, tags = files(product / ".chatdev"), git(product, "tag", "--format=%(refname) %(objectname)")
    assert "undone: Coding [coding]" in chatdev("undo", "snake", "--to", "coding", cwd=tmp_path).stdout
    assert [path.name for path in product.iterdir() if not path.name.startswith(".")] == []
    assert git(product, "for-each-ref", "refs/heads/main") == ""
    back = chatdev("undo", "snake", "--redo", "--json", cwd=tmp_path)
    assert json.loads(back.stdout)["redone"][0] == "coding"
    assert git(product, "rev-parse", "HEAD").strip() == end
    assert git(product, "tag", "--format=%(refname) %(objectname)") == tags
    report = json.loads((product / ".chatdev" / "report.json").read_text(encoding="utf-8"))
    assert report["state"] == "finished"
    old = json.loads(before[(product / ".chatdev" / "report.json").relative_to(product / ".chatdev")])
    assert report["ladder"] == old["ladder"]
    assert chatdev("resume", "snake", cwd=tmp_path).returncode == 3
    assert chatdev("undo", "snake", "--redo", cwd=tmp_path).stderr.startswith("error: ")


def test_after_going_on_an_undo_cannot_be_taken_back_and_says_where_the_work_lies(snake, tmp_path):
    product, end = snake
    chatdev("undo", "snake", "--to", "manual", cwd=tmp_path)
    chatdev("resume", "snake", cwd=tmp_path)
    refused = chatdev("undo", "snake", "--redo", cwd=tmp_path)
    assert refused.returncode == 1
    assert "lies in the branch undone/1" in refused.stderr
    assert git(product, "rev-parse", "undone/1").strip() == end


def test_what_was_edited_by_hand_is_kept_with_what_is_undone(snake, tmp_path):
    product, _ = snake
    (product / "main.py").write_text("mine = True\n", encoding="utf-8")
    undone = chatdev("undo", "snake", "--to", "manual", cwd=tmp_path)
    by_hand = git(product, "rev-parse", "undone/1").strip()
    assert f"{by_hand[:8]} in the branch undone/1" in undone.stdout
    assert "mine" not in (product / "main.py").read_text(encoding="utf-8")
    assert git(product, "show", "undone/1:main.py") == "mine = True\n"
    assert git(product, "log", "-1", "--format=%an", "undone/1").strip() == "Human"


def test_what_was_written_by_hand_before_the_first_commit_is_kept_as_well(snake, tmp_path):
    product, end = snake
    chatdev("undo", "snake", "--to", "coding", cwd=tmp_path)
    (product / "mine.py").write_text("mine = True\n", encoding="utf-8")
    refused = chatdev("undo", "snake", "--redo", cwd=tmp_path)
    assert (refused.returncode, "changed by hand since: mine.py" in refused.stderr) == (1, True)
    assert "in the branch undone/2" in chatdev("undo", "snake", cwd=tmp_path).stdout
    assert git(product, "show", "undone/2:mine.py") == "mine = True\n"
    chatdev("undo", "snake", "--redo", cwd=tmp_path)
    assert (product / "mine.py").read_text(encoding="utf-8") == "mine = True\n"
    (product / "mine.py").unlink()
    refused = chatdev("undo", "snake", "--redo", cwd=tmp_path)
    assert "changed by hand since: mine.py" in refused.stderr
    git(product, "checkout", "mine.py")
    chatdev("undo", "snake", "--redo", cwd=tmp_path)
    assert git(product, "rev-parse", "HEAD").strip() == end


def test_an_undo_that_a_crash_cut_short_is_finished_when_the_run_goes_on(snake, tmp_path):
    product, end = snake
    writing = Journal.open(journal(product))
    started = next(event for event in writing.events if event.key == "manual/step_started1")
    head = git(product, "rev-parse", "HEAD~1").strip()
    tags = {"manual": end}
    writing.append(
        "undone", since=started.id, step="manual", title="Manual", head=head, left=end, branch="undone/1", tags=tags
    )
    writing.close()
    assert chatdev("resume", "snake", cwd=tmp_path).returncode == 3
    assert git(product, "rev-parse", "HEAD").strip() == end
    events, _ = read_events(journal(product))
    assert [event.kind for event in events if event.kind in ("undone", "moved")] == ["undone", "moved"]
    assert sum(event.key == "manual/cpo/said1" for event in events) == 2


def test_a_fork_shares_the_past_goes_its_own_way_and_leaves_its_parent_alone(snake, tmp_path):
    parent, _ = snake
    before = files(parent)
    (tmp_path / "other.yaml").write_text(json.dumps(OTHER), encoding="utf-8")
    at = "review.1.code_modification"
    made = chatdev("fork", "snake", "--at", at, "--as", "other way", "--model", "scripted:other.yaml", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    fork = next(path for path in (tmp_path / "warehouse").iterdir() if path.name.startswith("other-way-"))
    assert git(fork, "log", "--format=%s", "--all").splitlines() == ["Coding [coding]"]
    assert git(fork, "fsck", "--full", "--strict") == ""
    assert git(fork, "tag").split() == ["coding"]
    assert json.loads(chatdev("show", "other", "--json", cwd=tmp_path).stdout)["replies"] == 0, "nothing paid twice"
    assert chatdev("resume", "other", cwd=tmp_path).returncode == 3
    assert (fork / "main.py").read_text(encoding="utf-8") == 'print("another way")\n'
    assert files(parent) == before
    shown = chatdev("show", "other", cwd=tmp_path).stdout
    assert f"forked   from {parent.name} before Code modification [{at}]" in shown
    report = json.loads((fork / ".chatdev" / "report.json").read_text(encoding="utf-8"))
    assert set(report["models"].values()) == {"scripted:other.yaml"}
    events, parents = read_events(journal(fork))[0], read_events(journal(parent))[0]
    shared = next(event for event in events if event.kind == "forked").id - 1
    assert events[:shared] == parents[:shared]


def test_diff_tells_where_two_runs_part_in_words_and_in_code(snake, tmp_path):
    parent, _ = snake
    (tmp_path / "other.yaml").write_text(json.dumps(OTHER), encoding="utf-8")
    at = "review.1.code_modification"
    chatdev("fork", "snake", "--at", at, "--as", "b", "--model", "scripted:other.yaml", cwd=tmp_path)
    chatdev("resume", "b", cwd=tmp_path)
    found = json.loads(chatdev("diff", "snake-game", "b", "--json", cwd=tmp_path).stdout)
    assert (found["same"], found["same_replies"]) == (False, 4)
    assert found["a"]["key"] == found["b"]["key"] == f"{at}/programmer/said1"
    assert found["common_commit"] == git(parent, "rev-parse", "coding").strip()
    assert "main.py" in [file["path"] for file in found["files"]]
    text = chatdev("diff", "snake-game", "b", cwd=tmp_path).stdout
    assert "The first 4 replies are the same." in text
    assert '+print("another way")' in text
    patch = chatdev("diff", "snake-game", "b", "--code", cwd=tmp_path).stdout
    assert patch.startswith("diff --git ")
    same = chatdev("diff", "snake-game", "snake-game", cwd=tmp_path).stdout
    assert "The two dialogues are the same: 9 replies." in same
    assert "no difference" in same


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["fork", "snake", "--at", "codng", "--as", "x"], 'there is no step "codng". Did you mean "coding"?'),
        (
            ["fork", "snake", "--at", "coding", "--as", "x", "--role", "ceo=none.yaml"],
            "none.yaml: the role cannot be read",
        ),
        (
            ["fork", "snake", "--at", "coding", "--as", "x", "--role", "cook=a.yaml"],
            'no role "cook" works in this company',
        ),
        (["fork", "snake", "--at", "coding", "--as", "x", "--role", "ceo=bad.yaml"], "bad.yaml"),
        (["fork", "snake", "--at", "coding", "--as", " "], "a fork needs a name"),
        (
            ["fork", "snake", "--at", "final", "--as", "x", "--comment", "hi"],
            "nobody works any more from Verify [final]",
        ),
        (["undo", "snake", "--to", "nowhere"], 'there is no step "nowhere"'),
        (["undo", "snake", "--redo"], "nothing was undone"),
        (["undo", "snake", "--redo", "--to", "coding"], "--redo takes back the last undo as a whole"),
    ],
)
def test_mistakes_change_nothing(snake, tmp_path, arguments, line):
    product, _ = snake
    (tmp_path / "bad.yaml").write_text("prompt: [", encoding="utf-8")
    before = files(product)
    done = chatdev(*arguments, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert line.removesuffix("bad.yaml") in done.stderr
    assert "Traceback" not in done.stderr
    assert len(list((tmp_path / "warehouse").iterdir())) == 1
    assert {path: data for path, data in files(product).items() if path.name != "lock"} == {
        path: data for path, data in before.items() if path.name != "lock"
    }


def test_a_product_at_work_cannot_be_undone_and_can_be_forked(snake, tmp_path):
    product, _ = snake
    with ProductLock(product / ".chatdev"):
        refused = chatdev("undo", "snake", cwd=tmp_path)
        assert refused.returncode == 1
        assert "another process (pid " in refused.stderr
        assert chatdev("fork", "snake", "--at", "manual", "--as", "x", cwd=tmp_path).returncode == 0


def test_a_fork_can_have_another_role(snake, tmp_path):
    (tmp_path / "strict.yaml").write_text(
        "title: Strict Reviewer\nprompt: You are strict. {{ task }}\n", encoding="utf-8"
    )
    at = "review.1.code_review"
    done = chatdev("fork", "snake", "--at", at, "--as", "strict", "--role", "reviewer=strict.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    fork = next(path for path in (tmp_path / "warehouse").iterdir() if path.name.startswith("strict-"))
    assert "Strict Reviewer" in (fork / ".chatdev" / "company" / "roles" / "reviewer.yaml").read_text(encoding="utf-8")
    assert "Strict Reviewer" in chatdev("resume", "strict", "-v", cwd=tmp_path).stdout


def test_a_comment_reaches_the_agent_that_works_next_in_the_fork(snake, tmp_path):
    words = "Use bright colours only."
    at = "review.1.code_modification"
    assert chatdev("fork", "snake", "--at", at, "--as", "bright", "--comment", words, cwd=tmp_path).returncode == 0
    fork = next(path for path in (tmp_path / "warehouse").iterdir() if path.name.startswith("bright-"))
    assert chatdev("resume", "bright", cwd=tmp_path).returncode == 3
    told = [event for event in read_events(journal(fork))[0] if event.kind == "told" and words in event["text"]]
    assert [event.key for event in told] == [f"{at}/programmer/told1"]


def test_streams_fork_with_the_dialogue(tmp_path):
    model = write_model(tmp_path / "model")
    (tmp_path / "company").mkdir()
    (tmp_path / "company" / "company.yaml").write_text(COMPANY % 1, encoding="utf-8")
    order = ("--company", "company", "--model", model, "--precision", "fp32", "--sandbox", "none", "--seed", "7", "-q")
    eager = "from chatdev.chain import snapshots; snapshots.WORTH = 0.0; from chatdev.cli import main; main()"
    command = [sys.executable, "-c", eager, "--task", "tic tac toe", *order]
    env = {**os.environ, "SOURCE_DATE_EPOCH": DATE}
    ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 3, ran.stderr
    (parent,) = (tmp_path / "warehouse").iterdir()
    assert list((parent / ".chatdev" / "streams").glob("programmer.*.safetensors"))
    assert chatdev("fork", str(parent), "--at", "solo-4", "--as", "again", cwd=tmp_path).returncode == 0
    fork = next(path for path in (tmp_path / "warehouse").iterdir() if path != parent)
    went = chatdev("resume", str(fork), cwd=tmp_path)
    assert went.returncode == 3, went.stderr
    assert "fed again" not in went.stdout
    assert git(fork, "rev-parse", "HEAD") == git(parent, "rev-parse", "HEAD"), "it says what its parent said"
