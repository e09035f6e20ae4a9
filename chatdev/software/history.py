"""The history of the software: one commit for every change, author the role, trailers that lead back to the dialogue.

A commit holds the working tree exactly, less what `.gitignore` names, the run's own folder, symbolic links and
repositories inside. The same files, messages and dates give the same commit ids on every machine. git itself is run by
`safegit`; three processes a commit (add, commit, show).

    history = History(folder)
    history.init()
    commit = history.commit("Coding [coding]", "Programmer", "programmer@chatdev.invalid", {"Phase": "coding"}, date)
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from chatdev.errors import UserError
from chatdev.software.commits import (
    FORMAT,
    Commit,
    FileChange,
    full_message,
    identity,
    one_line,
    read_changes,
    read_commit,
    slug,
)
from chatdev.software.paths import GENERATED_FOLDERS, PRIVATE_FOLDERS
from chatdev.software.safegit import SafeGit

__all__ = ["EMPTY", "Commit", "FileChange", "History"]

_EXCLUDE = "# The run's own folder and what tools generate.\n" + "".join(
    f"{name}/\n" for name in (".chatdev", *sorted(GENERATED_FOLDERS))
) + "*.pyc\n.chatdev-new-*\n"  # fmt: skip
_REVISION = re.compile(r"^[0-9A-Za-z][0-9A-Za-z._/-]{0,200}([~^][0-9]*)*$")
_SHA = re.compile(r"^[0-9a-f]{40}([0-9a-f]{24})?$")
EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""Stands for the version before the first commit; every repository knows this tree, which holds nothing."""


