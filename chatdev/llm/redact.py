"""Keeps the key inside the client: whatever is shown, logged or raised goes through a `Redactor` first.

Endpoints do echo keys in their errors, whole, cut or starred. So not only the key itself is replaced, but
every stretch of twelve characters of it, whatever looks like a key, and passwords inside URLs.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

MARK = "[key]"
_STRETCH = 12
_LOOKS_LIKE_A_KEY = re.compile(r"\b(?:sk|pk|gsk|xai|hf)[-_][A-Za-z0-9_*.-]{8,}|(?<=Bearer )\S{8,}")
_URL_PASSWORD = re.compile(r"(?<=://)[^/?#\s]+(?=@)")
_QUERY = re.compile(r"([?#]).+", re.DOTALL)


def shown_url(url: str) -> str:
    """The address as it may be shown: without user, password and query; no address at all shows as it is.

    A password with a slash in it makes an address that nobody can use; of such a one all before the last @ is hidden.
    """
    safe = _QUERY.sub(rf"\1{MARK}", _URL_PASSWORD.sub(MARK, url))
    if "@" not in url or _usable(url):
        return safe
    head, slashes, rest = url.rpartition("://")
    return f"{head}{slashes}{MARK}@{_QUERY.sub('', rest.rpartition('@')[2])}"


def url_secrets(url: str) -> tuple[str, ...]:
    """The password inside an address, as written and as meant; for a `Redactor`."""
    try:
        parts = urlsplit(url)
        found = (parts.password or "", unquote(parts.password or ""))
    except ValueError:
        return ()
    return tuple(dict.fromkeys(each for each in found if each))


def _usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port or 1) > 0 and not any(char.isspace() for char in url)
    except ValueError:
        return False


class Redactor:
    """Replaces secrets in texts; it has no readable representation itself."""

    def __init__(self, *secrets: str | None) -> None:
        self._secrets = tuple(secret for secret in secrets if secret and len(secret) >= 4)

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, MARK)
            text = _without_stretches(text, secret)
        return _URL_PASSWORD.sub(MARK, _LOOKS_LIKE_A_KEY.sub(MARK, text))

    def line(self, text: str, longest: int = 280) -> str:
        """The text without secrets, then cut to a length: a key that is cut first would not be recognised."""
        text = self(text)
        return text if len(text) <= longest else f"{text[: longest - 1]}…"

    def __repr__(self) -> str:
        return f"Redactor({len(self._secrets)} secrets)"


def _without_stretches(text: str, secret: str) -> str:
    """Replace whatever is at least `_STRETCH` consecutive characters of the secret."""
    parts = {secret[i : i + _STRETCH] for i in range(len(secret) - _STRETCH + 1)}
    covered = [False] * len(text)
    for start in range(len(text) - _STRETCH + 1):
        if text[start : start + _STRETCH] in parts:
            covered[start : start + _STRETCH] = [True] * _STRETCH
    if not any(covered):
        return text
    out: list[str] = []
    for index, char in enumerate(text):
        if not covered[index]:
            out.append(char)
        elif index == 0 or not covered[index - 1]:
            out.append(MARK)
    return "".join(out)
