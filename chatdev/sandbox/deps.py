"""Dependencies of a product: fetched once by an installer with network and without the product, seen read-only by
the runner.

The installer gets the checked lines of `requirements.txt` and nothing else: no source, no secrets, wheels only (a
source package would run its own code). What it fetched is kept under a hash of image and lines, so the same product
installs nothing the second time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from chatdev.sandbox.requirements import Wanted

Ask = Callable[[list[str]], bool]
"""Asked with package names nobody here knows; True installs them."""

INSTALL = """\
import json, os, subprocess, sys, time
order = json.loads(sys.stdin.buffer.read(int(sys.stdin.buffer.readline(32))))
target, space = order["target"], order["space"]
os.makedirs(space, exist_ok=True)
env = {"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": space, "TMPDIR": space, "LANG": "C.UTF-8", **order["env"]}
meanings = {"ca.crt": ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), "pip.conf": ("PIP_CONFIG_FILE",)}
for name, variables in meanings.items():
    if name in order["files"]:
        path = os.path.join(space, name)
        with open(path, "w") as file: file.write(order["files"][name])
        env.update((variable, path) for variable in variables)
command = [sys.executable, "-I", "-m", "pip", "install", "--only-binary=:all:", "--no-cache-dir", "--no-compile",
    "--no-input", "--disable-pip-version-check", "--no-warn-script-location", "--progress-bar=off",
    "--target", target, "--", *order["lines"]]
process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL)
def size(top):
    total = 0
    for here, _, names in os.walk(top):
        for name in names:
            try: total += os.lstat(os.path.join(here, name)).st_size
            except OSError: pass
    return total
end = time.monotonic() + order["seconds"]
while process.poll() is None:
    time.sleep(0.5)
    if size(target) + size(space) > order["bytes"] or time.monotonic() > end:
        process.kill()
        process.wait()
        print("ERROR: too large" if time.monotonic() <= end else "ERROR: too slow", flush=True)
        sys.exit(9)
if size(target) > order["bytes"]:
    print("ERROR: too large", flush=True)
    sys.exit(9)
sys.exit(process.returncode)
"""
"""Run in the installer's box with the system's Python; reads its order from standard input."""

SECONDS = 600
BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Installed:
    """What became of an installation."""

    ok: bool
    place: str | None = None
    """The volume (docker) or folder (bubblewrap) that a job names as its `deps`; None when there is nothing to see."""
    text: str = ""
    """One line for the person and the report."""
    unreachable: bool = False
    """No package index answered: nothing is proved about the product by that."""


def order(wanted: Wanted, target: str, space: str) -> bytes:
    """What the installer reads: the lines, the host's certificates, pip settings and proxies."""
    from chatdev.sandbox.image import host_proxies, host_settings

    proxies = host_proxies()
    text = json.dumps({
        "lines": list(wanted.install), "target": target, "space": space, "seconds": SECONDS, "bytes": BYTES,
        "files": {name: data.decode("utf-8", "replace") for name, data in host_settings().items()},
        "env": {**proxies, **{name.lower(): value for name, value in proxies.items()}},
    }).encode()  # fmt: skip
    return f"{len(text)}\n".encode() + text


def key(wanted: Wanted, base: str) -> str:
    """Name of the cache entry for these lines on this image or system."""
    return hashlib.sha256("\n".join([base, *wanted.install]).encode()).hexdigest()[:16]


def verdict(code: int | None, output: str, place: str, wanted: Wanted) -> Installed:
    """Judge an installer's end."""
    names = ", ".join(wanted.install)
    if code == 0:
        return Installed(True, place, f"installed {names}")
    errors = [line.strip() for line in output.splitlines() if line.strip().startswith("ERROR:")]
    last = errors[-1] if errors else (output.strip().splitlines() or ["no word"])[-1]
    network = (
        "Failed to establish a new connection",
        "Temporary failure in name",
        "Max retries",
        "timed out",
        "ProxyError",
    )
    none_found = "from versions: none" in output
    if any(mark in output for mark in network) and (none_found or not errors):
        return Installed(False, None, "no package index can be reached", unreachable=True)
    return Installed(False, None, f"{names} cannot be installed: {last[:300]}")
