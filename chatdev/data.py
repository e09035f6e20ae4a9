"""Where the data that ships with the package lies: roles/, phases/, company_configs/, scripts/, words/."""

from __future__ import annotations

from pathlib import Path


def library_root() -> Path:
    """The folder of the shipped data: inside the installed package, or the checkout it runs from."""
    package = Path(__file__).resolve().parent
    bundled = package / "library"
    return bundled if bundled.is_dir() else package.parent
