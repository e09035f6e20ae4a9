"""Reading pip's output: what it is doing now, and in the end what went wrong.

Contract: `Digest` turns the stream of lines into one short text for the screen. `why` turns the last lines of
a failure into what is wrong and what to do. pip promises no format, so an unknown line changes nothing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple


class Digest:
    """What pip is doing, read from its output line by line; ask for `text` at any time."""

    def __init__(self, site: Path | None, text: str) -> None:
        self.site = site
        self._text, self._package = text, ""
        self._waiting: list[str] = []

    @property
    def text(self) -> str:
        """One short line for the screen."""
        return self._unpacking() if self._waiting else self._text

    def read(self, line: str) -> bool:
        """Take in a line; True when it was only a progress number, which no log needs."""
        words = line.split()
        if re.fullmatch(r"Progress \d+ of \d+", line.strip()):
            done, total = int(words[1]), int(words[3])
            self._text = f"downloading {self._package} ({done / 1e6:.0f} of {total / 1e6:.0f} MB)"
            return True
        if line.startswith("Installing collected packages:"):
            self._waiting = [name.strip(",") for name in words[3:]]
        elif words[0] in ("Collecting", "Processing", "Obtaining"):
            self._text = f"resolving {_name(words[1])}"
        elif words[0] == "Downloading":
            self._package = _name(words[1])
            self._text = f"downloading {self._package} {' '.join(words[2:])}"
        elif line.startswith("Building "):
            self._text = line.strip().lower()
        return False

    def _unpacking(self) -> str:
        """pip is silent while it unpacks, but each finished package leaves its record in the environment."""
        have = (
            {_plain(info.parent.name.split("-")[0]) for info in self.site.glob("*.dist-info/RECORD")}
            if self.site
            else set()
        )
        left = [name for name in self._waiting if _plain(name) not in have]
        done = len(self._waiting) - len(left)
        return f"installing {left[0]} ({done + 1} of {len(self._waiting)})" if left else "finishing"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _name(word: str) -> str:
    """`torch` from `torch==2.13.0`, a wheel's file name or a URL."""
    return re.split(r"[<>=!~;\[]|-\d", word.rstrip("/").rpartition("/")[2])[0] or word


class Cause(NamedTuple):
    """Why a pip failed."""

    kind: str
    """disk, certificate, proxy, network, permission, missing or other."""
    what: str
    fix: str


# In this order: pip ends with "No matching distribution" also when it could not reach any index.
CAUSES = (
    (
        r"No space left on device|Errno 28|not enough space",
        Cause("disk", "the disk is full", "Free some space"),
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError",
        Cause(
            "certificate",
            "the package index's certificate is not trusted here",
            "Point PIP_CERT to your organisation's certificate file",
        ),
    ),
    (
        r"ProxyError|Tunnel connection failed",
        Cause("proxy", "the proxy refused the connection", "Check HTTPS_PROXY"),
    ),
    (
        r"NewConnectionError|NameResolutionError|Name or service not known|getaddrinfo failed|ConnectTimeout"
        r"|ReadTimeout|Connection refused|Could not connect|Network is unreachable|No route to host",
        Cause(
            "network",
            "no package index could be reached",
            "Check the network (behind a proxy set HTTPS_PROXY, for an index of your own PIP_INDEX_URL)",
        ),
    ),
    (
        r"Permission denied|Errno 13|WinError 5",
        Cause("permission", "a file may not be written", "Check who owns the folder"),
    ),
    (
        r"No matching distribution found|ResolutionImpossible",
        # A pip that does not retry says nothing else about an index that is out of reach.
        Cause(
            "missing",
            "the package index did not answer, or has nothing for this Python and machine",
            "Check the network, or take a 64-bit Python between 3.10 and 3.13",
        ),
    ),
)


def why(tail: list[str]) -> Cause:
    """What is wrong and what to do, from the last lines of a failed pip."""
    text = "\n".join(tail)
    for pattern, cause in CAUSES:
        if re.search(pattern, text):
            return cause
    return Cause("other", "an installation step failed", "Read the lines above")
