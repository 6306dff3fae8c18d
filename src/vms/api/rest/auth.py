"""Signing in and out. The refresh token travels in a cookie that scripts cannot read."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response, Security
from fastapi.security import APIKeyCookie

from vms.api.models_people import Login, PasswordChange, SignedIn, UserModel
from vms.api.problems import documented
from vms.api.services import ApiServices
from vms.api.settings import PREFIX
from vms.auth.http import CurrentPrincipal, same_origin
from vms.auth.signin import Issued
from vms.auth.users import set_password
from vms.common.errors import NotAuthenticated, NotAuthorized
from vms.common.secret import Secret

COOKIE = "vms_refresh"
_PATH = f"{PREFIX}/auth"

_OWN = {"new_password": True}

_cookie = APIKeyCookie(
    name=COOKIE,
    scheme_name="refresh",
    description="The refresh token, good for one use.",
    auto_error=False,
)
RefreshCookie = Annotated[str | None, Security(_cookie)]


def router(services: ApiServices) -> APIRouter:
    routes = APIRouter(prefix=_PATH, tags=["auth"])
    auth, catalog = services.auth, services.catalog

    async def answer(issued: Issued, request: Request, response: Response) -> SignedIn:
        _set_cookie(issued, request, response)
        return SignedIn(
            access_token=issued.access_token,
            expires_in=issued.expires_in,
            user=UserModel.of(issued.user, await catalog.grants.of(issued.user.id)),
        )

    @routes.post("/login", responses=documented(401, 403, 429))
    async def login(body: Login, request: Request, response: Response) -> SignedIn:
        """Sign in. After some wrong passwords 429 says how long to wait."""
        _check_origin(request)
        issued = await auth.signin.login(
            body.username, Secret(body.password), _address(request), _agent(request)
        )
        return await answer(issued, request, response)

    @routes.post("/refresh", responses=documented(401, 403))
    async def refresh(request: Request, response: Response, cookie: RefreshCookie) -> SignedIn:
        """A new access token for the cookie, and the next cookie. A cookie that comes twice
        (but for two tabs at once) ends the session."""
        _check_origin(request)
        if not cookie:
            raise NotAuthenticated("there is no refresh cookie; sign in")
        return await answer(await auth.signin.refresh(Secret(cookie)), request, response)

    @routes.post("/logout", status_code=204, responses=documented(403))
    async def logout(request: Request, response: Response, cookie: RefreshCookie) -> None:
        """End the session of the cookie. Sockets and streams of it close within a second."""
        _check_origin(request)
        if cookie:
            await auth.signin.logout(Secret(cookie))
        response.delete_cookie(COOKIE, path=_PATH, httponly=True, samesite="strict")

    @routes.get("/me")
    async def me(who: CurrentPrincipal) -> UserModel:
        """The one who asks."""
        return UserModel.of(await catalog.users.get(who.user_id), who.cameras)

    @routes.post("/password", status_code=204, responses=documented(429))
    async def change_password(
        body: PasswordChange, who: CurrentPrincipal, request: Request
    ) -> None:
        """Change one's own password; all other sessions end."""
        try:
            await auth.signin.check_password(
                who.name, Secret(body.current_password), _address(request)
            )
        except NotAuthenticated:
            raise NotAuthorized("the current password is wrong") from None
        await set_password(
            catalog, who.user_id, Secret(body.new_password), who.session_id, auth.passwords
        )
        auth.access.forget()
        auth.audit.note(who, _address(request), "user.changed", user=who.name, changed=_OWN)

    return routes


def _set_cookie(issued: Issued, request: Request, response: Response) -> None:
    if issued.refresh_token is None:
        return
    response.set_cookie(
        COOKIE,
        issued.refresh_token.reveal(),
        max_age=issued.refresh_expires_in,
        path=_PATH,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def _check_origin(request: Request) -> None:
    if not same_origin(request):
        raise NotAuthorized("pages of other origins may not sign in here")


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def _agent(request: Request) -> str:
    text = request.headers.get("user-agent", "")
    return "".join(c for c in text if c.isprintable())
