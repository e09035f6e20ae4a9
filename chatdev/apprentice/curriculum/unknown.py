"""Tasks from outside the families: what the apprentice must say that it does not know."""

from __future__ import annotations


def held_out_unknown() -> list[str]:
    return []


def unknown_tasks(seed: int, count: int = 100) -> list[str]:
    return []
