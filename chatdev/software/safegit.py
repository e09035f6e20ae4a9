"""Running git in a folder that strangers may have written to.

Plain `git` through `subprocess` rather than GitPython, by measurement (git 2.39, a file of 100 lines, mean of 12
commits): add, commit and show take 9.5 ms in three processes; GitPython's in-process index takes 9.9 ms, starts
processes as well, and comes after 60 to 190 ms of import. It also adds without regard to `.gitignore`, runs hooks,
and obeys the repository's configuration unless told otherwise at each call. Here all of that is in one place.

Shut off for every call: hooks, fsmonitor, system and user configuration, inherited `GIT_*` variables, prompts,
signing, automatic maintenance, external diff and text conversion, line-ending conversion, every transport. The
repository's own configuration is read by us first, and only settings from a list of harmless ones stay: a filter, a
driver or `core.worktree` is a program or a path of a stranger's choice. Attributes are overruled by `info/attributes`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from chatdev.errors import UserError
from chatdev.software.children import run_apart

_OVERRIDES = {
    "core.fsync": "committed,reference",  # a commit that the journal knows of survives a power cut
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.untrackedCache": "false",
    "core.autocrlf": "false",
    "core.safecrlf": "false",
    "core.symlinks": "false",  # links of a repository come out as small text files, never as links
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "core.bare": "false",
    "core.quotePath": "false",
    "core.pager": "cat",
    "core.attributesFile": os.devnull,
    "core.excludesFile": os.devnull,
    "protocol.allow": "never",
    "protocol.file.allow": "never",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "diff.external": "",
    "diff.renames": "false",
    "advice.detachedHead": "false",
}
_HARMLESS = re.compile(
    r"^(core\.(repositoryformatversion|filemode|bare|logallrefupdates|ignorecase|precomposeunicode|symlinks|autocrlf|eol)"
    r"|extensions\.objectformat|user\.(name|email)|init\.defaultbranch|pull\.(rebase|ff)|push\.default"
    r"|remote\.[^\n]*\.(url|fetch|pushurl|tagopt)|branch\.[^\n]*\.(remote|merge|rebase)|color\.[a-z.]+)$"
)
_ATTRIBUTES = "* -text -filter -ident -working-tree-encoding -eol !diff merge\n"
_KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "SystemRoot", "WINDIR", "COMSPEC", "TMPDIR", "TEMP", "TMP", "LD_LIBRARY_PATH")
_ROOM = 65_536
"""Bytes of a disk below which a failed write is one for want of room."""
_LOCKS = ("index.lock", "HEAD.lock", "config.lock", "packed-refs.lock")


class GitFailed(RuntimeError):
    """A git command failed for a reason that is not the user's; the message holds command and error output."""


