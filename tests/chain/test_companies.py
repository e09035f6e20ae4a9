"""The other companies, each as a whole run."""

import subprocess

import pytest

from tests.chain.house import chatdev, git, only_product
from tests.chain.table import BUILD, company, events_of, file, script
from tests.fake_behaviours import picture
from tests.fake_openai import FakeOpenAI

HELLO = '<file path="main.py">\nprint("hello")\n</file>\n'


def test_solo_is_one_reply_and_the_same_verification(tmp_path):
    done = chatdev(
        "--task",
        "say hello",
        "--company",
        "solo",
        "--model",
        script(tmp_path, HELLO),
        "--sandbox",
        "host",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [event["phase"] for event in events_of(tmp_path) if event.kind == "said"] == ["solo"]


def test_incremental_goes_on_with_a_repository_and_its_history(tmp_path):
    old = tmp_path / "old"
    (old / "src" / "deep").mkdir(parents=True)
    (old / "src" / "deep" / "tool.py").write_text("def add(a, b):\n    return a + b\n", encoding="utf-8")
    (old / "main.py").write_text("from src.deep.tool import add\nprint(add(1, 2))\n", encoding="utf-8")
    author = ["-c", "user.name=Me", "-c", "user.email=me@example.org"]
    for command in (["init", "-q"], ["add", "-A"], [*author, "commit", "-qm", "My own work"]):
        subprocess.run(["git", "-C", str(old), *command], check=True)
    with FakeOpenAI(reply=lambda messages: _answer(messages[-1]["content"])) as server:
        done = chatdev(
            "--task", "add a subtraction", "--from", str(old), "--sandbox", "host",
            cwd=tmp_path, OPENAI_BASE_URL=server.url, OPENAI_MODEL="tiny",
        )  # fmt: skip
        shown = next(call for call in server.calls if "Make the change" in call.messages[-1]["content"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert '<file path="src/deep/tool.py">' in shown.messages[-1]["content"]
    product = only_product(tmp_path)
    assert "My own work" in git(product, "log", "--format=%s")
    assert "def sub" in (product / "src" / "deep" / "tool.py").read_text(encoding="utf-8")
    assert git(old, "status", "--porcelain") == "", "the source itself is not touched"


def _answer(text):
    if "Before anything is changed" in text:
        return "src/deep/tool.py: a function sub beside add."
    if "Make the change" in text:
        tool = "def add(a, b):\n    return a + b\n\n\ndef sub(a, b):\n    return a - b\n"
        return f'<file path="src/deep/tool.py">\n{tool}</file>'
    if "manual" in text:
        return '<file path="manual.md">\n# Tool\n</file>'
    if "packages" in text:
        return "<INFO> Nothing to install"
    return "<INFO> Finished"


@pytest.mark.docker
@pytest.mark.usefixtures("docker_engine")
@pytest.mark.parametrize(
    "empty", ["import pytest\n\n\n@pytest.mark.skip\ndef test_it():\n    assert True", "WORDS = 1"]
)
def test_what_another_round_can_make_testable_is_no_reason_to_end_the_loop(tmp_path, empty):
    chain = "chain:\n  - build\n  - loop: {name: test, times: 3, until: verified, do: [verify, build]}\n"
    mend = file("def test_it():\n    assert 1 + 1 == 2", "tests/test_it.py")
    replies = script(tmp_path, HELLO + file(empty, "tests/test_it.py"), mend)
    mine = company(tmp_path, chain, build=BUILD)
    command = ("--task", "x", "--company", mine, "--model", replies, "--sandbox", "docker", "--set", "gui=false")
    done = chatdev(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = [event["report"]["verdict"] for event in events_of(tmp_path, "checked")]
    assert verdicts[0] == "unverified"
    assert verdicts[-1] == "verified"


ART = [
    ("Which pictures", "apple.png: a red apple\nhead.png: the head of a snake"),
    ("Draw these pictures", "".join(
        f'<file path="pictures/{name}.svg">\n<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
        f'<circle cx="32" cy="32" r="28" fill="red"/></svg>\n</file>\n' for name in ("apple", "head")
    )),
    ("These pictures lie", HELLO.replace("hello", "hello, apple")),
    ("Write the whole program", HELLO),
    ("Write tests", '<file path="tests/test_main.py">\ndef test_hello():\n    assert True\n</file>'),
]  # fmt: skip


@pytest.mark.docker
def test_art_draws_svg_and_renders_it_in_the_sandbox(tmp_path, docker_engine):
    def reply(messages):
        text = messages[-1]["content"]
        return next((say for hears, say in ART if hears in text), None) or _answer(text)

    with FakeOpenAI(reply=reply) as server:
        done = chatdev(
            "--task", "a snake", "--company", "art", "--sandbox", "docker", cwd=tmp_path,
            OPENAI_BASE_URL=server.url, OPENAI_MODEL="tiny",
        )  # fmt: skip
        integrate = next(c for c in server.calls if "These pictures lie" in c.messages[-1]["content"])
    assert done.returncode == 0, done.stdout + done.stderr
    pictures = only_product(tmp_path) / "pictures"
    assert (pictures / "apple.png").read_bytes().startswith(b"\x89PNG")
    assert "pictures/apple.png: a red apple" in integrate.messages[-1]["content"]


def test_art_takes_pictures_from_an_endpoint_that_draws(tmp_path):
    def reply(messages):
        text = messages[-1]["content"]
        return next((say for hears, say in ART if hears in text), None) or _answer(text)

    with FakeOpenAI(reply=reply) as server:
        server.images = picture(b"\x89PNG\r\n\x1a\npicture")
        done = chatdev(
            "--task", "a snake", "--company", "art", "--sandbox", "none", cwd=tmp_path,
            OPENAI_BASE_URL=server.url, OPENAI_MODEL="tiny",
        )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert (only_product(tmp_path) / "pictures" / "head.png").read_bytes().endswith(b"picture")
    assert not (only_product(tmp_path) / "pictures" / "head.svg").exists()


def test_a_new_role_phase_loop_and_artifact_need_no_python(tmp_path):
    folder = company(
        tmp_path,
        "chain:\n  - plan\n  - build\n  - loop: {name: polish, times: 4, until: judge.done, do: [judge, build]}\n",
        plan="instructor: cto\nassistant: programmer\nwrites: [plan, size]\nconclusion: yaml\n"
        "prompt: Plan it as YAML with plan and size.\n",
        build="instructor: cto\nassistant: programmer\nreads: [plan, size]\nwrites: files\nconclusion: files\n"
        "prompt: 'Build {{ plan }} of {{ size }}.'\n",
        judge="instructor: cto\nassistant: reviewer\nreads: [files]\nwrites: review\ndone_when: <INFO> Good\n"
        "prompt: 'Is it good? {{ files }}'\n",
    )
    model = script(
        tmp_path,
        "```yaml\nplan: a greeter\nsize: small\n```",
        HELLO,
        "Not yet.",
        HELLO.replace("hello", "hi"),
        "<INFO> Good",
    )
    done = chatdev("--task", "x", "--company", folder, "--model", model, "--sandbox", "none", cwd=tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    told = [event["text"] for event in events_of(tmp_path) if event.kind == "told"]
    assert told[1].strip() == "Build a greeter of small."
    (ended,) = [event for event in events_of(tmp_path) if event.kind == "loop_ended"]
    assert (ended["until"], ended["rounds"]) == ("judge.done", 2)


def test_a_dialogue_without_a_conclusion_is_reflected_upon(tmp_path):
    replies = ["Perhaps a game?", "Or a website?", "Both are fine.", "Decide.", "I cannot.", "<INFO> Website"]
    model = script(tmp_path, *replies)
    folder = company(tmp_path, "chain: [demand_analysis]\n", roles="ceo, cpo, counselor")
    chatdev("--task", "x", "--company", folder, "--model", model, "--sandbox", "none", cwd=tmp_path)
    said = [(event["agent"], event["text"]) for event in events_of(tmp_path) if event.kind == "said"]
    assert [agent for agent, _ in said] == ["cpo", "ceo", "cpo", "ceo", "cpo", "counselor"]
    (modality,) = [event for event in events_of(tmp_path) if event.kind == "artifact" and event["name"] == "modality"]
    assert modality["text"] == "Website"


ANALYSIS = 'Let me see.\n\nTITLE = "Worm"\nWIDTH = 30\n> WIDTH = 99\n\nIt is watched.\n\n<INFO> Game\n'


def test_whoever_writes_the_program_and_its_tests_is_told_what_the_analysis_listed(tmp_path):
    tests = file("def test_it():\n    assert True", "tests/test_it.py")
    model = script(tmp_path, ANALYSIS, "<INFO> Python", HELLO, tests)
    folder = company(
        tmp_path,
        "chain: [demand_analysis, language_choose, coding, test_writing]\n",
        roles="ceo, cpo, cto, programmer, tester, counselor",
    )
    chatdev("--task", "x", "--company", folder, "--model", model, "--sandbox", "none", cwd=tmp_path)
    told = {event["phase"]: event["text"] for event in events_of(tmp_path) if event.kind == "told"}
    listed = 'What was agreed:\nLet me see.\n\nTITLE = "Worm"\nWIDTH = 30\n\nIt is watched.\n'
    assert listed in told["coding"]
    assert listed in told["test_writing"]
    assert "Form: Game." in told["coding"]


def test_nothing_is_agreed_where_only_the_form_was_said(tmp_path):
    model = script(tmp_path, "<INFO> Game", "<INFO> Python", HELLO)
    folder = company(
        tmp_path,
        "chain: [demand_analysis, language_choose, coding]\n",
        roles="ceo, cpo, cto, programmer, tester, counselor",
    )
    chatdev("--task", "x", "--company", folder, "--model", model, "--sandbox", "none", cwd=tmp_path)
    (told,) = [event["text"] for event in events_of(tmp_path) if event.kind == "told" and event["phase"] == "coding"]
    assert "agreed" not in told


def test_one_stream_for_the_run_says_nothing_twice_and_phase_scope_does(tmp_path):
    def shown(scope):
        """(agent, file, version) of every file shown, and how long all prompts were."""
        folder = tmp_path / scope
        folder.mkdir()
        done = chatdev(
            "--task", "build a snake game", "--model", "scripted:snake", "--sandbox", "none",
            "--set", f"stream.scope={scope}", cwd=folder,
        )  # fmt: skip
        assert done.returncode == 3, done.stderr
        told = [event for event in events_of(folder) if event.kind == "told"]
        files = [
            (event["agent"], name, version)
            for event in told
            for name, version in event["shows"].items()
            if name.startswith("files/")
        ]
        return files, sum(len(event["text"]) for event in told)

    run, run_size = shown("run")
    phase, phase_size = shown("phase")
    assert len(run) == len(set(run)), "an agent that still knows a file is not shown it again"
    assert len(phase) > len(set(phase)), "a fresh chat has to be shown it again"
    assert run_size < phase_size


def test_without_a_terminal_a_review_fails_before_anything_is_spent(tmp_path):
    done = chatdev("--task", "x", "--review", "all", "--model", script(tmp_path, HELLO), cwd=tmp_path)
    assert done.returncode == 1
    assert "there is no terminal" in done.stderr
    assert "--answers FILE" in done.stderr
    assert "--answers inbox" in done.stderr
    assert not (tmp_path / "warehouse").exists()
