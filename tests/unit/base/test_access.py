"""Who may do what, as a table: roles, shares, openness, keys that belong to a job."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.base.access import (
    ANONYMOUS,
    NOTHING,
    RULES,
    SYSTEM,
    OpenTo,
    Permission,
    Principal,
    Resource,
    ResourceRef,
    Role,
    Share,
    may,
    require,
)
from pilothouse.base.errors import Denied, NotAuthenticated

VIEWER = Principal(id=1, role=Role.VIEWER, groups=frozenset({7}))
PUBLISHER = Principal(id=2, role=Role.PUBLISHER)
ADMIN = Principal(id=3, role=Role.ADMINISTRATOR)
MINE = Resource(ResourceRef("content", 1), owner_id=2)


def test_an_administrator_may_do_everything_and_the_system_too() -> None:
    for permission in Permission:
        assert may(ADMIN, permission, MINE)
        assert may(SYSTEM, permission, MINE)


def test_nobody_may_do_nothing_but_open_what_is_open_to_all() -> None:
    public = Resource(owner_id=2, open_to=OpenTo.ALL)
    allowed = {p for p in Permission if may(ANONYMOUS, p, public)}
    assert allowed == {Permission.CONTENT_VIEW}
    assert not any(may(ANONYMOUS, p, MINE) for p in Permission)


@pytest.mark.parametrize(
    ("open_to", "who", "seen"),
    [
        (OpenTo.ALL, ANONYMOUS, Share.VIEWER),
        (OpenTo.LOGGED_IN, ANONYMOUS, Share.NONE),
        (OpenTo.LOGGED_IN, VIEWER, Share.VIEWER),
        (OpenTo.ACL, VIEWER, Share.NONE),
        (OpenTo.ACL, PUBLISHER, Share.OWNER),
    ],
)
def test_openness_and_ownership_give_a_share(open_to: OpenTo, who: Principal, seen: Share) -> None:
    assert Resource(owner_id=2, open_to=open_to).share_of(who) == seen


def test_the_strongest_of_several_shares_counts() -> None:
    listed = Resource(owner_id=9, users={1: Share.VIEWER}, groups={7: Share.EDITOR, 8: Share.OWNER})
    assert listed.share_of(VIEWER) == Share.EDITOR
    assert Resource(owner_id=9, users={1: Share.VIEWER}).share_of(VIEWER) == Share.VIEWER


def test_a_viewer_who_edits_or_owns_a_thing_still_can_not_deploy_it() -> None:
    for resource in (Resource(owner_id=1), Resource(owner_id=9, users={1: Share.EDITOR})):
        assert may(VIEWER, Permission.CONTENT_READ, resource)
        assert not may(VIEWER, Permission.CONTENT_DEPLOY, resource)
    editor = Principal(id=1, role=Role.PUBLISHER)
    assert may(editor, Permission.CONTENT_DEPLOY, Resource(owner_id=9, users={1: Share.EDITOR}))


def test_a_jobs_key_never_touches_people_keys_roles_sharing_or_audit() -> None:
    key = Principal(id=3, role=Role.ADMINISTRATOR, bound_to=ResourceRef("content", 1), stage_id=1)
    refused = {p for p in Permission if not may(key, p, Resource(owner_id=3))}
    assert refused == {p for p, rule in RULES.items() if rule.secrets}
    assert {
        Permission.USER_CREATE, Permission.KEY_CREATE, Permission.USER_SET_ROLE, Permission.CONTENT_SHARE, Permission.AUDIT_READ,
    } <= refused  # fmt: skip


def test_require_says_what_is_missing_and_who_can_give_it() -> None:
    require(PUBLISHER, Permission.CONTENT_DEPLOY, MINE)
    with pytest.raises(NotAuthenticated):
        require(ANONYMOUS, Permission.CONTENT_VIEW, MINE)
    with pytest.raises(Denied, match=r"content:content:deploy.*publishers who are editor of the item") as raised:
        require(VIEWER, Permission.CONTENT_DEPLOY, MINE)
    assert raised.value.facts == {"permission": "content:content:deploy"}
    with pytest.raises(Denied, match="Ask an administrator"):
        require(PUBLISHER, Permission.AUDIT_READ)
    with pytest.raises(Denied, match="Ask the owner"):
        require(VIEWER, Permission.CONTENT_VIEW, MINE)


def test_roles_are_ordered() -> None:
    for (weak, low), (strong, high) in itertools.combinations(enumerate(Role), 2):
        assert weak < strong
        assert Principal(id=1, role=high).has_role(low)
        assert not Principal(id=1, role=low).has_role(high)
    assert not ANONYMOUS.has_role(Role.VIEWER)


principals = st.builds(
    Principal,
    id=st.one_of(st.none(), st.integers(1, 3)),
    role=st.sampled_from([None, *Role]),
    groups=st.frozensets(st.integers(1, 3)),
)
shares = st.dictionaries(st.integers(1, 3), st.sampled_from(list(Share)))
resources = st.builds(
    Resource, owner_id=st.integers(1, 3), open_to=st.sampled_from(list(OpenTo)), users=shares, groups=shares
)


@given(principals, resources, st.sampled_from(list(Permission)))
def test_require_and_may_always_agree(principal: Principal, resource: Resource, permission: Permission) -> None:
    try:
        require(principal, permission, resource)
        allowed = True
    except Denied:
        allowed = False
    assert allowed == may(principal, permission, resource)


@given(principals, resources, st.sampled_from(list(Permission)))
def test_a_higher_role_never_loses_a_right(principal: Principal, resource: Resource, permission: Permission) -> None:
    if principal.role is None or not may(principal, permission, resource):
        return
    promoted = Principal(id=principal.id, role=Role.ADMINISTRATOR, groups=principal.groups)
    assert may(promoted, permission, resource)


def test_nothing_is_owned_by_nobody() -> None:
    assert NOTHING.share_of(ANONYMOUS) == Share.NONE
    assert Resource(owner_id=None).share_of(ANONYMOUS) == Share.NONE


def test_a_reference_reads_like_a_path() -> None:
    assert str(ResourceRef("content", 12)) == "content/12"
