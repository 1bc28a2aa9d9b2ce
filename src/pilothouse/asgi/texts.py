"""Viewer-facing texts in English and German: gettext catalogues read from plain ``.po`` files at the first use.

The English sentence is the key. A missing translation shows the English one; a test keeps the catalogues complete.
"""

from __future__ import annotations

import ast
import gettext
from functools import cache
from pathlib import Path

LOCALE = Path(__file__).parent / "locale"
ENGLISH = "en"
LANGUAGES = (ENGLISH, "de")
#: How each language calls itself.
NAMES = {"en": "English", "de": "Deutsch"}


class Catalogue(gettext.NullTranslations):
    """The sentences of one language. Plurals follow the rule "one, or not one" of English and German."""

    def __init__(self, sentences: dict[str, tuple[str, ...]]) -> None:
        super().__init__()
        self.sentences = sentences

    def gettext(self, message: str) -> str:
        return self.sentences.get(message, (message,))[0]

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.sentences.get(msgid1, (msgid1, msgid2))[0 if n == 1 else -1]


@cache
def catalogue(language: str) -> Catalogue:
    """The catalogue of one of `LANGUAGES`."""
    file = LOCALE / f"{language}.po"
    return Catalogue(parse_po(file.read_text(encoding="utf-8")) if file.exists() else {})


def chosen_language(accept_language: str, *, wish: str = "") -> str:
    """What the person chose (``wish``), if we speak it; else the first of our languages that an ``Accept-Language`` header
    names with the highest weight; English without one."""
    if wish.partition("-")[0] in LANGUAGES:
        return wish.partition("-")[0]
    wishes = []
    for part in accept_language.split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            wishes.append((-float(weight or 1), tag.split("-")[0].lower()))
        except ValueError:
            continue
    ours = [language for weight, language in sorted(wishes, key=lambda w: w[0]) if language in LANGUAGES and weight < 0]
    return ours[0] if ours else ENGLISH


def parse_po(text: str) -> dict[str, tuple[str, ...]]:
    """``msgid`` to its translations (two for a plural). Untranslated entries and the header are left out."""
    found: dict[str, tuple[str, ...]] = {}
    for block in text.split("\n\n"):
        parts: dict[str, str] = {}
        word = ""
        for line in block.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            keyword, _, quoted = ("", "", line) if line.startswith('"') else line.partition(" ")
            word = keyword or word
            parts[word] = parts.get(word, "") + ast.literal_eval(quoted)
        translations = tuple(value for name, value in parts.items() if name.startswith("msgstr"))
        if parts.get("msgid") and all(translations):
            found[parts["msgid"]] = translations
    return found
