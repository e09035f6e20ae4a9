"""Documents that cannot drift: every command in the README parses, and the help texts in docs/ are the real ones.

`UPDATE_DOCS=1 pytest tests/cli/test_docs.py` (or `make docs`) writes docs/commands.md anew.
"""

import os
import re
import shlex
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from chatdev.chain.absent import read_answers
from chatdev.cli import COMMANDS, cli
from chatdev.company import load_company
from tests.chain.house import chatdev

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = re.findall(r"^\$ python run\.py (.*)$", README, re.MULTILINE)


def help_texts():
    """docs/commands.md as it should be."""
    parts = ["# Commands\n\nWritten by `make docs` from the program itself.\n"]
    for name in ("", *COMMANDS):
        found = CliRunner().invoke(
            cli, [*([name] if name else []), "--help"], prog_name="python run.py", terminal_width=90
        )
        assert found.exit_code == 0
        parts.append(f"## {name or 'python run.py'}\n\n```text\n{found.output.rstrip()}\n```\n")
    return "\n".join(parts)


def test_the_help_texts_in_the_documents_are_the_real_ones():
    path = ROOT / "docs" / "commands.md"
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(help_texts(), encoding="utf-8", newline="\n")
    assert path.read_text(encoding="utf-8") == help_texts(), "run: make docs"


def test_the_readme_shows_commands_of_every_kind():
    assert len(LINES) >= 8


@pytest.mark.parametrize("line", LINES)
def test_every_command_in_the_readme_is_one_the_program_understands(line):
    words = shlex.split(line, comments=True)
    name = words.pop(0) if words[0] in COMMANDS else "run"
    command = cli.get_command(click.Context(cli), name)
    parsed = command.make_context(name, words, resilient_parsing=True)
    assert not parsed.args, f"not understood: {parsed.args}"
    command.make_parser(parsed).parse_args(list(words))


def test_the_company_in_the_readme_loads(tmp_path):
    text = re.search(r"```yaml\n# my_company/company\.yaml.*?\n(.*?)```", README, re.DOTALL)[1]
    assert yaml.safe_load(text)["extends"] == "default"
    (tmp_path / "company.yaml").write_text(text, encoding="utf-8")
    assert load_company(str(tmp_path)).company.roles["reviewer"].model == "openai:gpt-4o"


def test_the_answers_in_the_readme_are_answers(tmp_path):
    path = tmp_path / "answers.yaml"
    path.write_text(re.search(r"```yaml\n(- approve\n.*?)```", README, re.DOTALL)[1], encoding="utf-8")
    (answers,) = read_answers(path, [])[0].values()
    assert [answer.kind for _, answer in answers] == ["approve", "comment", "edit", "always"]


def test_the_first_command_of_the_readme_builds_the_game(tmp_path):
    words = shlex.split(LINES[0])
    assert words == ["--task", "build a snake game"]
    done = chatdev(*words, "--sandbox", "none", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert (next((tmp_path / "warehouse").iterdir()) / "snake.py").is_file()


def test_every_exit_status_of_the_readme_is_explained():
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)] == [0, 1, 2, 3, 4, 5, 130]
