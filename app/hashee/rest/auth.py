"""`/auth/…`: registration, login, refresh, passwords. The refresh token is a cookie, as the service has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import StringConstraints
from starlette.responses import Response

from app.forwarding import path_in_front
from app.hashee import accounts
from app.hashee.access import Credential
from app.hashee.accounts import Begun
from app.hashee.folding import fold_email
from app.hashee.ledger import Tx
from app.hashee.refusals import Refused
from app.hashee.rest.routes import Answer, Body, Doors, Email, Secret, Word, data, routes
from app.spaces.passwords import TooManyLogins

if TYPE_CHECKING:
    from app.hashee.post import Post
    from app.settings import HasheeSettings

COOKIE = "refresh_token"
SHORTEST = 8
"""Characters of a password."""

Code = Annotated[str, StringConstraints(min_length=1, max_length=20)]


class SendCode(Body):
    email: Email
    scene: Literal["register", "login"]
    turnstile_token: str | None = None


class Register(Body):
    email: Email
    code: Code
    account_password: Secret
    display_name: Word
    device_locale: Word = "en"
    turnstile_token: str | None = None


class Login(Body):
    email: Email
    account_password: Secret
    turnstile_token: str | None = None


class LoginCode(Body):
    email: Email
    code: Code
    turnstile_token: str | None = None


class ResetPassword(Body):
    email: Email
    code: Code
    new_password: Secret
    turnstile_token: str | None = None


class ChangePassword(Body):
    current_password: Secret
    new_password: Secret


class ChangeProtection(Body):
    account_password: Secret
    new_protection_password: Secret


def auth_routes(doors: Doors, settings: HasheeSettings) -> APIRouter:
    """The routes."""
    router = routes("auth")

    def check_turnstile(token: str | None) -> None:
        if settings.turnstile and not token:
            raise Refused("TURNSTILE_FAILED")

    def begun(post: Post, request: Request, what: Begun) -> Response:
        token = post.tokens.make(what.user_id, what.session, post.clock.time(), what.after)
        answer = data({"user_id": what.user_id, "access_token": token, "expires_in_seconds": int(post.tokens.life)})
        answer.set_cookie(
            COOKIE,
            what.refresh_token,
            max_age=int(accounts.REFRESH_LIFE),
            path=f"{path_in_front(request.scope)}/auth",
            httponly=True,
            samesite="strict",
            # Browsers and HTTP clients do not send a Secure cookie over plain http to other hosts than localhost.
            secure=request.url.scheme == "https" or settings.secure_cookie,
        )
        return answer

    @router.post("/auth/send-code", response_model=Answer, summary="A verification code for an address")
    async def send_code(ask: SendCode, post: Post = doors.Post) -> Response:
        """No mail is sent: the code is the setting's, or shown by the control plane."""
        check_turnstile(ask.turnstile_token)
        await post.ledger.do(lambda tx: accounts.send_code(tx, ask.email, ask.scene, settings.code))
        return data({"expires_in_seconds": int(accounts.CODE_LIFE)})

    @router.post("/auth/register", response_model=Answer, summary="A new user, and their first session")
    async def register(ask: Register, request: Request, post: Post = doors.Post) -> Response:
        check_turnstile(ask.turnstile_token)
        _check_password(ask.account_password)
        now = post.limit_clock.monotonic()
        host = request.client.host if request.client else ""
        wait = post.limits.register_address.take(host, now) or post.limits.register_email.take(
            fold_email(ask.email), now
        )
        if wait:
            raise Refused("RATE_LIMITED", retry_after=wait)
        password = await post.passwords.hash(ask.account_password)
        what = await post.ledger.do(
            lambda tx: accounts.register(
                tx,
                email=ask.email,
                code=ask.code,
                password=password,
                display_name=ask.display_name,
                language=ask.device_locale,
            )
        )
        return begun(post, request, what)

    @router.post("/auth/login", response_model=Answer, summary="A session, by password")
    async def login(ask: Login, request: Request, post: Post = doors.Post) -> Response:
        """The fifth failure in a row locks the address for 15 minutes: 423 with `retry_after` in seconds."""
        check_turnstile(ask.turnstile_token)
        try:
            async with post.logins.of(fold_email(ask.email)):
                known = await post.ledger.see(lambda tx: accounts.password_of(tx, ask.email))
                right = await post.passwords.check(ask.account_password, known[1] if known else None)
                if known is None or not right:
                    await post.ledger.do(lambda tx: accounts.failed(tx, ask.email))
                assert known is not None  # `failed` raises
                what = await post.ledger.do(lambda tx: accounts.enter_by_password(tx, ask.email, *known))
        except TooManyLogins as many:
            raise Refused("RATE_LIMITED", retry_after=many.retry_after) from None
        return begun(post, request, what)

    @router.post("/auth/login-code", response_model=Answer, summary="A session, by a verification code")
    async def login_code(ask: LoginCode, request: Request, post: Post = doors.Post) -> Response:
        check_turnstile(ask.turnstile_token)
        return begun(post, request, await post.ledger.do(lambda tx: accounts.enter_by_code(tx, ask.email, ask.code)))

    @router.post("/auth/refresh", response_model=Answer, summary="A new pair of tokens")
    async def refresh(request: Request, post: Post = doors.Post) -> Response:
        """The cookie is used up: one that comes again ends its session."""
        token = request.cookies.get(COOKIE)
        if not token or len(token) > 200:
            raise Refused("UNAUTHENTICATED", "No refresh token")
        return begun(post, request, await post.ledger.do(lambda tx: accounts.renew(tx, token)))

    @router.post("/auth/logout", response_model=Answer, summary="Ends the session")
    async def logout(request: Request, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        await post.ledger.do(lambda tx: accounts.log_out(tx, who))
        answer = data({})
        answer.delete_cookie(COOKIE, path=f"{path_in_front(request.scope)}/auth")
        return answer

    @router.post("/auth/reset-password", response_model=Answer, summary="Another password, by a code (scene login)")
    async def reset_password(ask: ResetPassword, post: Post = doors.Post) -> Response:
        """Ends every session."""
        check_turnstile(ask.turnstile_token)
        _check_password(ask.new_password)
        password = await post.passwords.hash(ask.new_password)
        await post.ledger.do(lambda tx: accounts.reset_password(tx, ask.email, ask.code, password))
        return data({})

    @router.post("/auth/change-password", response_model=Answer, summary="Another password")
    async def change_password(ask: ChangePassword, post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        """Ends every other session, with reason `password_changed`."""
        _check_password(ask.new_password)
        me, kept = await post.ledger.see(lambda tx: accounts.own_password(tx, who))
        if not await post.passwords.check(ask.current_password, kept):
            raise Refused("INVALID_CREDENTIALS", "The current password is wrong")
        password = await post.passwords.hash(ask.new_password)

        def change(tx: Tx) -> None:
            accounts.same_password(tx, me.id, kept)
            accounts.own_password(tx, who)  # the session may have ended meanwhile
            accounts.change_password(tx, me.id, password, me.session)

        await post.ledger.do(change)
        return data({})

    @router.post("/auth/change-protection-password", response_model=Answer, summary="Another protection password")
    async def change_protection(
        ask: ChangeProtection, post: Post = doors.Post, who: Credential = doors.Caller
    ) -> Response:
        _, kept = await post.ledger.see(lambda tx: accounts.own_password(tx, who))
        if not await post.passwords.check(ask.account_password, kept):
            raise Refused("INVALID_CREDENTIALS", "The password is wrong")
        protection = await post.passwords.hash(ask.new_protection_password)
        await post.ledger.do(lambda tx: accounts.change_protection(tx, who, protection))
        return data({})

    @router.get("/auth/me", response_model=Answer, summary="Who asks")
    async def me(post: Post = doors.Post, who: Credential = doors.Caller) -> Response:
        return data(await post.ledger.see(lambda tx: accounts.me(tx, who)))

    @router.get("/health", response_model=Answer, summary="200 while the service answers")
    async def health(post: Post = doors.Post) -> Response:
        return data({"status": "ok", "profile": post.profile().id})

    _passkeys(router)
    return router


def _passkeys(router: APIRouter) -> None:
    """The routes of passkeys answer 501: they need an authenticator, and nothing of the wire needs them."""

    async def not_emulated() -> Response:
        raise Refused("NOT_EMULATED", "Passkeys are not emulated: log in by password or code")

    async def none_is_emulated(credential_id: str) -> Response:
        return await not_emulated()

    for method, path in (
        ("POST", "/auth/passkey/begin"),
        ("POST", "/auth/passkey/complete"),
        ("POST", "/auth/passkey/register/begin"),
        ("POST", "/auth/passkey/register/complete"),
        ("GET", "/auth/passkey/credentials"),
        ("PATCH", "/auth/passkey/credentials/{credential_id}"),
        ("DELETE", "/auth/passkey/credentials/{credential_id}"),
    ):
        answer = none_is_emulated if path.endswith("}") else not_emulated
        router.add_api_route(path, answer, methods=[method], status_code=501, summary="Not emulated")


def _check_password(password: str) -> None:
    if len(password) < SHORTEST:
        raise Refused("WEAK_PASSWORD", f"At least {SHORTEST} characters")
