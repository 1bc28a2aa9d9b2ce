"""The part of a style sheet that our pages use: rules of other classes, unused custom properties and animations are left out.

A class counts as used when it stands as a word in any template or script of ours: rather too much stays than too little.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

CLASS = re.compile(r"\.(-?[A-Za-z_][\w-]*)")
WORD = re.compile(r"[A-Za-z_][\w-]*")
#: What a function of a selector holds need not be there: ``:not(.gone)`` is true of everything.
HELD = re.compile(r"\((?:[^()]|\([^()]*\))*\)")
NESTS = ("@media", "@supports", "@layer", "@container")


def words_of(files: Iterable[Path]) -> set[str]:
    """Every word that may be a class."""
    return {word for file in files for word in WORD.findall(file.read_text(encoding="utf-8"))}


def pruned(css: str, *, words: set[str], beside: str) -> str:
    """``css`` for pages that use ``words``; ``beside`` is the other CSS and scripts, which may use its custom properties."""
    rules = list(_kept(css, words))
    while True:
        used = {name for text in (*rules, beside) for name in re.findall(r"var\(\s*(--[\w-]+)", text)}
        used |= {"--" + name for name in re.findall(r"getPropertyValue\(.--([\w-]+)", beside)}
        fewer = [rule for rule in (_without_properties(rule, used) for rule in rules) if rule]
        if fewer == rules:
            break
        rules = fewer
    text = "".join(rules)
    return "".join(rule for rule in rules if not _is_unused_animation(rule, text)) + "\n"


def _kept(css: str, words: set[str]) -> Iterator[str]:
    for rule in split(css):
        head, brace, rest = rule.partition("{")
        if not brace or head.lstrip().startswith(("@charset", "@import")):
            continue
        if head.startswith(NESTS):
            inner = "".join(_kept(rest[:-1], words))
            if inner:
                yield f"{head}{{{inner}}}"
        elif head.startswith("@"):
            yield rule
        else:
            chosen = [part for part in _parts(head) if _is_used(part, words)]
            if chosen:
                yield f"{','.join(chosen)}{{{rest}"


def _is_used(selector: str, words: set[str]) -> bool:
    return all(name in words for name in CLASS.findall(HELD.sub("", selector)))


def _parts(head: str) -> list[str]:
    """The selectors of a list; a comma within brackets separates nothing."""
    parts, depth, begin = [], 0, 0
    for at, char in enumerate(head):
        depth += (char in "([") - (char in ")]")
        if char == "," and depth == 0:
            parts.append(head[begin:at])
            begin = at + 1
    return [*parts, head[begin:]]


def _without_properties(rule: str, used: set[str]) -> str:
    """Without custom properties that nothing reads; empty when nothing is left."""
    head, _, rest = rule.partition("{")
    if head.startswith(NESTS):
        inner = "".join(filter(None, (_without_properties(one, used) for one in split(rest[:-1]))))
        return f"{head}{{{inner}}}" if inner else ""
    if head.startswith("@"):
        return rule
    kept = [d for d in _declarations(rest[:-1]) if not d.startswith("--") or d.partition(":")[0].strip() in used]
    return f"{head}{{{';'.join(kept)}}}" if kept else ""


def _declarations(body: str) -> list[str]:
    found, depth, quote, begin = [], 0, "", 0
    for at, char in enumerate(body):
        if quote:
            quote = "" if char == quote and body[at - 1] != "\\" else quote
        elif char in "\"'":
            quote = char
        else:
            depth += (char in "([") - (char in ")]")
            if char == ";" and depth == 0:
                found.append(body[begin:at])
                begin = at + 1
    return [part for part in (*found, body[begin:]) if part.strip()]


def _is_unused_animation(rule: str, text: str) -> bool:
    found = re.match(r"@(?:-webkit-)?keyframes\s+([\w-]+)", rule)
    return found is not None and not re.search(rf"animation[^;}}]*\b{re.escape(found[1])}\b", text)


def split(css: str) -> list[str]:
    """The rules of a style sheet, comments left out."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    rules, depth, quote, begin = [], 0, "", 0
    for at, char in enumerate(css):
        if quote:
            quote = "" if char == quote and css[at - 1] != "\\" else quote
        elif char in "\"'":
            quote = char
        elif char == "{":
            depth += 1
        elif char == "}" or (char == ";" and depth == 0):
            depth -= char == "}"
            if depth == 0:
                rules.append(css[begin : at + 1])
                begin = at + 1
    return [rule.strip() for rule in rules if rule.strip()]
