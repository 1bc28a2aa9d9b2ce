"""Pages about people: sign-in, one's account, and the administration of users and groups."""

from fastapi import APIRouter

from pilothouse.identity.pages import account, groups, login, users

router = APIRouter(include_in_schema=False)
for part in (login, account, users, groups):
    router.include_router(part.router)
