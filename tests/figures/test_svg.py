"""The pictures of pages. The oracle is a parser of XML, and the numbers that are drawn."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from pipeline.figures import svg
from pipeline.figures.svg import Bar, Line

EVIL = "<b>a & \"b\"</b> 'c'"


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(picture).iter("text")]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (-3, 7, [-2, 0, 2, 4, 6]), (1e6, 5e6, [1e6, 2e6, 3e6, 4e6, 5e6])],
)
def test_ticks_are_round_numbers_within_the_range(low: float, high: float, expected: list[float]) -> None:
    assert svg.ticks(low, high) == pytest.approx(expected)


def test_numbers_are_short() -> None:
    assert [svg.number(value) for value in (0.05, -2, 15_000, 1_234_567, 3e9, 1e-15)] == (
        ["0.05", "-2", "15k", "1.23M", "3G", "0"]
    )


def test_names_are_text_and_colours_are_those_of_the_page() -> None:
    x = np.arange(5)
    pictures = [
        svg.lines([Line(EVIL, x, x), Line("two", x, -x, "c1", (x - 1, x + 1))], EVIL, "y", rows=(np.arange(6), x)),
        svg.bars([Bar(EVIL, 1.0, (0.5, 1.5)), Bar("b", -2)], EVIL),
        svg.squares(np.eye(2), ([EVIL, "b"], ["a", "b"]), (EVIL, "predicted")),
    ]
    for picture in pictures:
        assert any(text.startswith(EVIL[:10]) for text in texts(picture))
        assert not re.search(r"#[0-9a-f]{3}|rgb|style=", picture)


def test_bars_are_as_long_as_their_values() -> None:
    root = ElementTree.fromstring(svg.bars([Bar("a", 2.0), Bar("b", 1.0), Bar("c", -1.0)], "x"))
    widths = [float(element.get("width", "0")) for element in root.iter("rect")]
    assert widths[0] == pytest.approx(2 * widths[1], abs=0.2)
    assert widths[1] == pytest.approx(widths[2], abs=0.2)


@pytest.mark.parametrize("values", [[1.0], [3.0, 3.0], [np.nan, 2.0], [0.0, 0.0], [1e300, -1e300], []])
def test_constant_missing_and_huge_values_are_drawn(values: list[float]) -> None:
    picture = svg.lines([Line("", np.arange(len(values)), values)], "x", "y")
    assert not re.search(r"\b(nan|inf)\b", picture)
    ElementTree.fromstring(picture)
