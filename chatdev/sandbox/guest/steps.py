"""Run one step: start it, drain its output, wait or watch, end everything it left, and say what happened."""

from __future__ import annotations

import base64
import fnmatch
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from chatdev.sandbox.guest.frames import Keeper
from chatdev.sandbox.guest.procs import Ground, Limits, held_bytes
from chatdev.sandbox.guest.serve import with_terminal

FLOOD = 256 * 1024**2
"""A program that writes more than this is ended; it would only burn the processor."""
GRACE = 1.5
"""Seconds between SIGTERM and SIGKILL."""
MAX_COLLECTED = 24 * 1024**2


class Running:
    """A started program with its output being drained into keepers."""

    def __init__(self, step: dict[str, Any], env: dict[str, str], cwd: str, cap: int) -> None:
        self.out, self.err = Keeper(cap), Keeper(cap)
        self.last_output = 0.0
        self.moments: list[float] = []
        self.begun = time.monotonic()
        self.terminal: int | None = None
        self.terminal_name = ""
        open_input = step["watch"] is not None and step["stdin"] is None
        given = base64.b64decode(step["stdin"]) if step["stdin"] is not None else None
        slave = self._open_terminal() if step["pty"] else None
        feed: int = (
            slave if slave is not None else (subprocess.PIPE if open_input or given is not None else subprocess.DEVNULL)
        )
        command = with_terminal(step["command"], env) if slave is not None else step["command"]
        self.process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=feed, stdout=slave if slave is not None else subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True, bufsize=0,
        )  # fmt: skip
        if slave is not None:
            os.close(slave)
        self._more_likely_to_die()
        self.pumps = [self._pump(self.process.stderr.fileno(), self.err)] if self.process.stderr else []
        if self.terminal is not None:
            self.pumps.append(self._pump(self.terminal, self.out))
        elif self.process.stdout:
            self.pumps.append(self._pump(self.process.stdout.fileno(), self.out))
        if given is not None and not open_input:
            threading.Thread(target=self._feed, args=(given,), daemon=True).start()

    @property
    def age(self) -> float:
        return time.monotonic() - self.begun

    @property
    def written(self) -> int:
        return self.out.total + self.err.total

    def input_name(self) -> str:
        """How the program's input shows in /proc/<pid>/fd, for telling whether it waits for it."""
        if self.terminal is not None:
            return self.terminal_name
        if self.process.stdin is None:
            return ""
        try:
            return str(Path(f"/proc/self/fd/{self.process.stdin.fileno()}").readlink())
        except OSError:
            return ""

    def type(self, text: str) -> bool:
        """Type into the program's input; False when nobody can read it any more."""
        handle = (
            self.terminal
            if self.terminal is not None
            else (self.process.stdin.fileno() if self.process.stdin else None)
        )
        if handle is None:
            return False
        try:
            os.write(handle, text.encode())
        except OSError:
            return False
        return True

    def unread(self) -> int:
        """Typed bytes that the program has not taken yet; -1 when that cannot be told."""
        if self.terminal is not None or self.process.stdin is None:
            return -1
        try:
            import fcntl
            import struct
            import termios

            return int(struct.unpack("i", fcntl.ioctl(self.process.stdin.fileno(), termios.FIONREAD, b"\0" * 4))[0])
        except (ImportError, OSError):
            return -1

    def close(self) -> None:
        for pump in self.pumps:
            pump.join(timeout=2)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                try:
                    stream.close()
                except OSError:
                    continue
        if self.terminal is not None:
            os.close(self.terminal)

    def _open_terminal(self) -> int:
        import pty
        import struct

        self.terminal, slave = pty.openpty()
        self.terminal_name = os.ttyname(slave)
        try:
            import fcntl
            import termios

            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        except ImportError:
            return slave
        return slave

    def _more_likely_to_die(self) -> None:
        """When memory runs out, the kernel should take the product and not its supervisor."""
        try:
            Path(f"/proc/{self.process.pid}/oom_score_adj").write_text("1000", encoding="ascii")
        except OSError:
            return

    def _pump(self, handle: int, keeper: Keeper) -> threading.Thread:
        def drain() -> None:
            while True:
                try:
                    data = os.read(handle, 65536)
                except OSError:
                    return
                if not data:
                    return
                keeper.feed(data)
                self.last_output = self.age
                if not self.moments or self.age - self.moments[-1] > 0.25:
                    self.moments.append(self.age)

        thread = threading.Thread(target=drain, daemon=True)
        thread.start()
        return thread

    def _feed(self, data: bytes) -> None:
        stdin = self.process.stdin
        if stdin is None:
            return
        try:
            view = memoryview(data)
            while view:
                view = view[stdin.write(view) or 0 :]
            stdin.close()
        except (OSError, ValueError):
            return


