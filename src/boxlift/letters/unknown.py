"""A figure that nobody knows yet: a letter says so, and how to get it, instead of a guess."""

from __future__ import annotations

from boxlift.letters.words import SAYING, Language


class Unknown:
    """Stands in a letter in place of a figure. False in conditions; every filter passes it on as it is."""

    def __init__(self, language: Language, command: str) -> None:
        self._language = language
        self.command = command

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return SAYING[self._language].unknown.format(command=self.command)
