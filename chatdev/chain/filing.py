"""Filing: from a reply to files, to one commit.

What a reply says to write is parsed, checked and planned without touching the disk. What is wrong goes back to the
agent with the exact reason, `reask` times. Then everything that can be placed is written in one commit whose author
is the role and whose trailers lead back to the dialogue. Nothing is dropped in silence.

A crash between any two of these steps is harmless: the intent is journaled before the first byte is written, the plan
is made again from the recorded reply, writing the same bytes twice changes nothing, and a commit that was made but not
recorded is found by its `Journal:` trailer among those made since the intent.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chatdev.chain.brief import version_of, version_of_bytes
from chatdev.chain.context import Context
from chatdev.chain.dialogue import Dialogue, Talk
from chatdev.chain.prompt import file_item
from chatdev.software.blocks import FileBlock, ReplyBlocks, parse_reply
from chatdev.software.paths import BadPath, safe_path

if TYPE_CHECKING:
    from chatdev.llm.base import Mark
    from chatdev.software.history import Commit


class Filing:
    """Takes the files of one dialogue into the product."""

    def __init__(self, ctx: Context, dialogue: Dialogue, step: str) -> None:
        self.ctx, self.dialogue, self.phase, self.step = ctx, dialogue, dialogue.phase, step

    def take(self, talk: Talk, needed: bool) -> None:
        """Read the assistant's reply, ask again for what is faulty, write and commit the rest.

        Args:
            needed: a reply without any file is a fault.
        """
        files: dict[str, FileBlock] = {}
        deletes: list[str] = []
        spoken = talk.last
        for attempt in range(self.phase.reask + 1):
            blocks = _placed(parse_reply(spoken.text))
            allowed = [file for file in blocks.files if not self._forbidden(file.path)]
            gone = [path for path in blocks.deletes if not self._forbidden(path)]
            # The last word on a file counts: written after a deletion, or deleted after it was written.
            deletes = [path for path in deletes if path not in {file.path for file in allowed}] + gone
            files = {path: file for path, file in files.items() if path not in gone}
            files.update({file.path: file for file in allowed})
            last = attempt == self.phase.reask
            problems = self._problems(blocks, files, deletes, spoken.finish, needed, last)
            self._remember(allowed, spoken.mark)
            if not problems or last:
                break
            spoken = self.dialogue.again(self.ctx.words.say("reask", problems=problems))
        self.commit(list(files.values()), deletes)

    def _problems(
        self,
        blocks: ReplyBlocks,
        files: dict[str, FileBlock],
        deletes: list[str],
        finish: str,
        needed: bool,
        last: bool,
    ) -> list[str]:
        """What is wrong with a reply, recorded: a resumed run must ask again exactly where this one did."""

        def look() -> dict[str, Any]:
            plan = self.ctx.workspace.plan(ReplyBlocks(files=list(files.values()), deletes=deletes))
            found = [problem.message for problem in (*blocks.problems, *plan.problems)]
            for path in [*(file.path for file in blocks.files), *blocks.deletes]:
                rule = self._forbidden(path)
                if rule:
                    found.append(self.ctx.words.say("reask_forbidden", path=path, rule=rule))
            if finish == "length":
                found.append(self.ctx.words.say("reask_cut", tokens=self.dialogue.limits.tokens))
            if needed and not files and not deletes and not found:
                found.append(self.ctx.words.say("reask_no_files"))
            notices = [*blocks.notices, *plan.notices]
            return {"problems": found, "notices": notices, "agent": self.phase.assistant, "last": last}

        key = self.ctx.key(f"{self.step}/filed")
        return list(self.ctx.journal.once("filed", key, look)["problems"])

    def _forbidden(self, path: str) -> str:
        """The rule of the phase that a path breaks, empty when it breaks none."""
        if self.phase.only is not None and not _matches(path, self.phase.only):
            return f"only {', '.join(self.phase.only)}"
        if _matches(path, self.phase.never):
            return f"never {', '.join(self.phase.never)}"
        return ""

    def _remember(self, files: Iterable[FileBlock], mark: Mark) -> None:
        self.dialogue.assistant.wrote([file_item(file.path, file.text) for file in files], mark)

    def commit(self, files: list[FileBlock], deletes: list[str], pictures: dict[str, bytes] | None = None) -> None:
        """Write files and pictures and commit them, unless the journal or the history has it already."""
        ctx, key = self.ctx, self.ctx.key(f"{self.step}/committed")
        blocks = ReplyBlocks(files=files, deletes=deletes)

        def write() -> dict[str, Any]:
            intent = ctx.journal.recorded(f"{key}/intent")
            commit = ctx.history.find("Journal", key, since=intent["head"]) if intent is not None else None
            if intent is None:
                ctx.hands.keep(self.step)
                contents = {file.path: version_of(file.text) for file in files} | dict.fromkeys(deletes, "")
                contents |= {path: version_of_bytes(data) for path, data in (pictures or {}).items()}
                ctx.journal.append("writing", f"{key}/intent", head=ctx.history.head(), contents=contents)
            if commit is None:
                with ctx.hands.aside(intent["contents"] if intent is not None else {}, self.step):
                    ctx.workspace.apply(ctx.workspace.plan(blocks))
                    for path, data in (pictures or {}).items():
                        ctx.workspace.write_bytes(path, data)
                    commit = self._commit(key)
                for text in [*(commit.left_out if commit else []), *ctx.history.new_notices()]:
                    ctx.journal.append("notice", text=text, step=self.step)
            return {
                "sha": commit.sha if commit else None,
                "author": self.phase.assistant,
                "phase": self.phase.name,
                "message": commit.message if commit else "",
                "files": [vars(change) for change in commit.files] if commit else [],
            }

        event = ctx.journal.once("committed", key, write)
        if event["sha"]:
            ctx.progress.committed()

    def _commit(self, key: str) -> Commit | None:
        ctx, role = self.ctx, self.ctx.bundle.roles[self.phase.assistant]
        return ctx.history.commit(
            f"{self.phase.title} [{self.step}]",
            author_name=role.title,
            author_email=f"{role.name}@chatdev.invalid",
            trailers={
                "Phase": self.phase.name,
                "Turn": self.step,
                "Model": self.dialogue.assistant.model,
                "Journal": key,
            },
            date=ctx.hands.date(),
        )


def _placed(blocks: ReplyBlocks) -> ReplyBlocks:
    """The same blocks under the paths they will have (`./main.py` is main.py); bad ones stay for `plan` to refuse."""
    return replace(
        blocks,
        files=[replace(file, path=_path(file.path)) for file in blocks.files],
        deletes=[_path(path) for path in blocks.deletes],
    )


def _path(written: str) -> str:
    try:
        return str(safe_path(written))
    except BadPath:
        return written


def _matches(path: str, globs: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, glob) for glob in globs)
