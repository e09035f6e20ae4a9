"""One real product in each language of the table, with tests of its own, and the box that each needs."""

import os
from pathlib import Path

import pytest

from chatdev.errors import UserError
from chatdev.sandbox.image import image_present
from chatdev.sandbox.image.kits import build_kit, kit_tag, kits
from chatdev.sandbox.languages import languages

HERE = Path(__file__).parent / "languages"
PRODUCTS = {
    folder.name: {
        f.relative_to(folder).as_posix(): f.read_text(encoding="utf-8") for f in folder.rglob("*") if f.is_file()
    }
    for folder in sorted(HERE.iterdir())
}
TESTED = {"c": 2, "c++": 1, "go": 1, "rust": 1, "java": 6, "javascript": 2, "typescript": 3}
"""How many of its tests pass."""
TYPES = Path("/usr/share/nodejs/@types/node")


def kit(name):
    """Build a kit's image when it is not there (in CI it must succeed)."""
    try:
        if not image_present(kit_tag(name)):
            build_kit(name)
    except UserError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


def ready(name, engine):
    """Skip where the engine lacks what the language needs; Docker has an image for it, bubblewrap has this machine."""
    if engine.name == "docker":
        if name in kits():
            kit(name)
        return
    language = languages()[name]
    files = [Path(path) for path in language.tests.libraries] + ([TYPES] if name == "typescript" else [])
    missing = [engine.lacks(name), *(f"{path} is not there" for path in files if not path.exists())]
    if any(missing):
        pytest.skip(next(filter(None, missing)))
