"""Commands as a user types them: what they say, how they end, and what they must not import."""

import json
import subprocess
import sys

import pytest

from tests.chain.house import chatdev

HEAVY = ("torch", "transformers", "openai", "docker", "numpy")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["check"],
        ["list"],
        ["schema", "role"],
        ["run"],
        ["--task", "x", "--company", "nobody"],
        ["--task", "x", "--dry-run"],
        ["resume", "nothing"],
        ["show", "nothing"],
        ["--task", "x", "--model", "nonsense:1"],
    ],
)
def test_light_commands_import_nothing_heavy(arguments, tmp_path):
    code = (
        "import sys\n"
        "sys.argv = ['chatdev', *sys.argv[1:]]\n"
        "from chatdev.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    code = end.code\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1] == "HEAVY []"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["chek"], 2, 'No such command "chek". Did you mean "check"?'),
        (["run"], 2, "error: no task. Say what to build:"),
        (["--task", "  "], 1, "error: the task is empty."),
        (["--task", "x", "--task-file", "y"], 2, "error: more than one task."),
        (["--task-file", "missing.txt"], 1, "error: missing.txt: cannot read the task (No such file or directory)"),
        (["--task", "x", "--company", "defalt"], 1, 'error: unknown company "defalt" (did you mean "default"?)'),
        (["--task", "x", "--set", "limits"], 1, 'error: "--set limits" is not key=value.'),
        (["--task", "x", "--set", "limits.minuts=3"], 1, 'did you mean "minutes"?'),
        (["--task", "x", "--model", "opnai:x"], 1, 'unknown kind of model "opnai"'),
        (["--task", "x", "--model", "scripted:snak"], 1, 'Did you mean "scripted:snake"?'),
        (["--task", "x", "--sandbox", "dcker", "--model", "scripted:snake"], 1, 'did you mean "docker"?'),
        (["show", "nothing"], 1, 'there is no product "nothing"'),
        (["test", "nowhere"], 1, 'there is no product "nowhere"'),
        (
            ["--task", "x", "--model", "scripted:snake", "--from", "https://a.invalid/a.git"],
            1,
            "git clone https://a.invalid/a.git",
        ),
        (["--nonsense"], 2, "No such option"),
    ],
)
def test_mistakes_are_one_line_with_the_way_on(arguments, code, line, tmp_path):
    done = chatdev(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert line in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "warehouse").exists(), "a mistake leaves no product behind"


def test_a_dry_run_shows_the_chain_and_spends_nothing(tmp_path):
    done = chatdev("--task", "x", "--dry-run", "--json", "--model", "openai:gpt-4o-mini", cwd=tmp_path)
    plan = json.loads(done.stdout)
    paths = [step["path"] for step in plan["steps"]]
    assert paths[:3] == ["demand_analysis", "language_choose", "coding"]
    assert "test.test_modification" in paths
    assert 0 < plan["tokens"]["least"] < plan["tokens"]["most"]
    assert 0 < plan["money"]["least"] < plan["money"]["most"]
    assert not (tmp_path / "warehouse").exists()


def test_the_task_can_come_from_standard_input_or_a_file(tmp_path):
    (tmp_path / "wish.txt").write_text("build a café\n", encoding="utf-8")
    for arguments in (["-"], ["--task-file", "-"], ["--task", "-"], ["--task-file", "wish.txt"]):
        done = subprocess.run(
            [sys.executable, "-m", "chatdev", *arguments, "--model", "scripted:snake", "--sandbox", "none", "-q"],
            input="build a café\n",
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 3, done.stderr
        product = done.stdout.splitlines()[-1]
        assert "cafe-" in product
    listed = chatdev("list", "--json", cwd=tmp_path)
    assert {row["task"] for row in json.loads(listed.stdout)} == {"build a café"}


@pytest.mark.parametrize("name", ["; touch PWNED;", "$(touch PWNED)", "../../outside", "`id`", "a b", "-rf", "😀"])
def test_a_hostile_name_is_only_a_name(name, tmp_path):
    done = chatdev(
        f"--name={name}", "--task", name, "--model", "scripted:snake", "--sandbox", "none", "-q", cwd=tmp_path
    )
    assert done.returncode == 3, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["warehouse"]
    assert len(list((tmp_path / "warehouse").iterdir())) == 1


def test_show_tells_the_run_again(tmp_path):
    chatdev("--task", "build a snake game", "--model", "scripted:snake", "--sandbox", "none", "-q", cwd=tmp_path)
    shown = chatdev("show", "snake", cwd=tmp_path)
    assert "unverified" in shown.stdout
    assert "Programmer" in chatdev("show", "snake", "--dialogue", cwd=tmp_path).stdout
    report = json.loads(chatdev("show", "snake", "--json", cwd=tmp_path).stdout)
    saved = next((tmp_path / "warehouse").glob("*/.chatdev/report.json")).read_text(encoding="utf-8")
    assert report == json.loads(saved)


def test_test_judges_any_folder_and_gives_evidence_as_json(tmp_path):
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "main.py").write_text("print('fine')\n", encoding="utf-8")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "main.py").write_text("import sys\nsys.exit(3)\n", encoding="utf-8")
    good = chatdev("test", "good", "--sandbox", "host", "--json", cwd=tmp_path)
    assert (good.returncode, json.loads(good.stdout)["verdict"]) == (0, "verified")
    bad = chatdev("test", "bad", "--sandbox", "host", cwd=tmp_path)
    assert bad.returncode == 3
    assert "start   FAILED" in bad.stdout


def test_schemas_are_written_for_editors(tmp_path):
    done = chatdev("schema", "--out", "schemas", cwd=tmp_path)
    assert done.returncode == 0
    for kind in ("company", "role", "phase"):
        schema = json.loads((tmp_path / "schemas" / f"{kind}.json").read_text(encoding="utf-8"))
        assert schema["$schema"].startswith("https://json-schema.org/")


def test_doctor_says_what_is_there(tmp_path):
    done = chatdev("doctor", "--json", cwd=tmp_path)
    found = {row["thing"]: row for row in json.loads(done.stdout)}
    assert found["git"]["ok"]
    assert found["model"]["ok"]
    assert "apprentice" in found["model"]["text"]


def test_doctor_says_what_is_wrong_and_how_to_mend_it(tmp_path):
    done = chatdev("doctor", "--json", cwd=tmp_path, CHATDEV_MODEL="opnai:x")
    found = {row["thing"]: row for row in json.loads(done.stdout)}
    assert not found["model"]["ok"]
    assert "openai" in found["model"]["fix"]
    assert done.returncode == 1
