"""A page as tests look at it: parsed, strictly enough to notice what a browser would forgive."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "link", "br"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    inside: list[Element] = field(default_factory=list)

    def elements(self) -> list[Element]:
        """This one and all inside, texts left out."""
        return [self, *(one for child in self.inside if child.tag != "#text" for one in child.elements())]

    def all(self, tag: str) -> list[Element]:
        return [one for one in self.elements() if one.tag == tag]

    def words(self) -> str:
        """All text, spaces made one."""
        return " ".join(" ".join([self.text, *(child.words() for child in self.inside)]).split())


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len({name for name, _ in attrs}), f"<{tag}> has an attribute twice: {attrs}"
        element = Element(tag, dict(attrs))
        self._open[-1].inside.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].inside.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self._open[-1].inside.append(Element("#text", {}, data))


def parse(text: str) -> Element:
    parser = _Parser()
    parser.feed(text)
    parser.close()
    assert parser._open == [parser.root], f"not closed: {parser._open[-1].tag}"
    return parser.root


def section(text: str, name: str) -> Element:
    (found,) = [one for one in parse(text).all("section") if one.attributes["id"] == name]
    return found
