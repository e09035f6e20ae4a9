"""The X display of a box: started on demand, looked at, photographed, played with.

Uses Xvfb and python-xlib (both in the sandbox image). Where they are missing `Screen.open` returns None and the
window rung says so.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

SIZE = (1024, 768)
KEYS = ("Return", "space", "Right", "Down", "Left", "Up", "a", "1")
MARGIN = 4
"""Pixels at the edge that do not count when telling whether a window is blank (borders, focus rings)."""


@dataclass
class Picture:
    """One photograph of a window."""

    name: str
    png: bytes
    colours: int
    """Number of different colours."""
    drawn: int
    """Pixels that do not have the most frequent colour, without a margin."""
    checksum: int
    after: str

    def facts(self) -> dict[str, Any]:
        return {
            "name": self.name, "colours": self.colours, "drawn": self.drawn, "checksum": self.checksum,
            "after": self.after,
        }  # fmt: skip


class Screen:
    """A virtual display and a connection to it."""

    def __init__(self, process: subprocess.Popen[bytes], name: str, connection: Any) -> None:
        self.process, self.name, self.connection = process, name, connection

    @staticmethod
    def open() -> tuple[Screen | None, str]:
        """Start Xvfb. Returns (screen, "") or (None, the reason)."""
        xvfb = shutil.which("Xvfb")
        if xvfb is None:
            return None, "Xvfb is not installed in this box"
        try:
            from Xlib import display  # type: ignore[import-untyped]
        except ImportError:
            return None, "python3-xlib is not installed in this box"
        reader, writer = os.pipe()
        command = [
            xvfb, "-displayfd", str(writer), "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24", "-nolisten", "tcp", "-noreset",
            "-ac",
        ]  # fmt: skip
        process = subprocess.Popen(
            command, pass_fds=[writer], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            number = pipe.readline().strip().decode("ascii", "replace")
        if not number.isdigit():
            process.kill()
            process.wait()
            return None, "Xvfb did not start"
        try:
            return Screen(process, f":{number}", display.Display(f":{number}")), ""
        except _errors() as error:
            process.kill()
            process.wait()
            return None, f"the display cannot be reached: {error}"

    def windows(self) -> list[dict[str, Any]]:
        """Visible top-level windows that are no mere dots, largest first."""
        found = []
        gone = _errors()
        try:
            children = self.connection.screen().root.query_tree().children
        except gone:
            return []
        for window in children:
            try:
                shape, state = window.get_geometry(), window.get_attributes()
                if state.map_state == 2 and shape.width > 8 and shape.height > 8:
                    found.append({
                        "id": window.id, "title": self._title(window), "x": shape.x, "y": shape.y, "width": shape.width,
                        "height": shape.height,
                    })  # fmt: skip
            except gone:
                continue
        return sorted(found, key=lambda w: -w["width"] * w["height"])

    def _title(self, window: Any) -> str:
        """The name of a window, or of the client window below a frame."""
        modern = self.connection.intern_atom("_NET_WM_NAME")
        for one in [window, *window.query_tree().children]:
            found = one.get_full_property(modern, 0)  # pygame sets only this one
            name = found.value if found else one.get_wm_name()
            if name:
                return (name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name))[:120]
        return ""

    def photograph(self, window: dict[str, Any], name: str, after: str) -> Picture | None:
        """The part of the screen where the window is."""
        left, top = max(0, window["x"]), max(0, window["y"])
        width, height = min(window["width"], SIZE[0] - left), min(window["height"], SIZE[1] - top)
        if width <= 0 or height <= 0:
            return None
        try:
            image = self.connection.screen().root.get_image(left, top, width, height, 2, 0xFFFFFFFF)
        except _errors():
            return None
        data = image.data if isinstance(image.data, bytes) else image.data.encode("latin-1")
        counts = Counter(_inside(data, width, height))
        return Picture(
            name, png_of(data, width, height), len(counts), counts.total() - max(counts.values()),
            zlib.crc32(data), after, )  # fmt: skip

    def key(self, name: str) -> None:
        from Xlib import XK, X
        from Xlib.ext import xtest  # type: ignore[import-untyped]

        code = self.connection.keysym_to_keycode(XK.string_to_keysym(name))
        for kind in (X.KeyPress, X.KeyRelease):
            xtest.fake_input(self.connection, kind, code)
            self.connection.sync()
            time.sleep(0.03)

    def click(self, x: int, y: int) -> None:
        from Xlib import X
        from Xlib.ext import xtest

        xtest.fake_input(self.connection, X.MotionNotify, x=x, y=y)
        for kind in (X.ButtonPress, X.ButtonRelease):
            xtest.fake_input(self.connection, kind, 1)
            self.connection.sync()
            time.sleep(0.03)

    def tops(self) -> list[int]:
        """Visible windows that may have the keyboard, the topmost last; menus and tooltips keep it for themselves."""
        found = []
        for window in self.connection.screen().root.query_tree().children:
            try:
                state = window.get_attributes()
            except _errors():
                continue
            if state.map_state == 2 and not state.override_redirect:
                found.append(int(window.id))
        return found

    def focus(self, window: int) -> None:
        from Xlib import X

        self.connection.create_resource_object("window", window).set_input_focus(X.RevertToPointerRoot, X.CurrentTime)
        self.connection.sync()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def keep_focus(screen: Screen) -> None:
    """Give the keyboard to a window when it opens, and to the one the mouse moves in: there is no window manager.

    Returns when the display is gone.
    """
    known: list[int] = []
    place, focused = (0, 0), 0
    while True:
        try:
            tops, pointer = screen.tops(), screen.connection.screen().root.query_pointer()
            under = int(pointer.child.id) if pointer.child else 0
            new = [window for window in tops if window not in known]
            now = (pointer.root_x, pointer.root_y)
            if new:
                wanted = new[-1]
            elif under in tops and now != place:
                wanted = under
            else:
                wanted = focused
            if wanted not in tops:
                wanted = tops[-1] if tops else 0
            if wanted and wanted != focused:
                screen.focus(wanted)
            known, place, focused = tops, now, wanted
        except _errors():
            if screen.process.poll() is not None:
                return
        time.sleep(0.1)


def play(screen: Screen, window: dict[str, Any], alive: Callable[[], bool]) -> Iterator[Picture]:
    """Photograph, wait, press keys, click in the middle; a photograph after each. Stops when the program ends."""

    def nothing() -> None:
        time.sleep(0.5)

    def keys() -> None:
        screen.connection.screen().root.warp_pointer(
            window["x"] + window["width"] // 2, window["y"] + window["height"] // 2
        )
        for name in KEYS:
            if alive():
                screen.key(name)
                time.sleep(0.07)

    def click() -> None:
        screen.click(window["x"] + window["width"] // 2, window["y"] + window["height"] // 2)
        time.sleep(0.4)

    acts: tuple[tuple[str, Callable[[], None]], ...] = (
        ("start", lambda: None),
        ("half a second", nothing),
        ("keys", keys),
        ("click", click),
    )
    for number, (after, act) in enumerate(acts, start=1):
        if not alive():
            return
        try:
            act()
        except _errors():
            return
        now = [w for w in screen.windows() if w["id"] == window["id"]]
        picture = screen.photograph(now[0], f"screen-{number}-{after.replace(' ', '-')}.png", after) if now else None
        if picture is not None:
            yield picture


def png_of(data: bytes, width: int, height: int) -> bytes:
    """A PNG from 32-bit BGRX pixels."""
    rgb = bytearray(width * height * 3)
    rgb[0::3], rgb[1::3], rgb[2::3] = data[2::4], data[1::4], data[0::4]
    rows = b"".join(b"\0" + rgb[y * width * 3 : (y + 1) * width * 3] for y in range(height))

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 6)) + chunk(b"IEND", b"")


def _inside(data: bytes, width: int, height: int) -> list[int]:
    """The pixels of a picture without its margin."""
    pixels = memoryview(data).cast("I").tolist()
    if width < 8 * MARGIN or height < 8 * MARGIN:
        return pixels
    rows = (pixels[y * width + MARGIN : (y + 1) * width - MARGIN] for y in range(MARGIN, height - MARGIN))
    return [pixel for row in rows for pixel in row]


def _errors() -> tuple[type[BaseException], ...]:
    """What a request raises when a window or the whole display went away."""
    from Xlib import error

    return (error.XError, error.ConnectionClosedError, error.DisplayError, OSError)
