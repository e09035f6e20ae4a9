"""A package that nobody here has heard of is installed only when the person agrees. Real engine, real index."""

import re
import subprocess
import sys

import pytest

from tests.chain.house import chatdev, only_product
from tests.chain.table import Background, file, script

STRANGE = "peppercorn"
"""A real, tiny package that is not among the known ones."""
REPLY = file(f"import {STRANGE}\nprint({STRANGE}.__name__)") + file(f"{STRANGE}==0.6", "requirements.txt")
RUN = ("--company", "solo", "--set", "gui=false", "--sandbox", "docker")


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """A package index, or a reason to skip."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest"]
    where = str(tmp_path_factory.mktemp("wheel"))
    if subprocess.run([*command, where, f"{STRANGE}==0.6"], capture_output=True, timeout=120, check=False).returncode:
        pytest.skip("no package index within reach")


@pytest.mark.docker
@pytest.mark.parametrize(("answer", "verdict"), [("Yes", "verified"), ("what is that?", "failed")])
@pytest.mark.usefixtures("docker_engine", "index")
def test_the_person_decides_and_is_asked_once(tmp_path, answer, verdict):
    run = Background(tmp_path, *RUN, "--answers", "inbox", "--model", script(tmp_path, REPLY))
    asked = run.answer("comment", 1, text=answer)
    assert STRANGE in asked["subject"]
    assert "nobody here has heard of it" in asked["subject"]
    run.end()
    assert len(run.events("asked")) == 1
    assert run.events("run_ended")[-1]["verdict"] == verdict, run.text()
    line = rf"installed (earlier: )?{STRANGE}==0\.6" if verdict == "verified" else "nobody agreed to it"
    assert re.search(line, run.text())


@pytest.mark.docker
@pytest.mark.usefixtures("docker_engine")
def test_where_nobody_can_be_asked_it_is_refused_with_the_reason(tmp_path):
    done = chatdev("--task", "x", *RUN, "--model", script(tmp_path, REPLY), cwd=tmp_path)
    assert done.returncode == 3
    assert f"nobody here knows {STRANGE}, and nobody agreed to it" in done.stdout
    assert only_product(tmp_path).is_dir()