class History:
    """The git repository at the root of a product."""

    def __init__(self, root: Path) -> None:
        self.root, self.git = Path(root), SafeGit(root)

    @property
    def notices(self) -> list[str]:
        """What was changed to make the repository safe, in plain sentences."""
        return self.git.notices

    def new_notices(self) -> list[str]:
        """Those since the last call."""
        found = list(self.git.notices)
        self.git.notices.clear()
        return found

    def init(self) -> None:
        """Make the repository (branch main) unless there is one. Needs no git identity."""
        self.root.mkdir(parents=True, exist_ok=True)
        if not (self.git.folder / "HEAD").is_file():
            self.git.run("init", "-q", "--template=", "--initial-branch=main", checked=False)
        self.git.make_safe()
        exclude = self.git.folder / "info" / "exclude"
        if not exclude.is_file() or ".chatdev/" not in exclude.read_text(encoding="utf-8"):
            exclude.write_text(_EXCLUDE, encoding="utf-8")

    def commit(
        self,
        message: str,
        author_name: str,
        author_email: str,
        trailers: Mapping[str, str] | None = None,
        date: datetime | None = None,
    ) -> Commit | None:
        """Commit the working tree as it is; None when nothing changed.

        Args:
            message: the first line, and after an empty line more if wanted. Taken literally.
            trailers: `Name: value` lines at the end; line breaks in values become spaces.
            date: author's and committer's date, to the second; now when None.
        """
        left_out = self._stage()
        name, email = identity(author_name, "Somebody"), identity(author_email, "nobody@chatdev.invalid")
        when = f"@{int((date or datetime.now(timezone.utc)).timestamp())} +0000"
        done = self.git.run(
            *("commit", "-q", "--no-verify", "--no-gpg-sign", "--cleanup=verbatim", "--file=-"),
            stdin=full_message(message, trailers or {}),
            variables={
                f"GIT_{role}_{key}": value
                for role in ("AUTHOR", "COMMITTER")
                for key, value in (("NAME", name), ("EMAIL", email), ("DATE", when))
            },
            ok=(0, 1),
        )
        if done.returncode == 1:
            if self.git.run("diff", "--cached", "--quiet", ok=(0, 1)).returncode == 0:
                return None
            self.git.run("commit", "-q", "--dry-run")  # there is something to commit: let git say what is wrong
        return self._show("HEAD", left_out)

    def _stage(self, index: Path | None = None) -> list[str]:
        """Put the working tree into the index; returns what was left out."""
        variables = {"GIT_INDEX_FILE": str(index)} if index else None
        left_out = _unwanted(self.root)
        if not left_out:
            self.git.run("add", "--all", variables=variables)
            return []
        spec = "".join(f"{path}\0" for path in left_out)
        self.git.run(
            *("rm", "-r", "-q", "--cached", "--ignore-unmatch", "--pathspec-from-file=-", "--pathspec-file-nul"),
            stdin=spec,
            variables=variables,
        )
        around = ":(top)\0" + "".join(f":(exclude,top,literal){path}\0" for path in left_out)
        self.git.run(
            *("add", "--all", "--pathspec-from-file=-", "--pathspec-file-nul"),
            stdin=around,
            variables=variables,
            pathspecs="magic",
        )
        return left_out

    def _show(self, revision: str, left_out: list[str]) -> Commit:
        done = self.git.text(
            *("show", "-z", "--raw", "--numstat", "--no-renames", "--no-ext-diff", "--no-textconv"),
            f"--format={FORMAT}%x00",
            revision,
            "--",
        )
        head, _, rest = done.partition("\0")
        commit = read_commit(head)
        return Commit(**{**vars(commit), "files": read_changes(rest.lstrip("\0\n").split("\0")), "left_out": left_out})

    def head(self) -> str | None:
        """The id of the newest commit, None in an empty repository."""
        loose = self.git.folder / "refs" / "heads" / "main"
        pointer = self.git.folder / "HEAD"
        if pointer.is_file() and pointer.read_bytes() == b"ref: refs/heads/main\n" and loose.is_file():
            sha = loose.read_text(encoding="ascii", errors="replace").strip()
            if _SHA.match(sha):  # the usual case needs no process
                return sha
        done = self.git.run("rev-parse", "--verify", "-q", "HEAD", ok=(0, 1))
        return done.stdout.decode().strip() or None

    def commits(self) -> list[Commit]:
        """All commits, newest first, without their files."""
        return self._log()

    def _log(self, *options: str) -> list[Commit]:
        if self.head() is None:
            return []
        done = self.git.text("log", "-z", f"--format={FORMAT}", *options, "HEAD", "--")
        return [read_commit(entry) for entry in done.split("\0") if entry.strip()]

    def commit_of(self, revision: str) -> Commit:
        """One commit, with its files.

        Raises:
            UserError: there is no such commit.
        """
        return self._show(self.resolve(revision), [])

    def find(self, trailer: str, value: str, since: str | None = None) -> Commit | None:
        """The newest commit with this trailer, with its files; None when there is none.

        Args:
            since: look only at what came after this commit.
        """
        wanted = one_line(value)
        older = [f"^{since}"] if since else []
        for commit in self._log("--fixed-strings", f"--grep={trailer}: {wanted}", *older):
            if commit.trailers.get(trailer) == wanted:
                return self._show(commit.sha, [])
        return None

    def tag(self, name: str) -> str:
        """Mark the newest commit by a name and return the tag as made (letters, digits, `.`, `_`, `-`).

        A tag that exists stays where it is: a resumed run passes the same steps again with a later head.

        Raises:
            UserError: there is no commit yet.
        """
        head = self.head()
        if head is None:
            raise UserError("there is no commit to tag", where=str(self.root))
        tag = slug(name)
        self._new_ref(f"refs/tags/{tag}", head)
        return tag

    def _new_ref(self, name: str, commit: str) -> None:
        """Make a reference unless it exists. Asked first: a lock left behind by a killed git fails in the same way."""
        if self.git.run("show-ref", "--verify", "-q", name, ok=(0, 1)).returncode:
            self.git.run("update-ref", name, commit, "")

    def tags(self) -> dict[str, str]:
        """Tag name to commit id."""
        done = self.git.text("for-each-ref", "--format=%(objectname) %(refname:strip=2)", "refs/tags")
        return {line.split(" ", 1)[1]: line.split(" ", 1)[0] for line in done.splitlines()}

    def dirty(self) -> list[str]:
        """Paths that differ from the newest commit and would be committed, sorted."""
        done = self.git.text("status", "--porcelain=v1", "-z", "-uall", "--no-renames")
        left_out = set(_unwanted(self.root))
        return sorted(entry[3:] for entry in done.split("\0") if entry and not _below(entry[3:].rstrip("/"), left_out))

    def diff(self, a: str, b: str | None = None) -> str:
        """What changes from commit `a` to commit `b`, or to the working tree when `b` is None, as a patch."""
        options = ("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")
        if b is not None:
            return self.git.text(*options, self.resolve(a), self.resolve(b), "--")
        index = self.git.folder / f"index.chatdev-{os.getpid()}"
        try:
            if (self.git.folder / "index").is_file():
                # With its time: beside a younger index, git trusts a file that was changed in the same second.
                shutil.copy2(self.git.folder / "index", index)
            self._stage(index)
            return self.git.text(*options, "--cached", self.resolve(a), "--", variables={"GIT_INDEX_FILE": str(index)})
        finally:
            index.unlink(missing_ok=True)

    def last_diff(self) -> str:
        """The newest commit as a patch; empty in an empty repository."""
        if self.head() is None:
            return ""
        return self.git.text("show", "--format=", "--no-color", "--no-ext-diff", "--no-textconv", "HEAD", "--")

    def patch_of(self, revision: str) -> str:
        """What one commit changed, as a patch."""
        options = ("--format=", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")
        return self.git.text("show", *options, self.resolve(revision), "--")

    def resolve(self, revision: str) -> str:
        """A commit id for a tag, a commit id or `HEAD~2`; EMPTY for itself.

        Raises:
            UserError: there is no such commit.
        """
        if revision == EMPTY:
            return EMPTY
        if _REVISION.match(revision):
            done = self.git.run(
                *("rev-parse", "--verify", "-q", "--end-of-options", f"{revision}^{{commit}}"), ok=(0, 1, 128)
            )
            if done.returncode == 0:
                return done.stdout.decode().strip()
        raise UserError(f"there is no version {revision!r}", where=str(self.root), fix="See: git log --oneline --all")

    def restore(self, revision: str) -> str:
        """Make the working tree what it was at a version; the history goes on from where it is.

        The next commit records that the version was taken back to. What was not committed before is kept as a
        commit under `refs/taken-back/`, so nothing is lost. Ignored files stay.

        Returns:
            The commit id that was restored.
        """
        sha = self.resolve(revision)
        self._stage()
        head = self.head()
        tree = self.git.text("write-tree").strip()
        old = self.git.text("rev-parse", f"{head}^{{tree}}").strip() if head else EMPTY
        if tree != old:
            who = {
                f"GIT_{role}_{key}": value
                for role in ("AUTHOR", "COMMITTER")
                for key, value in (("NAME", "ChatDev"), ("EMAIL", "chatdev@chatdev.invalid"))
            }
            parent = ("-p", head) if head else ()
            kept = self.git.text(
                "commit-tree", tree, *parent, stdin="Files as they were before going back\n", variables=who
            ).strip()
            self.git.run("update-ref", f"refs/taken-back/{kept[:12]}", kept)
        self.git.run("read-tree", "--reset", "-u", sha)
        return sha

    def go_to(self, commit: str | None, keep: str) -> None:
        """Move the branch and the working tree to another commit; may be repeated after a crash.

        Args:
            commit: where to go; None is before the first commit.
            keep: a branch that from now on holds where we are, unless it exists; none when empty. What was not
                committed is kept as by `restore`.
        """
        head = self.head()
        if keep and head is not None and head != commit:
            self._new_ref(f"refs/heads/{keep}", head)
        self.restore(commit or EMPTY)
        if commit is None:
            self.git.run("update-ref", "-d", "refs/heads/main")
        else:
            self.git.run("update-ref", "refs/heads/main", commit)

    def move_tags(self, tags: Mapping[str, str]) -> None:
        """Make tags be exactly there; an empty commit id removes one."""
        lines = "".join(
            f"update refs/tags/{name} {sha}\n" if sha else f"delete refs/tags/{name}\n" for name, sha in tags.items()
        )
        if lines:
            self.git.run("update-ref", "--stdin", stdin=lines)

    def reaches(self, commit: str | None) -> set[str]:
        """All commits from this one back to the first."""
        return set(self.git.text("rev-list", commit, "--").split()) if commit else set()

    def since(self, old: str | None, new: str | None) -> list[str]:
        """The commits that a version has and an older one has not, the first first."""
        without = (f"^{old}",) if old else ()
        return self.git.text("rev-list", "--reverse", new, *without, "--").split() if new else []

    def stale_lock(self, patience: float = 5.0) -> list[str]:
        """Remove the locks of a git that was killed; see `SafeGit.clear_stale_locks`."""
        return self.git.clear_stale_locks(patience)

    def import_from(self, source: Path, born: int | None = None) -> int:
        """Start from an existing folder or repository; returns the number of files. See `importing`."""
        from chatdev.software.importing import import_into

        return import_into(self, Path(source), datetime.fromtimestamp(born or 0, tz=timezone.utc))


def _unwanted(root: Path) -> list[str]:
    """Symbolic links and folders with a `.git` of their own, as relative paths."""
    found: list[str] = []
    skipped = GENERATED_FOLDERS | PRIVATE_FOLDERS

    def look(folder: Path, prefix: str) -> None:
        for entry in os.scandir(folder):
            path = f"{prefix}{entry.name}"
            if entry.is_symlink():
                found.append(path)
            elif entry.is_dir(follow_symlinks=False) and entry.name not in skipped:
                if os.path.lexists(Path(folder, entry.name, ".git")):
                    found.append(path)
                else:
                    look(Path(folder, entry.name), f"{path}/")

    look(root, "")
    return sorted(found)


def _below(path: str, folders: set[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)
