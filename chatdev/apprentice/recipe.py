"""What decides how a training goes: how much is read, what batches are made of, how fast the weights change."""

from __future__ import annotations

from dataclasses import dataclass

from chatdev.apprentice.batches import Mix
from chatdev.apprentice.rehearsal import WINDOW


@dataclass(frozen=True)
class Recipe:
    """One training's; a resumed one must have the same."""

    tokens: int
    """Tokens to be fed in all, padding left out."""
    batch: int = 16_384
    """Tokens of a step."""
    lr: float = 2e-3
    """Largest learning rate of AdamW."""
    warmup: float = 0.02
    """Share of the tokens until it is reached."""
    kept: float = 0.0
    """Share of the tokens until the heads that fresh weights are given may change."""
    cooled: float = 0.25
    """Share of the tokens at the end over which it falls."""
    optimizer: str = "adamw"
    """adamw, or muon for the matrices."""
    decay: float = 0.1
    """Weight decay of the matrices."""
    seed: int = 0
    drills: float = 0.35
    alone: float = 0.0
    shortest: int = 384
    grown: float = 0.3
    emphasis: float = 2.0
    opening: float = 1.0
    built: float = 0.25
    window: int = WINDOW
    """Tokens held, sinks included."""
    measure: int = 2_000_000
    """Tokens between two measurements on the held-out set."""

    def mix(self) -> Mix:
        """How batches are made."""
        shortest, longest = min(self.shortest, self.window), 3 * self.window
        return Mix(
            self.batch, self.drills, self.alone, shortest, longest, self.grown, self.emphasis, self.opening, self.built
        )

    def rate(self, progress: float) -> float:
        """The learning rate, as a share of the largest: a ramp, a plain, and a fall to a twentieth at the end."""
        if progress < self.warmup:
            return (progress + 1e-4) / self.warmup
        return 0.05 + 0.95 * min(1.0, (1 - min(1.0, progress)) / self.cooled)
