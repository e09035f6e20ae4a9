"""Entry of the part inside a box: read the plan and the files, run the steps, report each one at once.

Standard input stays open for the life of the box. When it closes, the engine is gone (killed, crashed, unplugged),
and this process ends everything: a box never outlives the one who asked for it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import IO, Any

from chatdev.sandbox.guest.frames import Speaker
from chatdev.sandbox.guest.procs import SIGKILL, Ground, harden
from chatdev.sandbox.guest.screen import Screen
from chatdev.sandbox.guest.serve import Relay
from chatdev.sandbox.guest.signs import changed, written
from chatdev.sandbox.guest.steps import collect, run_step
from chatdev.sandbox.guest.watch import Watcher


def main(plan: dict[str, Any], source: IO[bytes]) -> None:
    """Run a plan. `source` stands right behind the plan, at the first archive."""
    harden(adopt_orphans=not plan["own_namespace"], call_filter=base64.b64decode(plan["call_filter"]))
    handle = os.dup(1)
    os.set_inheritable(handle, False)
    speaker = Speaker(plan["secret"], handle)
    Store.space = plan["space"]
    stores = {name: Store(source, size) for name, size in plan["archives"]}
    ground = Ground(own_namespace=plan["own_namespace"])
    rlimits(plan["rlimits"])
    done = threading.Event()
    box = Box(plan, stores, ground, speaker)
    if plan["serve"]:
        box.serve(plan["steps"][0], source)
    for target in (lambda: _until_closed(source), lambda: _until(plan["deadline"], done)):
        threading.Thread(target=_then_end, args=(target, ground, done), daemon=True).start()
    speaker.tell("ready", {"python": sys.version.split()[0]})
    try:
        for step in plan["steps"]:
            box.run(step)
    except BaseException:  # noqa: BLE001 - see below
        # Leaving by the ordinary way would wait for the thread that reads standard input; the engine hears why.
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(4)
    done.set()
    speaker.tell("done", {"notes": box.notes})
    if box.screen is not None:
        box.screen.close()
    os._exit(0)  # the watching threads may sit in a read for ever


class Store:
    """An archive kept in a file without a name: later steps start from it, and no program can reach it."""

    space = ""

    def __init__(self, source: IO[bytes], size: int) -> None:
        self.file = tempfile.TemporaryFile(dir=self.space)  # noqa: SIM115 - kept open for the life of the box
        while size > 0:
            data = source.read(min(size, 1 << 20))
            if not data:
                raise EOFError("the archive ended early")
            self.file.write(data)
            size -= len(data)
        self.file.flush()

    def unpack(self, folder: Path) -> None:
        self.file.seek(0)
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=self.file, mode="r:") as tar:
            for member in tar:
                # The engine made this archive from regular files with relative names; nothing else is written.
                target = folder / member.name
                data = tar.extractfile(member)
                if data is None or ".." in Path(member.name).parts:
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                text = data.read()
                try:
                    target.write_bytes(text)
                    target.chmod(member.mode)
                except OSError:
                    if not _is(target, text):  # sealed files are there already, and nobody here can write them
                        raise

    def changed(self, folder: Path, names: list[str]) -> list[str]:
        """Those of the named files that differ from the archive or are gone."""
        self.file.seek(0)
        found, wanted = [], set(names)
        with tarfile.open(fileobj=self.file, mode="r:") as tar:
            for member in tar:
                data = tar.extractfile(member) if member.name in wanted else None
                if data is not None and not _is(folder / member.name, data.read()):
                    found.append(member.name)
        return found


class Box:
    """The state of one box between steps."""

    def __init__(self, plan: dict[str, Any], stores: dict[str, Store], ground: Ground, speaker: Speaker) -> None:
        self.plan, self.stores, self.ground, self.speaker = plan, stores, ground, speaker
        self.work = Path(plan["work"])
        self.screen: Screen | None = None
        self.notes: list[str] = []
        self.filled = False
        self.no_screen = ""

    def run(self, step: dict[str, Any]) -> None:
        self.speaker.tell("begin", {"name": step["name"]})
        if step["fresh"] or not self.filled:
            self._fill()
        env = {**self.plan["env"], **step["env"]}
        screen = self._display() if self.plan["display"] else None
        if screen is not None:
            env["DISPLAY"] = screen.name
        watcher = Watcher(step["watch"], self.ground, screen, env, str(self.work.parent)) if step["watch"] else None
        places = [self.work, *(Path(env[name]) for name in ("HOME", "TMPDIR"))] if watcher else []
        before = written(places)
        result = run_step(step, self.plan, self.ground, env, watcher)
        if watcher is not None:
            result["facts"]["wrote"] = changed(before, written(places), str(self.work))
        if self.plan["display"] and screen is None:
            result["notes"].append(f"no display: {self.no_screen}")
        if step["sealed"]:
            result["facts"]["changed"] = self._changed(step["sealed"])
        if watcher is not None:
            for name, png in watcher.pictures:
                self.speaker.file(step["name"], name, png)
        for name, data in collect(self.work, step["collect"]) if step["collect"] else []:
            self.speaker.file(step["name"], name, data)
        self.speaker.tell("result", result)

    def serve(self, step: dict[str, Any], source: IO[bytes]) -> None:
        """Run one step for a person; never returns."""
        self._fill()
        env = {**self.plan["env"], **step["env"]}
        screen = self._display() if self.plan["display"] else None
        if screen is not None:
            env["DISPLAY"] = screen.name
        elif self.plan["display"]:
            self.speaker.send("out", f"no display: {self.no_screen}\r\n".encode())
        relay = Relay(self.speaker, self.ground, self.plan)
        try:
            code = relay.run(step, env, str(self.work), source, screen)
        except OSError as error:
            # It may be what shows the window that is not there, and not the program.
            missing = error.filename or step["command"][0]
            self.speaker.send("out", f"cannot start {missing}: {error.strerror}\r\n".encode())
            code = 127
        self.speaker.tell("exit", {"code": code})
        for pid in self.ground.strangers():
            try:
                os.kill(pid, SIGKILL)
            except OSError:
                continue
        os._exit(0)

    def _changed(self, sealed: list[str]) -> list[str]:
        """Sealed files that are no longer what was sent in."""
        found = []
        for name, store in self.stores.items():
            folder = self._folder(name)
            mine = [path.partition("/")[2] for path in sealed if path.startswith(f"{folder.name}/")]
            found += store.changed(folder, mine) if mine else []
        return found

    def _folder(self, name: str) -> Path:
        return self.work if name == "product" else self.work.parent / name

    def _fill(self) -> None:
        for name, store in self.stores.items():
            folder = self._folder(name)
            wipe(folder)
            store.unpack(folder)
        home = Path(self.plan["env"]["HOME"])
        wipe(home)
        home.mkdir(parents=True, exist_ok=True)
        self.filled = True

    def _display(self) -> Screen | None:
        if self.screen is not None and self.screen.process.poll() is None:
            return self.screen
        if self.no_screen:
            return None
        self.screen, self.no_screen = Screen.open()
        if self.screen is not None:
            self.ground.ours.add(self.screen.process.pid)
        return self.screen


def rlimits(limits: dict[str, int]) -> None:
    """Set resource limits of this process, inherited by all it starts (for engines without control groups)."""
    try:
        import resource
    except ImportError:
        return
    for name, value in limits.items():
        kind = getattr(resource, name, None)
        if kind is not None:
            hard = resource.getrlimit(kind)[1]
            most = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (most, most))


def _until_closed(source: IO[bytes]) -> None:
    while source.read(4096):
        continue


def _until(seconds: float, done: threading.Event) -> None:
    done.wait(seconds)


def _then_end(wait: Any, ground: Ground, done: threading.Event) -> None:
    wait()
    if done.is_set():
        return
    for _ in range(50):
        left = ground.strangers()
        for pid in left:
            try:
                os.kill(pid, SIGKILL)
            except OSError:
                continue
        if not left:
            break
        time.sleep(0.02)
    os._exit(3)


def wipe(folder: Path) -> None:
    """Remove a folder whatever a program did to its modes; what cannot be removed stays and is overwritten."""

    def loosen(function: Any, path: str, _: Any) -> None:
        for place in (Path(path).parent, Path(path)):
            try:
                if not place.is_symlink():
                    place.chmod(0o700)
            except OSError:
                continue  # a sealed file, or a folder around one, is not ours
        try:
            function(path)
        except OSError:
            return

    if folder.is_symlink():
        folder.unlink()
    if not folder.exists():
        return
    try:
        shutil.rmtree(folder, onerror=loosen)
    except RecursionError:  # folders nested deeper than Python's stack
        subprocess.run(["rm", "-rf", "--", str(folder)], stderr=subprocess.DEVNULL, check=False)


def _is(path: Path, data: bytes) -> bool:
    """True for a plain file that holds exactly these bytes."""
    try:
        return path.is_file() and not path.is_symlink() and _hash(path.read_bytes()) == _hash(data)
    except OSError:
        return False


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def boot(text: str) -> None:
    """For the engine's one-line bootstrap: `text` is the plan, the archives follow on standard input."""
    source = sys.stdin.buffer
    assert isinstance(source, io.BufferedReader)
    main(json.loads(text), source)
