"""Line charts as PNG with nothing but Pillow: enough for the figures of the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from pathlib import Path
from typing import Any

COLOURS = ("#1b6ca8", "#c0392b", "#2e8b57", "#8e5ea2", "#d68910", "#555555", "#16a0a0", "#a04060")
WIDTH, HEIGHT = 1200, 720
LEFT, RIGHT, TOP, BOTTOM = 110, 250, 70, 80


@dataclass(frozen=True)
class Line:
    """One curve."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def draw(lines: Sequence[Line], path: Path, *, title: str, x: str, y: str, log_y: bool = False) -> None:
    """Write the chart. The x axis begins at 0; a linear y axis does as well.

    Raises:
        ValueError: there is no point to draw, or a value that is not positive on a logarithmic axis.
    """
    from PIL import Image, ImageDraw, ImageFont

    points = [(px, py) for line in lines for px, py in zip(line.x, line.y, strict=True)]
    if not points or (log_y and min(py for _, py in points) <= 0):
        raise ValueError("nothing that can be drawn")
    right = max(px for px, _ in points) or 1.0
    low, high, ticks = _scale([py for _, py in points], log_y)
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen: Any = ImageDraw.Draw(image)
    font, large = ImageFont.load_default(18), ImageFont.load_default(22)

    def at(px: float, py: float) -> tuple[float, float]:
        level = (log10(py) if log_y else py) - low
        return (
            LEFT + px / right * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - level / (high - low) * (HEIGHT - TOP - BOTTOM),
        )

    for tick in ticks:
        _, ty = at(0, tick)
        pen.line([(LEFT, ty), (WIDTH - RIGHT, ty)], fill="#dddddd")
        pen.text((LEFT - 10, ty), _number(tick), fill="black", font=font, anchor="rm")
    for tick in _scale([right], log_y=False)[2]:
        # The last token of a round number of them has an index one less: its tick belongs on the axis too.
        if tick <= right * 1.001:
            tx, _ = at(min(tick, right), points[0][1])
            pen.line([(tx, HEIGHT - BOTTOM), (tx, HEIGHT - BOTTOM + 6)], fill="black")
            pen.text((tx, HEIGHT - BOTTOM + 12), _number(tick), fill="black", font=font, anchor="ma")
    pen.rectangle([LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM], outline="black")
    pen.text((LEFT, 24), title, fill="black", font=large)
    pen.text(((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 18), x, fill="black", font=font, anchor="ms")
    pen.text((LEFT, TOP - 8), y, fill="black", font=font, anchor="ls")
    for i, line in enumerate(lines):
        colour = COLOURS[i % len(COLOURS)]
        path_points = [at(px, py) for px, py in zip(line.x, line.y, strict=True)]
        if len(path_points) > 1:
            pen.line(path_points, fill=colour, width=3, joint="curve")
        for px, py in path_points if len(path_points) == 1 else []:
            pen.ellipse([px - 4, py - 4, px + 4, py + 4], fill=colour)
        level = TOP + 14 + 28 * i
        pen.line([(WIDTH - RIGHT + 14, level), (WIDTH - RIGHT + 44, level)], fill=colour, width=4)
        pen.text((WIDTH - RIGHT + 52, level), line.name, fill="black", font=font, anchor="lm")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, "PNG", optimize=True)


def _scale(values: list[float], log_y: bool) -> tuple[float, float, list[float]]:
    if log_y:
        low, high = floor(log10(min(values)) * 4) / 4, ceil(log10(max(values)) * 4 + 1e-9) / 4
        ticks = [m * 10.0**e for e in range(floor(low), ceil(high) + 1) for m in (1, 2, 5)]
        return low, high, [t for t in ticks if low <= log10(t) <= high]
    step = 10.0 ** floor(log10(max(values) or 1.0))
    step = next(s for s in (step / 5, step / 2, step, 2 * step) if max(values) / s <= 8)
    count = ceil(max(values) / step)
    return 0.0, count * step, [i * step for i in range(count + 1)]


def _number(value: float) -> str:
    if value >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
