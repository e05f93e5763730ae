"""The custom authentication of the Channels documentation: a middleware that reads the query and sets the scope's user."""

from urllib.parse import parse_qs

import jwt
from django.conf import settings

ROLES = {"ADMIN", "CUSTOMER", "VENDOR"}


class QueryAuthMiddleware:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        token = parse_qs(scope["query_string"].decode()).get("token", [""])[0]
        return await self.app(dict(scope, user=get_user(token)), receive, send)


def get_user(token):
    try:
        required = {"require": ["exp", "userId", "email", "role"]}
        claims = jwt.decode(token, settings.SECRET_KEY, algorithms=["HS256"], options=required)
    except jwt.PyJWTError:
        return None
    return claims if claims["role"] in ROLES else None
