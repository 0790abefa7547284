"""Draw with matplotlib, hand over SVG that stands inside a page.

The SVG has no styles of its own: what matplotlib writes as such becomes attributes, and the colours of
`Ink` become the page's custom properties, so that one drawing serves light, dark and print, and a content
security policy need not allow styles in the page. Only fixed words, numbers and step ids go into a drawing:
matplotlib has glyphs for those, and no text of a person needs to be measured.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_WIDTH = 10.0
"""Inches of 72 points: a point is a CSS pixel where the page shows the plot in full width."""
_SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


class Ink(StrEnum):
    """Colours by what they mean; the values stand for custom properties of the page's style sheet."""

    TEXT = "#00f001"
    MUTED = "#00f002"
    GRID = "#00f003"
    SURFACE = "#00f004"
    MACHINE = "#00f005"
    PERSON = "#00f006"
    BAD = "#00f007"
    LIVE = "#00f008"
    MARK = "#00f009"

    @property
    def property(self) -> str:
        return f"var(--{self.name.lower()})"


def _styled() -> AbstractContextManager[None]:
    return mpl.rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "boxlift",
            "font.size": 9.5,
            "text.parse_math": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 10.5,
            "axes.axisbelow": True,
            "xtick.major.size": 3,
            "ytick.major.size": 0,
            "hatch.linewidth": 1.2,
        }
    )


class Canvas:
    """One figure; `axes` are its panels from top to bottom, of the given heights in points.

    `frame`: points that each of them needs besides for its title and ticks.
    """

    def __init__(self, heights: Sequence[float], *, frame: float = 0.0) -> None:
        with _styled():
            height = sum(heights) + frame * len(heights)
            self.figure = Figure(figsize=(_WIDTH, height / 72), layout="constrained")
            made = self.figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)
        self.axes: list[Axes] = [row[0] for row in made]
        self.figure.patch.set_visible(False)
        for axes in self.axes:
            axes.patch.set_visible(False)
            axes.tick_params(colors=Ink.MUTED, labelcolor=Ink.TEXT)
            for spine in axes.spines.values():
                spine.set_color(Ink.GRID)

    def svg(self, name: str, title: str, titles: Mapping[str, str] | None = None) -> str:
        """The drawing. `name` keeps its ids apart from another's; `titles`: gid of an artist to its hint."""
        out = io.StringIO()
        with _styled():
            self.figure.savefig(
                out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
            )
        return _inline(out.getvalue(), name, title, titles or {})


def _inline(text: str, name: str, title: str, titles: Mapping[str, str]) -> str:
    ET.register_namespace("", _SVG)
    root = ET.fromstring(text)  # noqa: S314
    for width in ("width", "height"):
        root.attrib.pop(width, None)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in {f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"}:
                parent.remove(child)
    used = {found for item in root.iter() for found in _references(item)}
    for item in root.iter():
        identity = item.attrib.pop("id", "")
        if identity in titles:
            hint = ET.Element(f"{{{_SVG}}}title")
            hint.text = titles[identity]
            item.insert(0, hint)
        if identity in used:
            item.set("id", f"{name}-{identity}")
        if target := item.attrib.pop(_XLINK, None):
            item.set("href", f"#{name}-{target[1:]}")
        _unstyle(item)
        for key, value in item.attrib.items():
            item.set(key, _REFERENCE.sub(rf"url(#{name}-\1)", _coloured(value)))
    head = ET.Element(f"{{{_SVG}}}title", {"id": f"{name}-title"})
    head.text = title
    root.insert(0, head)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title")
    return ET.tostring(root, encoding="unicode")


def _references(item: ET.Element) -> list[str]:
    found = [name for value in item.attrib.values() for name in _REFERENCE.findall(value)]
    if target := item.get(_XLINK):
        found.append(target[1:])
    return found


def _unstyle(item: ET.Element) -> None:
    for rule in item.attrib.pop("style", "").split(";"):
        key, _, value = rule.partition(":")
        if key.strip() and key.strip() != "font-family":
            item.set(key.strip(), value.strip())


def _coloured(value: str) -> str:
    for ink in Ink:
        value = value.replace(ink.value, ink.property)
    return value
