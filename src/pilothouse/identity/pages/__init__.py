"""Pages about people: sign-in, one's account, and the administration of users and groups."""

from fastapi import APIRouter

from pilothouse.identity.pages import account, claim, enter, groups, login, oauth, users

router = APIRouter(include_in_schema=False)
for part in (login, enter, account, claim, oauth, users, groups):
    router.include_router(part.router)
router.include_router(claim.done_router)
