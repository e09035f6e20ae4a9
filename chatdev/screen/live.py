"""The live terminal: words as they are made, above one line that says where the run stands.

Finished lines scroll away upwards and stay; only the unfinished line of talk and the status line are redrawn. Text of
models and programs is printed as text, never as markup.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.text import Text

from chatdev.run.journal import Event
from chatdev.run.ledger import Ledger
from chatdev.screen.text import event_lines, safe, seconds_text, speaker, window_text

STYLES = {
    "step_started": "bold cyan",
    "committed": "green",
    "checked": "bold",
    "rung": "",
    "filed": "yellow",
    "notice": "yellow",
    "waiting": "yellow",
    "artifact": "magenta",
    "loop_ended": "dim",
    "said": "dim",
}


class LiveScreen:
    """Reads journal events and keeps a terminal up to date."""

    def __init__(
        self,
        console: Console,
        ledger: Ledger,
        titles: dict[str, str],
        verbose: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives the moment that is shown, in seconds since 1970; another than now when a run is replayed."""
        self._clock = clock
        self._console, self._ledger, self._titles, self._verbose = console, ledger, titles, verbose
        self._partial = ""
        self._talking = ""
        self._step = ""
        self._window = ""
        self._loading = ""
        self.typed = ""
        """What a person has typed so far."""
        self.hint = ""
        """Said at the end of the status line."""
        self._live = Live(console=console, refresh_per_second=8, transient=True, get_renderable=self._foot)
        self._live.start()

    def read(self, event: Event) -> None:
        """Show one event."""
        if event.kind == "words":
            self._words(event["agent"], event["text"])
            return
        if event.kind == "progress":
            self._loading = f"{event['what']} {event['done']:.0%}" if event["done"] < 1 else ""
            return
        self._flush()
        if event.kind == "step_started":
            self._step = event["step"]
            self._head(event)
            return
        if event.kind == "told" and self._verbose:
            name = speaker(self._titles, event["by"])
            self._print(f"{name} -> {speaker(self._titles, event['agent'])}", "bold")
            self._print(event["text"].rstrip(), "dim")
        if event.kind == "said" and event["window"]["bytes"]:
            self._window = window_text(event["window"])
        for line in event_lines(event, self._titles):
            self._print(line, self._style(event))

    def close(self) -> None:
        """Take the status line away; what was printed stays."""
        self._flush()
        self._live.stop()

    def pause(self) -> None:
        """Give the terminal to somebody else for a while."""
        self._flush()
        self._live.stop()

    def go_on(self) -> None:
        self._live.start()

    def note(self, text: str) -> None:
        """Print a line of the person's own; called from another thread."""
        self._print(f"   {text}", "bold magenta")

    def raw(self, text: str) -> None:
        """Send a control sequence of ours to the terminal."""
        self._console.file.write(text)
        self._console.file.flush()

    def _head(self, event: Event) -> None:
        title = f"[{event['step']}] {event['title']}"
        if event.get("assistant"):
            who = f"{speaker(self._titles, event['instructor'])} -> {speaker(self._titles, event['assistant'])}"
            title += f" · {who}"
        self._console.print(Rule(Text(safe(title), style=STYLES["step_started"]), align="left", style="cyan"))

    def _words(self, agent: str, text: str) -> None:
        if agent != self._talking:
            self._flush()
            self._talking = agent
            self._print(speaker(self._titles, agent), "bold")
        *lines, self._partial = (self._partial + safe(text)).split("\n")
        for line in lines:
            self._print(line)

    def _flush(self) -> None:
        if self._partial:
            self._print(self._partial)
        self._partial, self._talking = "", ""

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(Text(safe(text), style=style))

    def _style(self, event: Event) -> str:
        if event.kind == "rung":
            return {"passed": "green", "failed": "red"}.get(event["rung"]["state"], "yellow")
        if event.kind == "checked":
            return {"verified": "bold green", "failed": "bold red"}.get(event["report"]["verdict"], "bold yellow")
        return STYLES.get(event.kind, "")

    def _foot(self) -> RenderableType:
        total = self._ledger.total
        parts = [self._loading, self._step, f"{total.tokens:,} tokens", total.money_text()]
        parts += [seconds_text(self._ledger.seconds(self._clock())), self._window, self.hint]
        lines = [Text(" · ".join(part for part in parts if part), style="reverse", no_wrap=True)]
        if self._partial:
            lines.insert(0, Text(self._partial[-self._console.width * 3 :]))
        if self.typed:
            width = self._console.width - 4
            end = safe(self.typed[-width:].replace("\n", " "))[-width:]
            lines.append(Text(f"> {end}", style="bold magenta", no_wrap=True))
        return Group(*lines)
