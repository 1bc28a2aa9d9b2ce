"""What is left of a vendored style sheet: what our pages use, and nothing else of it."""

from __future__ import annotations

from scripts.prune_css import pruned

CSS = """/* a comment */@charset "utf-8";
:root{--used:1px;--chained:var(--used);--unused:2px}
a,.btn:hover{padding:var(--chained)}.btn,.modal{content:"}";color:red}.modal .btn{color:blue}
.btn:not(.disabled){margin:0}.card:is(.a,.b){margin:1px}[data-bs-theme=dark] .btn{color:var(--from-us)}
@media (min-width:1px){.modal{top:0}.btn{top:1px}}@media print{.modal{top:0}}
@keyframes turns{to{top:1px}}@keyframes rests{to{top:2px}}.btn{animation:1s turns}
.icon{background:url("data:image/svg+xml;a,b{}")}
"""


def test_only_rules_of_used_classes_stay_with_the_properties_and_animations_they_use() -> None:
    left = pruned(CSS, words={"btn", "icon"}, beside=":root{--mine:var(--used)}")
    assert left.startswith(":root{--used:1px;--chained:var(--used)}a,.btn:hover{padding:var(--chained)}")
    assert '.btn{content:"}";color:red}' in left, "of a list the used selector stays"
    assert "modal" not in left and "unused" not in left and "card" not in left and "print" not in left
    assert ".btn:not(.disabled){margin:0}" in left, "what a function holds need not be there"
    assert "@media (min-width:1px){.btn{top:1px}}" in left
    assert "@keyframes turns" in left and "rests" not in left
    assert 'url("data:image/svg+xml;a,b{}")' in left


def test_what_our_own_style_sheets_and_scripts_read_is_not_taken_away() -> None:
    css = ":root{--a:1;--b:2;--c:3}"
    assert pruned(css, words=set(), beside="p{top:var(--a)} getPropertyValue('--b')") == ":root{--a:1;--b:2}\n"
