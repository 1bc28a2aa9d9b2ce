"""Sample values of the page of the tree of tags."""

from __future__ import annotations

from typing import Any

from pilothouse.asgi.rendering import Done
from pilothouse.content.pages.tag_views import Place, TagEditor, TagNode, TagsView

PATH = "/_/admin/tags"
LONG = "Verfahrenstechnik der Polymere und Beschichtungen im Werk Oslo-Nord"


def node(number: int, name: str, facts: str, *below: TagNode) -> TagNode:
    return TagNode(number, name, facts, f"{PATH}?edit={number}#t{number}", below)


def tree() -> list[TagNode]:
    chemistry = node(3, "Chemistry", "on 12 items", node(4, "Polymers", "on 7 items"), node(5, LONG, "on 1 item"))
    department = node(
        1, "Department", "category", node(2, "Research", "on 18 items", chemistry), node(6, "Sales", "on 0 items")
    )
    return [department, node(7, "Topics", "category", node(8, "viscosity", "on 3 items"))]


def tags(**changes: Any) -> TagsView:
    return TagsView(**({"nodes": tree(), "path": PATH} | changes))


def editor(loses: str = "It takes 3 tags below it and these words on content with it, for good.") -> TagEditor:
    places = [("", "The top, as a category"), ("1", "Department"), ("6", "Department › Sales"), ("7", "Topics")]
    return TagEditor(2, "Research", f"{PATH}/2", "1", places, loses)


def many() -> TagsView:
    categories = [Place(str(n), f"Category {n}", f"{PATH}?category={n}") for n in range(1, 41)]
    branch = node(1, "Category 1", "category", *(node(100 + n, f"{LONG} {n}", f"on {n} items") for n in range(200)))
    return tags(nodes=[branch], categories=categories, category="1")


DONE = Done("Sales is called Markets now.", f"{PATH}/6/rename", {"name": "Sales"})
