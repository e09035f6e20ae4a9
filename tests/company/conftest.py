"""A small company of three phases in a folder of its own, so that these tests do not depend on the shipped
one."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatdev.company import CompanyBundle, load_company
from chatdev.errors import UserErrors

FILES = {
    "roles/boss.yaml": "title: Chief\nprompt: You lead. {{ background }} {{ task }}\n",
    "roles/coder.yaml": "prompt: |\n  You are the {{ role.title }}.\n",
    "roles/critic.yaml": "prompt: You look.\n",
    "phases/design.yaml": (
        "instructor: boss\nassistant: coder\nreads: [task]\nwrites: design\nprompt: How? {{ task }}\n"
    ),
    "phases/code.yaml": (
        "instructor: boss\nassistant: coder\nreads: [design]\nwrites: files\nconclusion: files\n"
        "prompt: |\n  Write it.\n  {{ design }}\n"
    ),
    "phases/look.yaml": (
        "instructor: coder\nassistant: critic\nreads: [files]\nwrites: findings\n"
        "done_when: <INFO> Finished\nprompt: Look at {{ files }}\n"
    ),
    "phases/mend.yaml": (
        "instructor: critic\nassistant: coder\nreads: [findings, files]\nwrites: files\nconclusion: files\n"
        "prompt: Mend {{ findings }} in {{ files }}\n"
    ),
    "phases/ask.yaml": (
        "instructor: boss\nassistant: critic\nconclusion: line\nprompt: '{{ dialogue }} {{ question }}'\n"
    ),
    "company_configs/small.yaml": (
        "description: Small.\n"
        "roles: [boss, coder, critic]\n"
        "reflection: ask\n"
        "chain:\n"
        "  - design\n"
        "  - code\n"
        "  - loop: {name: review, times: 3, until: look.done, do: [look, mend]}\n"
        "  - verify\n"
    ),
}


class House:
    """A working folder with a library beside it; files are given as `{path: text}`."""

    def __init__(self, root: Path) -> None:
        self.library = root / "library"
        self.put(FILES, self.library)
        self.here = root / "here"
        self.here.mkdir()

    def put(self, files: dict[str, str], folder: Path | None = None) -> None:
        for name, text in files.items():
            path = (folder or self.here) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")

    def load(self, name: str = "small", **overrides: str) -> CompanyBundle:
        given = {key.replace("__", "."): value for key, value in overrides.items()}
        return load_company(name, overrides=given, library=self.library)

    def faults(self, name: str = "small", **overrides: str) -> list[str]:
        """The lines of the errors that loading ends with."""
        with pytest.raises(UserErrors) as caught:
            self.load(name, **overrides)
        lines = [str(error) for error in caught.value.errors]
        assert str(caught.value) == "\n".join(lines)
        assert not any("\n" in line for line in lines)
        return lines


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    made = House(tmp_path)
    monkeypatch.chdir(made.here)
    return made
