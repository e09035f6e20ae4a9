"""Children that do not hear the terminal's Ctrl-C.

A terminal sends Ctrl-C to every process of the group that it shows. It is meant for the run, which may only want a
pause; a git or a parser that died of it would be a failure that nobody made.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from typing import Any

TRIES = 3


def run_apart(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
    """`subprocess.run` in a session of its own, with both outputs captured and any exit status taken.

    Between its birth and that session a child can still be hit. It has done nothing then, and is started again.
    """
    done = subprocess.run(command, capture_output=True, check=False, start_new_session=True, **options)
    for _ in range(TRIES):
        if done.returncode != -signal.SIGINT:
            break
        done = subprocess.run(command, capture_output=True, check=False, start_new_session=True, **options)
    return done
