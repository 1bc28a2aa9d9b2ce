from __future__ import annotations

import re

import pytest

from pilothouse.asgi.rendering import PACKAGE, templates
from pilothouse.asgi.texts import catalogue, chosen_language, parse_po
from pilothouse.base.access import Role
from pilothouse.content.pages.gallery import SINCE
from pilothouse.content.pages.views import KINDS
from pilothouse.content.pages.visit import _TABS
from pilothouse.web.palette import ACTIONS, HEADS
from pilothouse.web.refusals import TITLES


def said_in_templates() -> set[str]:
    found = set()
    for file in PACKAGE.glob("*/templates/**/*.html"):
        for _, _, message in templates("en").extract_translations(file.read_text()):
            found.update([message] if isinstance(message, str) else [m for m in message or () if m])
    return found


def said_in_code() -> set[str]:
    badges = {word for file in PACKAGE.rglob("*.py") for word in re.findall(r'Badge\(\s*"([^"]+)"', file.read_text())}
    said = {words for file in PACKAGE.rglob("*.py") for words in re.findall(r'\bsaid\(\s*"([^"]+)"', file.read_text())}
    spans = {words for words, _ in SINCE.values()}
    names = {name for _, name, _, _ in _TABS} | {kind.label for kind in KINDS.values()} | {words for _, words in TITLES}
    palette = {entry.name for entry in ACTIONS} | set(HEADS)
    return badges | said | spans | names | palette | {role.value for role in Role}


def test_everything_a_viewer_reads_has_a_german_translation() -> None:
    missing = {words for words in said_in_templates() | said_in_code() if words not in catalogue("de").sentences}
    assert missing == set()


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,en;q=0.8", "de"),
        ("fr,de;q=0.3,en;q=0.7", "en"),
        ("de;q=0", "en"),
        ("x;q=y,de", "de"),
        ("*", "en"),
    ],
)
def test_the_language_is_the_readers_first_wish_that_we_speak(header: str, language: str) -> None:
    assert chosen_language(header) == language


def test_translations_keep_the_places_of_their_values() -> None:
    places = re.compile(r"%\(\w+\)s")
    for english, german in catalogue("de").sentences.items():
        assert all(sorted(places.findall(english)) == sorted(places.findall(words)) for words in german), english


def test_a_po_file_may_spread_a_sentence_over_lines_and_leave_one_untranslated() -> None:
    text = 'msgid ""\nmsgstr "header"\n\n# a note\nmsgid ""\n"one "\n"two"\nmsgstr "eins zwei"\n\nmsgid "later"\nmsgstr ""\n'
    assert parse_po(text) == {"one two": ("eins zwei",)}


def test_plurals_follow_the_number() -> None:
    assert catalogue("de").ngettext("%(n)s day", "%(n)s days", 1) == "%(n)s Tag"
    assert catalogue("de").ngettext("%(n)s day", "%(n)s days", 0) == "%(n)s Tagen"
    assert catalogue("en").ngettext("%(n)s day", "%(n)s days", 2) == "%(n)s days"


def test_what_a_person_chose_wins_over_the_browser() -> None:
    assert chosen_language("en", wish="de") == "de" and chosen_language("en", wish="de-AT") == "de"
    assert chosen_language("de", wish="fr") == "de" and chosen_language("de", wish="") == "de"