class SafeGit:
    """git for one folder, with everything a stranger could have put there shut off.

    `notices` gathers what was changed to make the repository safe.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))
        self.folder = self.root / ".git"
        self.notices: list[str] = []
        self._trusted: bytes | None = None

    def run(
        self,
        *arguments: str,
        stdin: str | bytes | None = None,
        variables: Mapping[str, str] | None = None,
        ok: Iterable[int] = (0,),
        checked: bool = True,
        pathspecs: str = "literal",
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one git command in the folder and return its result.

        Args:
            variables: further environment variables.
            ok: exit statuses that are no failure.
            checked: make the repository's configuration safe first.
            pathspecs: `literal` takes every path as it is written; `magic` allows git's `:(exclude)`.

        Raises:
            UserError: git is not installed, or `.git` is not a plain repository.
            OSError: the disk is full.
            GitFailed: another exit status.
        """
        if checked:
            self.make_safe()
        done = self._start(arguments, stdin, variables, pathspecs)
        if done.returncode not in tuple(ok) and b".lock': File exists" in done.stderr and self.clear_stale_locks():
            done = self._start(arguments, stdin, variables, pathspecs)
        if done.returncode not in tuple(ok):
            words = " ".join(arguments[:3])
            if _is_full(self.root, done.stderr):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.root))
            raise GitFailed(f"git {words} failed ({done.returncode}): {_text(done.stderr).strip()[:2000]}")
        return done

    def text(self, *arguments: str, **more: object) -> str:
        """Standard output of `run` as text; bytes that are no UTF-8 are replaced."""
        return _text(self.run(*arguments, **more).stdout)  # type: ignore[arg-type]

    def _start(
        self,
        arguments: tuple[str, ...],
        stdin: str | bytes | None,
        variables: Mapping[str, str] | None,
        pathspecs: str,
    ) -> subprocess.CompletedProcess[bytes]:
        options = {**_OVERRIDES, "safe.directory": self.root.as_posix()}
        command = [git_program(), "--no-pager", *(["--literal-pathspecs"] if pathspecs == "literal" else [])]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        given = stdin.encode("utf-8", "replace") if isinstance(stdin, str) else stdin
        return run_apart(
            [*command, *arguments],
            cwd=self.root,
            env={**_environment(self.root), **(variables or {})},
            **({"stdin": subprocess.DEVNULL} if given is None else {"input": given}),
        )

    def make_safe(self) -> None:
        """Take out of the repository's own files whatever could run a program or lead elsewhere.

        Raises:
            UserError: `.git` is not a folder of its own (a link, a pointer to another repository).
        """
        if self.folder.is_symlink() or not self.folder.is_dir():
            raise UserError(
                "this folder has no git repository of its own", where=str(self.root), fix="Start a new product."
            )
        for name in ("commondir", "config.worktree"):
            if (self.folder / name).exists() or (self.folder / name).is_symlink():
                (self.folder / name).unlink()
                self.notices.append(f".git/{name} was removed: it can make git read another configuration")
        self._check_config()
        self._check_attributes()

    def _check_config(self) -> None:
        config = self.folder / "config"
        if config.is_symlink():
            config.unlink()
            self.notices.append(".git/config was a symbolic link and was removed")
        content = config.read_bytes() if config.is_file() else b""
        if content == self._trusted:
            return
        listed = run_apart(
            [git_program(), "config", "--file", "-", "--no-includes", "--null", "--list"],
            cwd=self.folder,
            env={**_environment(self.root), "GIT_DIR": os.devnull},
            input=content,
        )
        entries = [
            (entry.partition("\n")[0], entry.partition("\n")[2]) for entry in _text(listed.stdout).split("\0") if entry
        ]
        kept = [entry for entry in entries if _harmless(*entry)]
        if listed.returncode or len(kept) != len(entries):
            dropped = sorted({name for name, value in entries if not _harmless(name, value)})
            (self.folder / "config.refused").write_bytes(content)
            content = _written(kept).encode()
            config.write_bytes(content)
            what = ", ".join(dropped[:5]) if dropped else "unreadable lines"
            self.notices.append(
                f".git/config: {what} could run programs or misdirect git; the old file is .git/config.refused"
            )
        self._trusted = content

    def _check_attributes(self) -> None:
        info = self.folder / "info"
        if info.is_symlink():
            info.unlink()
        info.mkdir(exist_ok=True)
        attributes = info / "attributes"
        if (
            attributes.is_symlink()
            or not attributes.is_file()
            or attributes.read_text("utf-8", "replace") != _ATTRIBUTES
        ):
            with contextlib.suppress(FileNotFoundError):
                attributes.unlink()
            attributes.write_text(_ATTRIBUTES, encoding="utf-8")

    def clear_stale_locks(self, patience: float = 5.0) -> list[str]:
        """Remove lock files that a killed git left behind; returns their names.

        A lock is left behind when it has not been touched for `patience` seconds; a younger one is waited for, as a
        living git may hold it. A product has one run at a time (its own lock sees to that), so nobody of ours does.
        """
        removed = []
        locks = [self.folder / name for name in _LOCKS]
        locks += list((self.folder / "refs").glob("**/*.lock"))
        for lock in locks:
            while True:
                try:
                    age = time.time() - lock.lstat().st_mtime
                except FileNotFoundError:
                    break
                if age >= patience or age < 0:
                    lock.unlink(missing_ok=True)
                    removed.append(lock.relative_to(self.folder).as_posix())
                    self.notices.append(f"a lock left behind by a killed git was removed: .git/{removed[-1]}")
                    break
                time.sleep(min(0.1, patience - age))
        return removed

    def ignored(self, paths: Iterable[str], *, tree: Path | None = None) -> set[str]:
        """Those of `paths` that the software's own `.gitignore` files name, tracked or not."""
        asked = "".join(f"./{path}\0" for path in paths)
        if not asked:
            return set()
        more = {"GIT_WORK_TREE": str(tree), "GIT_DIR": str(self.folder)} if tree else None
        arguments = ("check-ignore", "-z", "--stdin", "--no-index")
        done = self.run(*arguments, stdin=asked, ok=(0, 1), variables=more, pathspecs="magic")
        return {path.removeprefix("./") for path in _text(done.stdout).split("\0") if path}


def git_program() -> str:
    """The git on the path.

    Raises:
        UserError: there is none.
    """
    found = shutil.which("git")
    if found is None:
        raise UserError("git is not installed", fix="Install it (https://git-scm.com/downloads) and start again.")
    return found


def _environment(root: Path) -> dict[str, str]:
    """A closed environment: nothing inherited but what a program needs to start."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {
        **kept,
        "LC_ALL": "C",
        "HOME": os.devnull,
        "XDG_CONFIG_HOME": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_CEILING_DIRECTORIES": root.parent.as_posix(),
    }


def _is_full(folder: Path, stderr: bytes) -> bool:
    """Did git fail for want of room? It does not always say so: `couldn't write …` is all that some commands tell."""
    if b"No space left" in stderr or b"Disk quota exceeded" in stderr or b"File too large" in stderr:
        return True
    return (b"write" in stderr or b"create" in stderr) and shutil.disk_usage(folder).free < _ROOM


def _harmless(name: str, value: str) -> bool:
    return bool(_HARMLESS.match(name)) and "\n" not in value and (name, value) != ("core.bare", "true")


def _written(entries: list[tuple[str, str]]) -> str:
    """Settings as a configuration file."""
    lines = []
    for name, value in entries:
        section, _, rest = name.partition(".")
        sub, _, key = rest.rpartition(".")
        quoted = sub.replace("\\", "\\\\").replace('"', '\\"')
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        lines += [f'[{section} "{quoted}"]' if sub else f"[{section}]", f'\t{key} = "{escaped}"']
    return "\n".join(lines) + "\n"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
