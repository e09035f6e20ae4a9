"""The window rung of a web product: its page is opened in the box's browser, shows something, and no script died.

What a page loads from other sites cannot be reached in a box. What is missing for that reason is said and not held
against the page, nor taken as proved; every other error is the page's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chatdev.sandbox.entry import Entry
from chatdev.sandbox.job import Run
from chatdev.sandbox.report import Rung, State
from chatdev.sandbox.traces import plain

_SCRIPT = re.compile(rb"<script[^>]{0,300}src\s*=\s*[\"']?((?:https?:)?//[^\s\"'>]{1,300})", re.IGNORECASE)
_MISSING = re.compile(r"Uncaught (?:\(in promise\) )?ReferenceError: ([\w$]{1,80}) is not defined")
GLOBALS = {
    "jquery": ("$", "jQuery"), "lodash": ("_",), "underscore": ("_",), "leaflet": ("L",), "socket.io": ("io",),
    "highlight": ("hljs",), "howler": ("Howl", "Howler"), "react-dom": ("ReactDOM",), "mathjax": ("MathJax",),
    "p5": ("createCanvas", "p5"), "crypto-js": ("CryptoJS",), "papaparse": ("Papa",), "bootstrap": ("bootstrap",),
    "openlayers": ("ol",), "pdf": ("pdfjsLib", "jsPDF"), "peerjs": ("Peer",), "qrcode": ("QRCode",), "ace": ("ace",),
    "sweetalert": ("Swal", "swal"), "prism": ("Prism",), "babylon": ("BABYLON",), "react": ("React", "ReactDOM"),
    "tailwind": ("tailwind",), "animejs": ("anime",), "matter": ("Matter",), "confetti": ("confetti",),
}  # fmt: skip
"""Names that well-known scripts bring along, where the address does not hold the name itself."""


def judge_page(run: Run, entry: Entry, files: Mapping[str, bytes], no_browser: str) -> Rung:
    """A page that was opened in the browser. `no_browser`: why none could be."""
    page: dict[str, Any] | None = run.facts.get("page")
    # A server was asked on its port, and may serve no page at all; of a page its picture is all the proof there is.
    unseen: State = "unverified" if entry.kind == "html" else "skipped"
    if no_browser:
        return Rung("window", unseen, f"the page is not photographed: {no_browser}")
    if page is None:
        return Rung("window", unseen, "no page was served that could be opened")
    if page["problem"]:
        return Rung("window", "unverified", f"the page could not be photographed: {plain(page['problem'])[:300]}")
    said = [plain(m) for m in page["messages"]]
    elsewhere = outside(files)
    died = [m for m in said if "Uncaught" in m]
    own = [m for m in died if not _from(m, elsewhere)]
    facts = {"console": said}

    def rung(state: State, summary: str) -> Rung:
        return Rung("window", state, summary, "\n".join(said), ("page.png",), facts=facts)

    if own:
        return rung("failed", f"a script of the page died: {own[0]}")
    there = f"{elsewhere[0]}, which cannot be reached here; bring it along as a file" if elsewhere else ""
    if died:
        return rung("unverified", f"not proved: {died[0]}; that comes from {there}")
    colours = _colours(run.collected.get("page.png", b""))
    if colours < 2 and there:
        return rung("unverified", f"the page is blank; it needs {there}")
    if colours < 2:
        return rung("failed", "the page is blank")
    return rung("passed", f"the page shows {colours} colours")


def outside(files: Mapping[str, bytes]) -> list[str]:
    """Addresses of scripts that the pages load from other sites."""
    found: list[str] = []
    for name, data in sorted(files.items()):
        if name.lower().endswith((".html", ".htm")):
            found += [plain(address.decode("utf-8", "replace")) for address in _SCRIPT.findall(data)]
    return found


def _from(message: str, addresses: list[str]) -> bool:
    """True when an error only says that something is missing which one of these addresses brings."""
    match = _MISSING.search(message)
    if match is None:
        return False
    name = match[1]
    bare = re.sub(r"[^a-z0-9]", "", name.lower())
    for address in addresses:
        path = address.lower().partition("//")[2].partition("/")[2]
        parts = re.split(r"[^a-z0-9]+", path.partition("?")[0])
        if bare and (bare in parts or (len(bare) > 3 and bare in re.sub(r"[^a-z0-9]", "", path))):
            return True
        if any(key in path and name in names for key, names in GLOBALS.items()):
            return True
    return False


def _colours(png: bytes) -> int:
    """Number of different colours in a picture; 0 when it cannot be read."""
    import io

    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(png)) as image:
            found = image.convert("RGB").getcolors(1 << 24)
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return 0
    return len(found or [])
