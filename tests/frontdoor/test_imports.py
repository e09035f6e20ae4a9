"""A quick start: nothing heavy is imported before it is used, on any path that runs no company."""

import json
import subprocess
import sys

import pytest

from .conftest import ROOT

HEAVY = [
    "torch",
    "transformers",
    "openai",
    "docker",
    "numpy",
    "PIL",
    "starlette",
    "uvicorn",
    "huggingface_hub",
]
PROGRAM = """
import json, sys
sys.argv = ["chatdev", *json.loads(sys.argv[1])]
code = 0
try:
    from chatdev.cli import main
    main()
except SystemExit as stop:
    code = stop.code
sys.stderr.write("\\n" + json.dumps([code or 0, sorted(sys.modules)]))
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["run", "--help"], 0),
        (["check", "default"], 0),
        (["check", "no-such-company"], 1),
        (["list"], 0),
        (["schema", "--help"], 0),
        (["show", "no-such-product"], 1),
        (["--no-such-option"], 2),
        (["no-such-command"], 2),
        (["--task", "", "--company", "no-such-company"], 1),
        (["--task", "a game", "--company", "no-such-company"], 1),
        (["--task", "a game", "--model", "no-such-kind:x"], 1),
        (["--task", "a game", "--set", "no.such.setting=1"], 1),
    ],
)
def test_nothing_heavy_is_imported(arguments, code, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(arguments)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), **_plain_environment()},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    told, modules = json.loads(done.stderr.splitlines()[-1])
    assert told == code, done.stderr[:2000]
    assert "Traceback" not in done.stderr
    assert not set(HEAVY) & set(modules)


def _plain_environment():
    import os

    return {
        key: value for key, value in os.environ.items() if not key.startswith(("CHATDEV_", "OPENAI_", "PYTHONPATH"))
    }


def test_the_front_door_uses_the_standard_library_alone():
    program = "import sys; from chatdev.frontdoor import setup; print(*{n.partition('.')[0] for n in sys.modules})"
    done = subprocess.run([sys.executable, "-S", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    used = set(done.stdout.split()) - {"chatdev", "__main__"}
    assert used <= set(sys.stdlib_module_names)
