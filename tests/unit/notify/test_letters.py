from __future__ import annotations

import pytest

from pilothouse.notify.contract import Message, MessageRefused
from pilothouse.notify.letters import Letter, message_of

NASTY = 'Sales\r\nBcc: x@example.com\x1b[31m <script>alert("1")</script>'


def made(letter: Letter, to: str = "amara@example.com") -> Message:
    return message_of(letter, to=to, foot="From\nPilothouse", language="en", message_id="m1")


def test_text_and_html_say_the_same() -> None:
    message = made(
        Letter("A question", ["Amara asks:"], quote="Is it\nlate?", link=("Answer", "https://pilot.example/a?b=1&c=2"))
    )
    assert (
        message.text
        == "Amara asks:\n\n> Is it\n> late?\n\nAnswer:\nhttps://pilot.example/a?b=1&c=2\n\n-- \nFrom Pilothouse\n"
    )
    for words in (
        "<p>Amara asks:</p>",
        "Is it\nlate?",
        'href="https://pilot.example/a?b=1&amp;c=2">Answer</a>',
        "From Pilothouse",
    ):
        assert words in message.html


def test_what_people_wrote_is_never_markup_nor_a_header_nor_a_terminal_code() -> None:
    message = made(Letter(NASTY, [NASTY], quote=NASTY, link=(NASTY, 'https://pilot.example/"><script>')))
    assert "<script>" not in message.html and "\x1b" not in message.html + message.text
    assert "\n" not in message.subject and "\r" not in message.subject + message.text


def test_a_quote_is_cut_and_keeps_its_lines() -> None:
    message = made(Letter("s", [], quote="a\r\n\r\nb\x00" + "c" * 10_000))
    assert message.text.startswith("> a\n>\n> b") and len(message.text) < 5000


@pytest.mark.parametrize(
    "to",
    ["", "amara", "a@b@c", "a@example.com,b@example.com", "Amara <a@example.com>", "a@example.com\nBcc: x@example.com", "a b@example.com",
     "@example.com", "a@", "a..b@example.com", "a@example..com", "a\u2028@example.com", "a\u00a0b@example.com"],
)  # fmt: skip
def test_only_a_single_plain_address_is_written_to(to: str) -> None:
    with pytest.raises(MessageRefused):
        made(Letter("s", []), to)
