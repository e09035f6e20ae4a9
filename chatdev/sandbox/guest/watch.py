"""Judge a program that may never end by itself: does it show a sign of life?

Signs are a window on the display, a listening port or socket, a read on its input, output that goes on. With one of
them the program has started once `start_seconds` have passed; with none it is ended after `quiet_seconds`.
"""

from __future__ import annotations

import re
import time
from typing import Any

from chatdev.sandbox.guest.browser import open_page
from chatdev.sandbox.guest.procs import Ground, cpu_seconds, ports_of, reads_from
from chatdev.sandbox.guest.screen import Screen, play
from chatdev.sandbox.guest.signs import DEAF, LISTENS, SILENT, ask, sockets_of

LOOK_EVERY = 0.3
PATIENCE = (2.0, 4.0)
"""Seconds that a port has for its first answer, and for the second try."""
MOST_PATIENCE = 8.0
"""Seconds that are spent on all ports together before no more are asked."""
MAX_PORTS = 12
"""Ports that are looked at; a program can open hundreds, and each one is asked and waited for."""
MAX_WINDOWS = 20
"""Windows that are told of, largest first."""
GLANCES = 3
"""Different pictures kept of a window before it has settled."""


class Watcher:
    """Looks at a running program now and then; `look` returns True when enough was seen."""

    def __init__(
        self, watch: dict[str, Any], ground: Ground, screen: Screen | None, env: dict[str, str], space: str
    ) -> None:
        self.start, self.quiet = float(watch["start_seconds"]), float(watch["quiet_seconds"])
        self.talk: list[str] = list(watch["talk"])
        self.gui = bool(watch["gui"])
        self.ground, self.screen = ground, screen
        self.next_look = 0.0
        self.ports: dict[int, str] = {}
        self.asked: dict[int, int] = {}
        self.spent = 0.0
        self.sockets: list[str] = []
        self.windows: list[dict[str, Any]] = []
        self.window_since: float | None = None
        self.pictures: list[tuple[str, bytes]] = []
        self.picture_facts: list[dict[str, Any]] = []
        self.played = False
        self.waits = False
        self.typed: list[str] = []
        self.nudged: float | None = None
        self.cpu = 0.0
        self.address = str(watch["browser"])
        self.env, self.space = env, space
        self.page: dict[str, Any] | None = None

    def look(self, running: Any, result: dict[str, Any]) -> bool:
        age = running.age
        if age < self.next_look:
            return False
        self.next_look = age + LOOK_EVERY
        pids = self.ground.strangers()
        self.cpu = max(self.cpu, cpu_seconds(pids))
        self._ports(pids, age)
        self.sockets = sockets_of(pids)[:MAX_PORTS] or self.sockets
        self._windows(running, age)
        self._input(running, pids, age)
        if age < self.start or (self.typed and age - running.last_output < 0.2):
            return False
        signs = self.signs(running)
        if not signs and age < self.start + 0.7:
            return self._nudge(running)
        if signs or age >= self.quiet:
            result["alive"] = bool(signs)
            self._report(running, result)
            return True
        return False

    def ended(self, running: Any, result: dict[str, Any]) -> None:
        self._report(running, result)

    def signs(self, running: Any) -> list[str]:
        signs = [f'a window "{w["title"]}" of {w["width"]}x{w["height"]}' for w in self.windows[:3]]
        signs += [f"port {port} {answer}" for port, answer in sorted(self.ports.items())]
        signs += self.sockets[:3]
        if self.waits:
            signs.append("waits for input")
        if running.last_output > self.start / 2 and len(running.moments) > 1:
            signs.append(f"goes on writing ({running.written:,} bytes so far)")
        return signs

    def _report(self, running: Any, result: dict[str, Any]) -> None:
        result["signs"] = self.signs(running)
        result["facts"].update(
            ports=sorted(self.ports), windows=self.windows[:MAX_WINDOWS], sockets=self.sockets, waits=self.waits,
            typed=self.typed, cpu_seconds=round(self.cpu, 2), pictures=self.picture_facts, page=self.page,
        )  # fmt: skip

    def _ports(self, pids: list[int], age: float) -> None:
        for port in ports_of(pids):
            if port not in self.ports:
                if len(self.ports) < MAX_PORTS:
                    self.ports[port] = LISTENS
                continue
            tries = self.asked.get(port, 0)
            if self.spent > MOST_PATIENCE or tries >= len(PATIENCE) or age <= min(1.0, self.start / 2):
                continue
            if self.ports[port] in (LISTENS, SILENT, DEAF):
                begun = time.monotonic()
                self.asked[port] = tries + 1
                self.ports[port] = ask(port, PATIENCE[tries])
                self.spent += time.monotonic() - begun
                if self.address and self.page is None and re.search(r"HTTP [23]", self.ports[port]):
                    self._open(port)

    def _open(self, port: int) -> None:
        page = open_page(f"http://127.0.0.1:{port}{self.address}", self.space, self.env)
        self.page = {"messages": page.messages, "problem": page.problem}
        if page.png:
            self.pictures.append(("page.png", page.png))

    def _windows(self, running: Any, age: float) -> None:
        if self.screen is None:
            return
        seen = self.screen.windows()
        if not seen:
            return
        self.windows = seen
        if self.window_since is None:
            self.window_since = age
        settled = age - self.window_since > min(1.0, self.start / 4)
        if self.gui and not settled:
            self._glance(seen[0], age)
        if self.gui and settled and not self.played:
            self.played = True
            for picture in play(self.screen, seen[0], lambda: running.process.poll() is None):
                self.picture_facts.append(picture.facts())
                self.pictures.append((picture.name, picture.png))
            self.windows = self.screen.windows() or seen

    def _glance(self, window: dict[str, Any], age: float) -> None:
        """Photograph a new window at once: a game can be over before it has settled, and what moved then has moved."""
        known = {facts["checksum"] for facts in self.picture_facts}
        name = f"screen-0-{len(known) + 1}.png"
        picture = self.screen.photograph(window, name, f"{age:.1f} s") if self.screen and len(known) < GLANCES else None
        if picture is not None and picture.checksum not in known:
            self.picture_facts.append(picture.facts())
            self.pictures.append((picture.name, picture.png))

    def _input(self, running: Any, pids: list[int], age: float) -> None:
        name = running.input_name()
        reading = bool(name) and reads_from(pids, name)
        if self.nudged is not None and running.unread() == 0:
            reading = True
        self.waits = reading  # what counts is whether it waits now; it may have taken a line and hung
        if reading and self.talk and age - running.last_output > 0.15:
            line = self.talk.pop(0)
            if running.type(line + "\n"):
                self.typed.append(line)

    def _nudge(self, running: Any) -> bool:
        """Nothing seen: type an empty line once; a program that takes it was waiting for input."""
        if self.nudged is None and running.unread() >= 0 and running.type("\n"):
            self.nudged = time.monotonic()
        return False
