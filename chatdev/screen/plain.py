"""Plain lines, for pipes, NO_COLOR and CI: one line an event, nothing is ever overwritten."""

from __future__ import annotations

from typing import TextIO

from chatdev.run.journal import Event
from chatdev.screen.text import event_lines, safe, speaker


class PlainScreen:
    """Writes what happens to a text stream."""

    def __init__(self, out: TextIO, titles: dict[str, str], verbose: bool = False) -> None:
        """With `verbose` the dialogue itself is shown: every prompt and every reply."""
        self._out, self._titles, self._verbose = out, titles, verbose

    def read(self, event: Event) -> None:
        """Show one event."""
        if self._verbose and event.kind in ("told", "said"):
            name = speaker(self._titles, event["by"] if event.kind == "told" else event["agent"])
            to = f" -> {speaker(self._titles, event['agent'])}" if event.kind == "told" else ""
            self._line(f"   --- {name}{to}")
            for line in event["text"].splitlines():
                self._line(f"   | {safe(line)}")
        for line in event_lines(event, self._titles):
            self._line(line)

    def _line(self, text: str) -> None:
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        self._out.write(text.encode(encoding, "replace").decode(encoding, "replace") + "\n")
        self._out.flush()

    def pause(self) -> None:
        """Nothing is ever overwritten, so nothing has to step aside."""

    go_on = pause

    def close(self) -> None:
        """Nothing to take down."""
