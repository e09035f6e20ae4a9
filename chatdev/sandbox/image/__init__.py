"""The sandbox image: is it there, build it, and make its base where no registry can be reached.

    python -m chatdev.sandbox.image               # build from the Dockerfile's own base
    python -m chatdev.sandbox.image --base auto   # and make a base with debootstrap when none can be pulled

The tag is a hash of the Dockerfile, so an image made from an older one is never taken for the current one.
Certificates, pip settings and proxies of the host reach the build (people behind a company's proxy need them), never
the image.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chatdev.errors import UserError

DOCKERFILE = Path(__file__).parent / "Dockerfile"
REPOSITORY = "chatdev-sandbox"
LOCAL_BASE = "chatdev/base:bookworm"
"""Name of the base that `debootstrap.py` makes."""
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY")
Line = Callable[[str], None]


def default_tag() -> str:
    """Name of the image that belongs to this version of the Dockerfile."""
    return f"{REPOSITORY}:{hashlib.sha256(DOCKERFILE.read_bytes()).hexdigest()[:12]}"


def default_base() -> str:
    """The base that the Dockerfile names."""
    match = re.search(r"^ARG BASE=(\S+)", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise ValueError(f"{DOCKERFILE}: no ARG BASE")
    return match[1]


def image_present(tag: str | None = None, client: Any = None) -> bool:
    """True when the engine has the image (by default the current sandbox image).

    Raises:
        UserError: no Docker engine answers.
    """
    from docker.errors import ImageNotFound

    from chatdev.sandbox.docker_engine import connect

    mine = client or connect()
    try:
        mine.images.get(tag or default_tag())
    except ImageNotFound:
        return False
    finally:
        if client is None:
            mine.close()
    return True


def build_image(base: str | None = None, on_line: Line | None = None) -> str:
    """Build the sandbox image and return its tag; `on_line` hears the build's own output.

    `base` None takes the Dockerfile's base, pulled when needed, else a base made earlier with debootstrap.

    Raises:
        UserError: no engine, no base, or the build failed (with its last line).
    """
    from chatdev.sandbox.docker_engine import connect

    tell = on_line or (lambda line: None)
    client = connect()
    try:
        chosen = base or find_base(client, tell)
    finally:
        client.close()
    return build(
        DOCKERFILE, default_tag(), {"BASE": chosen}, {"chatdev.image": "sandbox", "chatdev.base": chosen}, tell
    )


def build(file: Path, tag: str, arguments: dict[str, str], labels: dict[str, str], on_line: Line | None) -> str:
    """Build one Dockerfile under a tag, with the host's certificates, pip settings and proxies at hand.

    Raises:
        UserError: no engine, or the build failed (with its last line).
    """
    from docker.errors import APIError

    from chatdev.sandbox.docker_engine import connect

    tell = on_line or (lambda line: None)
    client = connect()
    try:
        tell(f"building {tag} from {arguments['BASE']}")
        stream = client.api.build(
            fileobj=io.BytesIO(_context(file)), custom_context=True, tag=tag, rm=True, forcerm=True, decode=True,
            network_mode="host", buildargs={**arguments, **host_proxies()}, labels=labels,
        )  # fmt: skip
        last = _follow(stream, tell)
        if last:
            raise UserError(f"the image {tag} could not be built: {last}", where=str(file))
        return tag
    except APIError as error:
        raise UserError(f"the image {tag} could not be built: {error.explanation}", where=str(file)) from error
    finally:
        client.close()


def host_settings() -> dict[str, bytes]:
    """The host's certificate bundle and package index, for a build or an installer: `ca.crt`, `pip.conf`, if any."""
    found: dict[str, bytes] = {}
    names = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    for path in [os.environ.get(n, "") for n in names] + [_pip_setting("cert")]:
        if path and Path(path).is_file():
            found["ca.crt"] = Path(path).read_bytes()
            break
    lines = []
    for option in ("index-url", "extra-index-url", "trusted-host", "timeout"):
        value = os.environ.get("PIP_" + option.upper().replace("-", "_")) or _pip_setting(option)
        words = [w for w in value.split() if not w.startswith("file:")]
        if words:
            lines.append(f"{option} = {' '.join(words)}")
    if lines:
        found["pip.conf"] = ("[global]\n" + "\n".join(lines) + "\n").encode()
    return found


def host_proxies() -> dict[str, str]:
    """Proxy variables of the host; Docker knows these names and keeps them out of the image."""
    pairs = {name: os.environ.get(name) or os.environ.get(name.lower()) for name in PROXIES}
    return {name: value for name, value in pairs.items() if value}


def _pip_setting(option: str) -> str:
    import configparser

    home = Path.home()
    places = [
        Path(os.environ.get("PIP_CONFIG_FILE") or os.devnull), home / ".config/pip/pip.conf", home / ".pip/pip.conf",
        home / "Library/Application Support/pip/pip.conf", Path(os.environ.get("APPDATA", "/")) / "pip/pip.ini",
        Path("/etc/pip.conf"),
    ]  # fmt: skip
    for place in places:
        reader = configparser.RawConfigParser()
        try:
            reader.read(place, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        if reader.has_option("global", option):
            return reader.get("global", option)
    return ""


def _context(file: Path) -> bytes:
    """The build context: the Dockerfile and the host's settings."""
    buffer = io.BytesIO()
    files = {"Dockerfile": file.read_bytes(), "host/.keep": b""}
    files |= {f"host/{name}": data for name, data in host_settings().items()}
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def find_base(client: Any, tell: Line) -> str:
    """An image to build on: the Dockerfile's base, pulled when needed, else one made with debootstrap.

    Raises:
        UserError: there is none.
    """
    from docker.errors import APIError, ImageNotFound

    wanted = default_base()
    for name in (wanted, LOCAL_BASE):
        try:
            client.images.get(name)
        except ImageNotFound:
            if name != wanted:
                continue
            tell(f"pulling {wanted}")
            try:
                client.images.pull(wanted)
            except APIError as error:
                tell(f"cannot pull it: {error.explanation}")
                continue
        return name
    raise UserError(
        f"the base image {wanted} cannot be pulled and there is no {LOCAL_BASE}",
        fix="With a registry in reach, try again; on Debian as root, run: python -m chatdev.sandbox.image --base auto",
    )


def _follow(stream: Any, tell: Line) -> str:
    """Pass on a build's output; returns its error, or ""."""
    for message in stream:
        text = str(message.get("stream") or message.get("status") or "").rstrip()
        for line in text.splitlines():
            tell(line)
        if "error" in message:
            return str(message["error"]).strip()
    return ""
