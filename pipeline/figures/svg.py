"""The pictures of pages: SVG with text as text, which scales, prints, and takes its colours from the page.

A colour is a class, `c0` to `c9`, `grey` or `text`, so that one picture serves light and dark (`base.html` has both).
A picture is as wide as its column, at most; its text is that of the page. Coordinates have one digit, so that the bytes
are the same on every machine.
"""

import math
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup, escape

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 420, 46, 12, 10, 38
LETTER = 6.2  # width of one, about
NAMES = 150  # width of the names beside bars


class Line(NamedTuple):
    """Points in order of x; `band` has its lower and upper ends; `dots` leaves out the line between."""

    name: str
    x: Any
    y: Any
    colour: str = "c0"
    band: tuple[Any, Any] | None = None
    faint: bool = False
    dots: bool = False


class Bar(NamedTuple):
    """A name, a value and the ends of its interval, if it has one."""

    name: str
    value: float
    ends: tuple[float, float] | None = None
    colour: str = "c0"
    note: str = ""


def ticks(low: float, high: float, n: int = 5) -> list[float]:
    """About n round numbers from low to high."""
    rough = (high - low) / n or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [step * k for k in range(first, last + 1)]


def number(value: float) -> str:
    """As short as it can be read: 1.2M, 15k, 0.05."""
    size = abs(value)
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= limit:
            return f"{value / (limit if limit > 1e4 else 1e3):.3g}{letter}"
    return f"{value:.4g}" if abs(value) > 1e-12 else "0"


def lines(
    drawn: Sequence[Line],
    x: str,
    y: str,
    *,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    rows: tuple[Any, Any] | None = None,
    dates: Any = None,
    mark: float | None = None,
    height: int = 250,
) -> Markup:
    """Lines over two axes. `rows` are bin edges and counts, drawn below; `mark` is an x with a line of its own.

    `dates` writes a number of the x axis, where it is a date.
    """
    named = [line for line in drawn if line.name] if len([line for line in drawn if line.name]) > 1 else []
    legend, top = _legend(named)
    low, high = x_range or _span([line.x for line in drawn])
    ends = [part for line in drawn for part in (line.y, *(line.band or ()))]
    bottom, peak = y_range or _span(ends, 0.06)
    right, floor = WIDTH - RIGHT, height - BOTTOM
    across = lambda value: LEFT + (np.asarray(value, float) - low) / (high - low) * (right - LEFT)  # noqa: E731
    up = lambda value: floor - (np.asarray(value, float) - bottom) / (peak - bottom) * (floor - top)  # noqa: E731
    parts = [legend]
    for value in ticks(bottom, peak):
        parts.append(f'<path class="grid" d="M{LEFT} {up(value):.1f}H{right}"/>')
        parts.append(_text(LEFT - 6, float(up(value)) + 4, number(value), "end"))
    at = ticks(low, high, 5 if dates is None else 3)
    for value in at:
        parts.append(
            _text(float(across(value)), floor + 15, number(value) if dates is None else dates(value), "middle")
        )
    if bottom < 0 < peak:
        parts.append(f'<path class="axis" d="M{LEFT} {up(0):.1f}H{right}"/>')
    if rows is not None:
        edges, counts = across(np.clip(rows[0], low, high)), np.asarray(rows[1], float)
        tall = counts / (counts.max() or 1) * 34
        shape = "".join(
            f"M{a:.1f} {floor}V{floor - t:.1f}H{b:.1f}V{floor}"
            for a, b, t in zip(edges[:-1], edges[1:], tall, strict=True)
        )
        parts.append(f'<path class="rows" d="{shape}"/>')
    for line in drawn:
        if line.band is not None:
            there = [*_points(across(line.x), up(line.band[1])), *_points(across(line.x), up(line.band[0]))[::-1]]
            parts.append(f'<path class="band {line.colour}" d="M{"L".join(there)}Z"/>')
        points = _points(across(line.x), up(np.clip(np.asarray(line.y, float), bottom, peak)))
        if line.dots:
            parts.append(f'<path class="dots {line.colour}" d="{"".join(f"M{point}h0" for point in points)}"/>')
        elif points:
            parts.append(f'<path class="line {line.colour}{" faint" * line.faint}" d="M{"L".join(points)}"/>')
    if mark is not None:
        scale = f'data-low="{low:g}" data-high="{high:g}" data-left="{LEFT}" data-right="{right}"'
        parts.append(f'<path class="mark" {scale} d="M0 {top}V{floor}" transform="translate({across(mark):.1f} 0)"/>')
    parts.append(_text((LEFT + right) / 2, height - 6, _cut(x, 50), "middle", "name"))
    parts.append(
        f'<text class="name" text-anchor="middle" transform="translate(11 {(top + floor) / 2:.0f}) rotate(-90)">'
    )
    parts.append(f"{escape(y)}</text>")
    return _picture(parts, height)


