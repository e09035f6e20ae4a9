"""requirements.txt: names and versions pass, everything else is refused; a real installer fetches real wheels."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdev.sandbox import climb, deps
from chatdev.sandbox.requirements import read_requirements
from chatdev.sandbox.rung_install import install_rung


@pytest.mark.parametrize(
    "line",
    [
        "-e git+https://example.com/x.git",
        "--index-url http://evil.example",
        "-r other.txt",
        "git+https://example.com/x",
        "x @ https://example.com/x.whl",
        "https://example.com/x.whl",
        "../x",
        "/etc/passwd",
        "x; touch PWNED; echo",
        "$(touch PWNED)",
        "`touch PWNED`",
        "name with spaces",
        "requests==2.0 --hash=sha256:x",
        "--",
        "пайтон",
        "a" * 300,
    ],
)
def test_what_is_no_name_and_version_is_refused(line):
    wanted = read_requirements(line)
    assert wanted.install == ()
    assert len(wanted.refused) + len(wanted.left_out) == 1


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("requests", "requests"),
        ("Requests >= 2.0, < 3", "requests>=2.0,<3"),
        ("flask[async]==2.3.*  # web", "flask[async]==2.3.*"),
        ("PyYAML~=6.0", "pyyaml~=6.0"),
        ("scikit_learn", "scikit-learn"),
        ("cv2", "opencv-python"),
        ("sklearn", "scikit-learn"),
    ],
)
def test_names_and_versions_pass(line, kept):
    assert read_requirements(line).install == (kept,)


@pytest.mark.parametrize("name", ["tkinter", "Tkinter", "random", "os", "sqlite3", "python3-tk", "math", "pip"])
def test_what_belongs_to_python_is_taken_out(name):
    wanted = read_requirements(f"{name}\nrequests\n")
    assert wanted.install == ("requests",)
    assert "part of Python" in wanted.left_out[0]


def test_what_the_box_has_is_not_fetched_unless_a_version_is_asked_for():
    wanted = read_requirements("pygame\nnumpy==1.26.4\n", present={"pygame", "numpy"})
    assert wanted.install == ("numpy==1.26.4",)


def test_names_nobody_knows_are_asked_about():
    wanted = read_requirements("requests\nsnake-game-engine-pro\n")
    assert wanted.unknown == ("snake-game-engine-pro",)
    assert wanted.without(["snake-game-engine-pro"]).install == ("requests",)


@given(st.text(max_size=200))
def test_whatever_is_written_only_plain_lines_reach_pip(text):
    for line in read_requirements(text).install:
        assert line[0].isalnum()
        assert not set(line) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._[],=<>~!*+")


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """A package index, or a reason to skip."""
    tmp = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(tmp), "tinydb==4.8.0"]
    if subprocess.run(command, capture_output=True, timeout=120, check=False).returncode:
        pytest.skip("no package index within reach")


PRODUCT = {
    "main.py": "import tinydb\nprint(tinydb.__version__, tinydb.__file__)\n",
    "requirements.txt": "tinydb==4.8.0\ntkinter\n",
}


@pytest.mark.usefixtures("index")
def test_a_product_gets_its_packages_and_still_no_network(boxed, product, tmp_path):
    files = PRODUCT | {
        "main.py": PRODUCT["main.py"] + "import socket\ntry:\n    socket.create_connection(('1.1.1.1', 443), 2)\n"
        "    print('REACHED')\nexcept OSError as error:\n    print(error)\n"
    }
    report = climb(product(files), boxed, boxed.config, evidence=tmp_path / "seen")
    found = {r.name: r for r in report.rungs}
    assert report.verdict == "verified", report.for_model()
    assert found["install"].summary.endswith("tinydb==4.8.0")
    assert "part of Python" in found["install"].details
    said = (tmp_path / "seen" / "start.stdout.txt").read_text()
    assert said.startswith("4.8.0 /deps/tinydb")
    assert "unreachable" in said


@pytest.mark.usefixtures("index")
def test_the_runner_sees_the_packages_read_only(boxed, product, tmp_path):
    text = "import tinydb\ntry:\n    open('/deps/x', 'w')\nexcept OSError as error:\n    print(error)\n"
    climb(product(PRODUCT | {"main.py": text}), boxed, boxed.config, evidence=tmp_path / "seen")
    assert "Read-only file system" in (tmp_path / "seen" / "start.stdout.txt").read_text()


@pytest.mark.usefixtures("index")
def test_the_second_time_nothing_is_installed(boxed, product):
    first = climb(product(PRODUCT), boxed, boxed.config)
    second = climb(product(PRODUCT, "again"), boxed, boxed.config)
    summaries = [next(r.summary for r in report.rungs if r.name == "install") for report in (first, second)]
    assert summaries[1] == "installed earlier: tinydb==4.8.0"


@pytest.mark.usefixtures("index")
def test_a_version_that_does_not_exist_fails_with_pips_own_words(boxed, product):
    report = climb(product({"main.py": "print(1)\n", "requirements.txt": "tinydb==99.9\n"}), boxed, boxed.config)
    assert report.verdict == "failed"
    assert "No matching distribution found for tinydb==99.9" in report.reason


@pytest.mark.usefixtures("index")
def test_what_is_too_large_is_not_kept(boxed, product, monkeypatch):
    monkeypatch.setattr(deps, "BYTES", 20_000)
    folder = product({"main.py": "print(1)\n", "requirements.txt": "tinydb==4.7.1\n"})
    for _ in range(2):
        report = climb(folder, boxed, boxed.config)
        assert report.verdict == "failed"
        assert "too large" in report.reason


def test_a_refused_line_fails_and_is_quoted(boxed, product):
    files = {"main.py": "print(1)\n", "requirements.txt": "-e git+https://example.com/x.git\n"}
    report = climb(product(files), boxed, boxed.config)
    assert report.verdict == "failed"
    assert "requirements.txt:1" in report.reason
    assert "options are not followed" in report.reason


def test_a_person_is_asked_about_unknown_names(boxed, product):
    files = {"main.py": "print(1)\n", "requirements.txt": "surely-nobody-registered-this-name-42\n"}
    asked = []
    report = climb(product(files), boxed, boxed.config, ask=lambda names: asked.extend(names) or False)
    assert asked == ["surely-nobody-registered-this-name-42"]
    assert report.verdict == "unverified"
    assert "nobody agreed" in report.reason
    assert climb(product(files, "b"), boxed, boxed.config).verdict == "unverified"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("package.json", '{"main": "index.js", "dependencies": {"express": "^4"}}', True),
        ("package.json", '{"main": "index.js", "dependencies": {}}', False),
        ("pom.xml", "<project><dependencies><dependency/><dependency></dependency></dependencies></project>", True),
        ("Cargo.toml", '[package]\nname = "x"\n\n[dependencies]\nserde = "1"\n', True),
        ("Cargo.toml", '[package]\nname = "x"\n\n[dependencies]\n', False),
        ("go.mod", "module x\n\nrequire example.com/y v1.0.0\n", True),
    ],
)
def test_packages_of_other_languages_are_said_not_to_be_installed(boxed, name, text, told):
    rung, place = install_rung({name: text.encode()}, boxed)
    assert place is None
    assert (rung is not None) == told
    if rung:
        assert (rung.state, rung.summary.partition(" ")[0]) == ("skipped", name)


def test_no_installing_when_it_is_switched_off(boxed, product):
    files = {"main.py": "print(1)\n", "requirements.txt": "tinydb==99.9\n"}
    report = climb(product(files), boxed_without_install(boxed), boxed.config)
    assert report.verdict == "verified"


def boxed_without_install(engine):
    from chatdev.sandbox import open_engine

    return open_engine(engine.config.with_(engine=engine.name, install=False), run_id="tests")
