"""The two families of expected stops.

`UserError` is the one class for what the person at the keyboard can mend: the command line prints it as a
single line (what, where, what to do next) and no traceback. `Stop` and its children end a run on purpose, with
everything saved; they carry the exit code that the design promises. Any other exception is a defect of ours
and keeps its traceback.
"""

from __future__ import annotations


class UserError(Exception):
    """Something the user can fix.

    Args:
        what: what is wrong, one plain clause.
        where: the place, such as `company_configs/mine.yaml:14` or a URL; empty when there is none.
        fix: the next thing to do, best a command that can be pasted.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(str(self))

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}. {self.fix}" if self.fix else head


class UsageError(UserError):
    """The command was called in a way that says nothing, or two things at once."""

    exit_code = 2


class UserErrors(UserError):
    """Several user errors found at once (a linter's result); printed one line each."""

    def __init__(self, errors: list[UserError]) -> None:
        self.errors = errors
        super().__init__("; ".join(str(e) for e in errors))

    def __str__(self) -> str:
        return "\n".join(str(e) for e in self.errors)


class Stop(Exception):
    """An expected end of a run before its chain is through; everything is saved and can be resumed."""

    exit_code = 3

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class LimitReached(Stop):
    """A named limit of the company (tokens, money, minutes, turns, files …) was reached."""

    exit_code = 4


class StoppedByPerson(Stop):
    """The reviewing person ended the run."""

    exit_code = 5


class Interrupted(Stop):
    """Ctrl-C; saved, the resume command is printed."""

    exit_code = 130