def bars(drawn: Sequence[Bar], x: str, *, dots: bool = False) -> Markup:
    """A bar (or a dot) per name, from zero, with its interval as a thin line and its note or value at the end."""
    ends = [end for bar in drawn for end in (bar.value, *(bar.ends or ()))] + [] * dots
    low, high = _span([ends if dots else [*ends, 0.0]], 0.04 if dots else 0)
    notes = [bar.note or number(bar.value) for bar in drawn]
    left, right = NAMES + 8, WIDTH - 14 - max(map(len, notes)) * 1.2 * LETTER
    across = lambda value: left + (value - low) / (high - low) * (right - left)  # noqa: E731
    parts, y = [], float(TOP)
    for bar, note in zip(drawn, notes, strict=True):
        label = textwrap.wrap(" ".join(bar.name.split()), NAMES // 7) or [""]
        if len(label) > 2:
            label = [label[0], f"{label[1][: NAMES // 7 - 1]}…"]
        tall = 20 if len(label) == 1 else 30
        middle = y + tall / 2
        for k, text in enumerate(label):
            parts.append(_text(NAMES, middle + 4 + 13 * (k - (len(label) - 1) / 2), text, "end"))
        start, end = sorted((across(0.0), across(bar.value)))
        if dots:
            parts.append(f'<circle class="{bar.colour}" cx="{across(bar.value):.1f}" cy="{middle:.1f}" r="4.5"/>')
        else:
            parts.append(
                f'<rect class="{bar.colour}" x="{start:.1f}" y="{middle - 6:.1f}" width="{max(end - start, 0.8):.1f}" '
                f'height="12" rx="1.5"/>'
            )
        if bar.ends is not None:
            colour = f"line {bar.colour}" if dots else "whisker"
            first, last = (across(min(max(value, low), high)) for value in bar.ends)
            parts.append(f'<path class="{colour}" d="M{first:.1f} {middle:.1f}H{last:.1f}"/>')
        parts.append(_text(WIDTH - 8, middle + 4, note, "end", "value"))
        y += tall + 2
    axis = []
    for value in ticks(low, high, 4):
        axis.append(f'<path class="grid" d="M{across(value):.1f} {TOP}V{y + 2}"/>')
        axis.append(_text(across(value), y + 16, number(value), "middle"))
    axis.append(_text((left + right) / 2, y + 33, x, "middle", "name"))
    return _picture([*axis, *parts], y + 40)


def squares(
    values: np.ndarray, names: tuple[Sequence[str], Sequence[str]], axes: tuple[str, str], numbers: bool = True
) -> Markup:
    """A matrix as squares, each as strong as its share of its row; or, signed and without `numbers`, of the largest."""
    n_rows, n_columns = values.shape
    left = 26 + min(max(map(len, names[0])), 16) * LETTER
    wide = (WIDTH - left - RIGHT) / n_columns
    tall = min(wide, 44 if numbers else 240 / n_rows)
    share = values / np.maximum(values.sum(axis=1, keepdims=True), 1) if numbers else values
    strength = np.abs(share) / (1 if numbers else np.nanmax(np.abs(share)) or 1)
    parts = []
    for (i, j), value in np.ndenumerate(values):
        x, y, solid = left + j * wide, TOP + i * tall, strength[i, j]
        if np.isfinite(value):
            colour = "c0" if numbers or value < 0 else "c1"
            parts.append(
                f'<rect class="{colour}" x="{x:.1f}" y="{y:.1f}" width="{wide - 1:.1f}" height="{tall - 1:.1f}" '
                f'fill-opacity="{0.06 + 0.94 * solid:.2f}"/>'
            )
        if numbers and n_columns <= 12:
            light = "value light" if solid > 0.55 else "value"
            parts.append(_text(x + wide / 2, y + tall / 2 + 4, f"{value:,.0f}", "middle", light))
    every = [
        max(1, -(-n // most))
        for n, most in ((n_rows, 12 if not numbers else 40), (n_columns, 5 if not numbers else 12))
    ]
    for i in range(0, n_rows, every[0]):
        parts.append(_text(left - 5, TOP + (i + 0.5) * tall + 4, _cut(names[0][i], 16), "end"))
    floor = TOP + n_rows * tall
    fits = max(3, int(wide * every[1] / LETTER))
    for j in range(0, n_columns, every[1]):
        parts.append(_text(left + (j + 0.5) * wide, floor + 14, _cut(names[1][j], fits), "middle"))
    parts.append(_text((left + WIDTH - RIGHT) / 2, floor + 31, axes[1], "middle", "name"))
    parts.append(
        f'<text class="name" text-anchor="middle" transform="translate(11 {(TOP + floor) / 2:.0f}) rotate(-90)">'
    )
    parts.append(f"{escape(axes[0])}</text>")
    return _picture(parts, floor + 38)


def _picture(parts: Sequence[str], height: float) -> Markup:
    """Hidden from screen readers: the caption beside it says what it shows."""
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" aria-hidden="true" focusable="false">{"".join(parts)}</svg>'
    )


def _legend(drawn: Sequence[Line]) -> tuple[str, int]:
    """Names with a piece of their line, in as many rows as needed, and where the panel begins below them."""
    parts, x, y = [], float(LEFT), 12
    for line in drawn:
        name = _cut(line.name, 44)
        wide = 22 + len(name) * LETTER
        if x + wide > WIDTH and x > LEFT:
            x, y = LEFT, y + 15
        parts.append(f'<path class="line {line.colour}{" faint" * line.faint}" d="M{x:.0f} {y - 4}h14"/>')
        parts.append(_text(x + 18, y, name, "start"))
        x += wide + 8
    return "".join(parts), y + 10 if drawn else TOP


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    is_kind = f' class="{kind}"' if kind else ""
    return f'<text{is_kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _cut(text: str, letters: int) -> str:
    text = " ".join(str(text).split())
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def _points(x: np.ndarray, y: np.ndarray) -> list[str]:
    return [f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True) if np.isfinite(a) and np.isfinite(b)]


def _span(values: Sequence[Any], more: float = 0.0) -> tuple[float, float]:
    """From the least to the largest of all values, and a share more; never empty."""
    together = np.concatenate([np.asarray(part, float) for part in values]) if len(values) else np.zeros(1)
    together = together[np.isfinite(together)]
    low, high = (float(together.min()), float(together.max())) if len(together) else (0.0, 1.0)
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
        low, high = low - (abs(low) or 1) * 0.1, high + (abs(high) or 1) * 0.1
    return low - more * (high - low), high + more * (high - low)
