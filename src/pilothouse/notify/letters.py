"""From what is said to somebody to a message: plain text and simple HTML from the same sentences, so that both say the same."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from pilothouse.notify.contract import Message, one_line

QUOTE_LIMIT = 4000
_BODY = "margin:0;padding:24px;background:#f7f9fb;color:#0b2239;font:16px/1.5 system-ui,sans-serif"
_CARD = "max-width:36em;margin:0 auto;padding:24px;background:#fff;border:1px solid #dbe3ea;border-radius:8px"
_QUOTE = "margin:16px 0;padding:4px 16px;border-left:3px solid #0f8f83;white-space:pre-wrap"
_LINK = "display:inline-block;padding:8px 16px;background:#0b6e66;color:#fff;border-radius:6px;text-decoration:none"
_FOOT = "margin:24px 0 0;color:#4a5f73;font-size:14px"


@dataclass(frozen=True)
class Letter:
    """What is said, in the reader's language: sentences without markup, ``quote`` as somebody else wrote it.

    ``link`` are the words of a button and the absolute address it leads to.
    """

    subject: str
    paragraphs: Sequence[str]
    quote: str = ""
    link: tuple[str, str] | None = None


def message_of(letter: Letter, *, to: str, foot: str, language: str, message_id: str) -> Message:
    """The message for one address. Whatever people wrote into it stays text: no markup, no headers, no terminal codes.

    Raises `MessageRefused` for what is no mail address.
    """
    return Message(
        to=to,
        subject=letter.subject,
        text=_text(letter, foot),
        html=_html(letter, foot, language),
        id=message_id,
    )


def _text(letter: Letter, foot: str) -> str:
    parts = [one_line(sentence) for sentence in letter.paragraphs]
    if letter.quote:
        parts.append("\n".join(f"> {line}".rstrip() for line in _quoted(letter).split("\n")))
    if letter.link:
        parts.append(f"{one_line(letter.link[0])}:\n{letter.link[1]}")
    return "\n\n".join([*parts, f"-- \n{one_line(foot)}"]) + "\n"


def _html(letter: Letter, foot: str, language: str) -> str:
    parts = [f"<p>{escape(one_line(sentence))}</p>" for sentence in letter.paragraphs]
    if letter.quote:
        parts.append(f'<blockquote style="{_QUOTE}">{escape(_quoted(letter))}</blockquote>')
    if letter.link:
        words, address = one_line(letter.link[0]), letter.link[1]
        parts.append(f'<p><a style="{_LINK}" href="{escape(address)}">{escape(words)}</a></p>')
    parts.append(f'<p style="{_FOOT}">{escape(one_line(foot))}</p>')
    inner = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="{escape(language)}"><head><meta charset="utf-8">'
        f"<title>{escape(one_line(letter.subject))}</title></head>\n"
        f'<body style="{_BODY}"><div style="{_CARD}">\n{inner}\n</div></body></html>\n'
    )


def _quoted(letter: Letter) -> str:
    """Line breaks stay, other control characters go."""
    text = letter.quote[:QUOTE_LIMIT].replace("\r\n", "\n").replace("\r", "\n").strip()
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp"))