def run_step(
    step: dict[str, Any], plan: dict[str, Any], ground: Ground, env: dict[str, str], watcher: Any
) -> dict[str, Any]:
    """Returns the step's result in the form `Run.from_wire` reads. `watcher` may be None; it has `look(running) ->
    bool`.
    """
    result: dict[str, Any] = {
        "name": step["name"], "exit_code": None, "seconds": 0.0, "timed_out": False, "limit": None, "alive": False,
        "signs": [], "notes": [], "error": "", "facts": {},
    }  # fmt: skip
    cwd = str(Path(plan["work"]) / step["cwd"])
    limits = Limits((plan["space"], plan["work"]), int(plan["disk"]))
    try:
        running = Running(step, env, cwd, int(plan["keep"]))
    except OSError as error:
        result["error"] = f"cannot start {step['command'][0]!r}: {error.strerror or error}"
        result["stdout"] = result["stderr"] = Keeper(1).wire()
        return result
    code = _wait(running, step, result, watcher, plan, ground)
    result["seconds"] = round(running.age, 3)
    went, besides = ground.end_all(running.process, GRACE)
    if code is None:
        try:
            running.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            result["notes"].append("it could not be killed")
        result["facts"]["ended_on_sigterm"] = went
        if not went:
            result["notes"].append("it ignored SIGTERM and had to be killed")
    elif besides:
        result["notes"].append(f"it left {besides} process{'es' if besides > 1 else ''} running, which were ended")
    running.close()
    result["exit_code"] = code
    _name_limit(result, code, limits.hit())
    result["stdout"], result["stderr"] = running.out.wire(), running.err.wire()
    return result


def _wait(
    running: Running, step: dict[str, Any], result: dict[str, Any], watcher: Any, plan: dict[str, Any], ground: Ground
) -> int | None:
    """The exit status, or None when it has to be ended (time, flood, or the watcher has seen enough)."""
    pause, next_sum = 0.005, 0.0
    while True:
        code = running.process.poll()
        if code is not None:
            if watcher is not None:
                watcher.ended(running, result)
            return code
        if running.written > FLOOD:
            result["limit"] = "output"
            return None
        if plan["watch_memory"] and running.age > next_sum:
            next_sum = running.age + 0.2
            if held_bytes(ground.strangers(), files=plan["own_namespace"]) > plan["watch_memory"]:
                result["limit"] = "memory"
                return None
        if watcher is not None and watcher.look(running, result):
            return None
        if running.age > step["seconds"]:
            result["timed_out"], result["limit"] = True, "time"
            return None
        time.sleep(pause)
        pause = min(0.1, pause * 1.5)


def _name_limit(result: dict[str, Any], code: int | None, hit: str | None) -> None:
    """Which limit explains this end; a limit that was only brushed against (exit 0) is a note."""
    if code is not None and code == -getattr(signal, "SIGXFSZ", 25):
        hit = "disk"
    if hit is None or result["limit"] is not None:
        return
    if code == 0 or result["alive"]:
        result["notes"].append(f"it ran into the {hit} limit")
    else:
        result["limit"] = hit


def collect(work: Path, patterns: list[str]) -> list[tuple[str, bytes]]:
    """Files that match, regular ones only, never through a link, bounded in number and size."""
    found: list[tuple[str, bytes]] = []
    total = 0
    waiting = [work]
    while waiting:  # not recursive: a program can nest folders deeper than Python's stack
        here = waiting.pop()
        entries = _entries(here)
        waiting += [here / e.name for e in reversed(entries) if e.is_dir(follow_symlinks=False)]
        for entry in entries:
            path = here / entry.name
            shown = path.relative_to(work).as_posix()
            if not entry.is_file(follow_symlinks=False) or not any(fnmatch.fnmatch(shown, p) for p in patterns):
                continue
            size = path.stat().st_size
            if len(found) >= 500 or total + size > MAX_COLLECTED:
                return found
            total += size
            found.append((shown, path.read_bytes()))
    return found


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as listed:
            return sorted(listed, key=lambda entry: entry.name)
    except OSError:
        return []  # gone, closed, or too long a path
