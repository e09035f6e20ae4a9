"""Images beyond the plain one: a kit is the sandbox image plus the packages of one language, or of the browser."""

from __future__ import annotations

import hashlib
from pathlib import Path

from chatdev.errors import UserError
from chatdev.sandbox.image import DOCKERFILE, REPOSITORY, Line, build, default_tag, image_present
from chatdev.sandbox.languages import languages

KITFILE = Path(__file__).parent / "Kit.dockerfile"
WEB = "web"
"""The kit with a browser, which photographs pages."""
WEB_PACKAGES = ("chromium", "fonts-liberation")
WEB_NEEDS = ("chromium",)


def kits() -> tuple[str, ...]:
    """Names of all kits."""
    return (WEB, *(name for name, language in languages().items() if language.packages))


def packages(kit: str) -> tuple[str, ...]:
    """Debian packages of a kit.

    Raises:
        UserError: there is no kit of that name.
    """
    if kit == WEB:
        return WEB_PACKAGES
    if kit not in kits():
        raise UserError(f"there is no kit {kit!r}", fix=f"Choose one of {', '.join(kits())}.")
    return languages()[kit].packages


def needs(kit: str) -> tuple[str, ...]:
    """Programs a kit must have."""
    return WEB_NEEDS if kit == WEB else languages()[kit].needs


def kit_tag(kit: str) -> str:
    """Name of a kit's image; it changes with the plain image, the kit's Dockerfile and its packages."""
    text = DOCKERFILE.read_bytes() + KITFILE.read_bytes() + " ".join(packages(kit)).encode()
    name = kit.replace("+", "p")
    return f"{REPOSITORY}-{name}:{hashlib.sha256(text).hexdigest()[:12]}"


def build_kit(kit: str, on_line: Line | None = None) -> str:
    """Build a kit's image on top of the plain one, which must be there; returns its tag.

    Raises:
        UserError: no engine, no such kit, no plain image, or the build failed.
    """
    tag = kit_tag(kit)
    if not image_present():
        raise UserError(f"the sandbox image {default_tag()} is not built", fix="Run: chatdev sandbox build")
    arguments = {"BASE": default_tag(), "PACKAGES": " ".join(packages(kit))}
    return build(KITFILE, tag, arguments, {"chatdev.image": kit}, on_line)
