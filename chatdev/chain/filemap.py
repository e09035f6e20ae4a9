"""A repository that does not fit into a prompt: which files matter for the task, and a map of the rest.

Relevance is counted, not guessed by a model: a file that is named, one that the run has changed, and then by words that
the task shares with a file's path and definitions, rare words counting more than common ones.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

from chatdev.software.outline import outline

NAMED, CHANGED = 1000.0, 500.0
LINE = 160
"""Characters of one file's line in a map."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_COMMON = frozenset(
    """the and for with that this from into not are was has have will its can all any add make use new get set def class
    self init main test tests file files program please should when what which where each one two src lib""".split()  # noqa: SIM905
)


def words_of(text: str) -> Counter[str]:
    """The telling words of a text: `pauseKey`, `pause_key` and `pause key` are the same two."""
    found = Counter(word.lower() for word in _WORD.findall(text))
    return Counter({_stem(word): count for word, count in found.items() if len(word) > 2 and word not in _COMMON})


def _stem(word: str) -> str:
    """`keys` and `key`, `pausing`… as far as endings that mean nothing here go."""
    for ending in ("ing", "ed", "es", "s"):
        if len(word) > len(ending) + 3 and word.endswith(ending):
            return word.removesuffix(ending)
    return word


def relevance(files: Mapping[str, str], talk: str, changed: Collection[str]) -> dict[str, float]:
    """How much each file has to do with what is talked about; 0 for nothing."""
    wanted = words_of(talk)
    own = {path: words_of(f"{path} {' '.join(one.name for one in outline(path, files[path]))}") for path in files}
    # `key` is also meant by `keyboard`.
    having = {word: {path for path, words in own.items() if any(w.startswith(word) for w in words)} for word in wanted}
    scores = {}
    for path in own:
        score = sum(math.log(1 + len(files) / len(there)) for there in having.values() if path in there)
        name = PurePosixPath(path).name
        if re.search(rf"(?<![\w/]){re.escape(path)}(?!\w)", talk):
            score += NAMED
        elif "." in name and re.search(rf"(?<![\w/]){re.escape(name)}(?!\w)", talk):
            score += NAMED / 2
        scores[path] = score + (CHANGED if path in changed else 0.0)
    return scores


def file_map(files: Mapping[str, str], scores: Mapping[str, float], room: int) -> str:
    """One line a file with its definitions, the relevant ones first; folders are counted where there is no room.

    Never longer than `room` characters.
    """
    lines: list[str] = []
    left: Counter[str] = Counter()
    kept = min(room // 4, 2_000)  # for the folders of what is left over
    rest = room
    for path in sorted(files, key=lambda each: (-scores.get(each, 0.0), each.count("/"), each)):
        line = _line(path, files[path])
        if len(line) + 1 <= rest - kept and not left:
            lines.append(line)
            rest -= len(line) + 1
        else:
            left[_folder(path)] += 1
    lines.sort()
    for number, (folder, count) in enumerate(sorted(left.items())):
        line = f"{folder} ({count} more files)"
        if rest < len(line) + 40:
            lines.append(f"… and {len(left) - number} more folders")
            break
        lines.append(line)
        rest -= len(line) + 1
    return "\n".join(lines)[:room]


def _folder(path: str) -> str:
    """The folder of a file, two levels at most."""
    parts = PurePosixPath(path).parts[:-1][:2]
    return "/".join(parts) + "/" if parts else "./"


def _line(path: str, text: str) -> str:
    parts: list[str] = []
    for one in outline(path, text):
        if one.depth and parts:
            parts[-1] += f" .{one.name}"
        else:
            parts.append(one.name)
    line = f"{path} ({len(text.splitlines())} lines)" + (f": {', '.join(parts)}" if parts else "")
    return line if len(line) <= LINE else line[: LINE - 1] + "…"
