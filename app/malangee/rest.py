"""The REST endpoints that the service's front end calls, under `/api/v1`.

Errors are `{"detail": "…"}` in the service's own words. The service's own 500s are not copied.

Annotations are evaluated here, not put off: FastAPI reads those that name what a function holds.
"""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from fastapi.security import OAuth2PasswordBearer

from app.bodies import BoundedRequest
from app.emulation.determinism import Clock, Ids
from app.malangee.requests import ROOT
from app.malangee.shapes import (
    AnalyticsOut,
    Available,
    Detail,
    FeedbackDetail,
    FeedbackOut,
    HintsOut,
    LoginId,
    Nickname,
    ScenarioFigures,
    ScenarioIn,
    ScenarioOut,
    SessionIn,
    SessionItem,
    SessionList,
    SessionOut,
    SignUp,
    Synced,
    TokenOut,
    UserChanges,
    UserOut,
    naive,
)
from app.malangee.tokens import Tokens
from app.settings import MalangeeSettings
from app.spaces.failures import StoreFailure
from app.spaces.passwords import FailedLogins, LoginTurns, Passwords, TooManyLogins
from app.spaces.people import People, SessionRow, Taken, TooMany, Topic, User

LOGIN_TAKEN = "이미 존재하는 아이디입니다."
NICKNAME_TAKEN = "이미 존재하는 닉네임입니다."
TOO_MANY_LOGINS = "Too many login attempts, try again later"
WRONG_LOGIN = "아이디 또는 비밀번호가 올바르지 않습니다."
WITHDRAWN = "탈퇴한 회원입니다."
NO_SESSION = "Session not found"
NO_SCENARIO = "Scenario not found"
SCENARIO_TAKEN = "Scenario ID already exists"
NOT_AUTHENTICATED = "Not authenticated"
NOT_VALIDATED = "Could not validate credentials"
STARTING = "the server is still starting"
STORE_FAILS = "the store fails, try again"

log = logging.getLogger("app.malangee")

_BEARER = OAuth2PasswordBearer(tokenUrl=f"{ROOT}/auth/login", auto_error=False, scheme_name="MaLangEE")
Answers = dict[int | str, dict[str, Any]]

_ASKS = {"WWW-Authenticate": "Bearer"}


class StoreRoute(APIRoute):
    """A route whose store may fail: that is 503, in one line of log. Its body has at most `body_limit` bytes."""

    body_limit = 1024 * 1024

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                return await handle(BoundedRequest(request.scope, request.receive, limit=self.body_limit))
            except StoreFailure as failure:
                log.error("%s %s: %s", request.method, request.url.path, failure)
                return JSONResponse({"detail": STORE_FAILS}, 503)
            except TimeoutError:
                log.warning("%s %s: no turn in time", request.method, request.url.path)
                return JSONResponse({"detail": STORE_FAILS}, 503)

        return guarded


@dataclass(frozen=True, slots=True)
class Desk:
    """What the endpoints work with."""

    people: People
    tokens: Tokens
    passwords: Passwords
    logins: LoginTurns
    failures: FailedLogins


def rest_routes(
    desk: Callable[[], Awaitable[Desk | None]],
    hints: Callable[[str], list[str]],
    *,
    clock: Clock,
    ids: Ids,
    settings: MalangeeSettings,
) -> APIRouter:
    """The endpoints. `desk` may take a moment after the start; `hints`: of the open connection on a session."""
    everywhere: Answers = {
        400: {"model": Detail, "description": "The body cannot be read, or what it asks for cannot be done."},
        503: {"model": Detail, "description": "The server is still starting, or its store fails."},
    }
    route = type("Route", (StoreRoute,), {"body_limit": settings.body_limit})
    router = APIRouter(prefix=ROOT, tags=["MaLangEE"], route_class=route, responses=everywhere)

    async def at_desk() -> Desk:
        found = await desk()
        if found is None:
            raise HTTPException(503, STARTING)
        return found

    AtDesk = Annotated[Desk, Depends(at_desk)]  # noqa: N806 - a type

    async def guest(at: AtDesk, token: Annotated[str | None, Depends(_BEARER)]) -> User | None:
        """The user of the token; without one, or with one that does not count, whoever calls is a guest."""
        login = at.tokens.read(token) if token else None
        return None if login is None else await at.people.user(login)

    async def member(
        user: Annotated[User | None, Depends(guest)], token: Annotated[str | None, Depends(_BEARER)]
    ) -> User:
        """The user of the token, which has to be there and to count."""
        if user is None:
            raise HTTPException(401, NOT_VALIDATED if token else NOT_AUTHENTICATED, _ASKS)
        return user

    Member = Annotated[User, Depends(member)]  # noqa: N806
    Guest = Annotated[User | None, Depends(guest)]  # noqa: N806
    refused: Answers = {401: {"model": Detail, "description": "No token, or none that counts."}}
    missing: Answers = {404: {"model": Detail, "description": "There is none, or it is not yours."}}

    @router.post("/auth/signup")
    async def sign_up(body: SignUp, at: AtDesk) -> UserOut:
        """Makes a user."""
        try:
            kept = await at.passwords.hash(body.password)
            active = body.is_active is not False
            user = await at.people.add_user(
                body.login_id, body.nickname, kept, active=active, at=clock.time(), most=settings.users
            )
        except Taken as taken:
            raise HTTPException(400, LOGIN_TAKEN if taken.what == "login_id" else NICKNAME_TAKEN) from taken
        except TooMany as many:
            raise full("users", settings.users) from many
        return UserOut.of(user)

    @router.post("/auth/login", responses={401: {"model": Detail}})
    async def log_in(
        at: AtDesk,
        username: Annotated[str, Form(max_length=200)],
        password: Annotated[str, Form(max_length=200)],
        grant_type: Annotated[str | None, Form(pattern="password", max_length=40)] = None,
        scope: Annotated[str, Form(max_length=200)] = "",
    ) -> TokenOut:
        """A token for a login and its password."""
        try:
            async with at.logins.of(username):
                at.failures.check(username)
                user = await at.people.user(username)
                right = await at.passwords.check(password, None if user is None else user.password)
                if user is None or not right:
                    at.failures.failed(username)
                    raise HTTPException(401, WRONG_LOGIN, _ASKS)
                at.failures.succeeded(username)
        except TooManyLogins as many:
            raise HTTPException(429, TOO_MANY_LOGINS, {"Retry-After": str(many.retry_after)}) from None
        if not user.is_active:
            raise HTTPException(400, WITHDRAWN)
        return TokenOut(access_token=at.tokens.make(user.login_id))

    @router.post("/auth/check-login-id")
    async def check_login_id(body: LoginId, at: AtDesk) -> Available:
        """Whether a login is free."""
        return Available(is_available=await at.people.is_free("login_id", body.login_id))

    @router.post("/auth/check-nickname")
    async def check_nickname(body: Nickname, at: AtDesk) -> Available:
        """Whether a nickname is free."""
        return Available(is_available=await at.people.is_free("nickname", body.nickname))

    @router.get("/users/me", responses=refused)
    async def me(user: Member) -> UserOut:
        """Who the token belongs to."""
        return UserOut.of(user)

    @router.put("/users/me", responses=refused)
    async def change_me(body: UserChanges, user: Member, at: AtDesk) -> UserOut:
        """Changes nickname or password; what is empty or null stays as it is."""
        changes: dict[str, str] = {}
        if body.nickname:
            changes["nickname"] = body.nickname
        if body.password:
            changes["password"] = await at.passwords.hash(body.password)
        return await change(at, user, changes)

    @router.delete("/users/me", responses=refused)
    async def leave(user: Member, at: AtDesk) -> UserOut:
        """Withdraws: no log-in any more; tokens that are out work until they expire."""
        return await change(at, user, {"is_active": False})

    async def change(at: Desk, user: User, changes: dict[str, str] | dict[str, bool]) -> UserOut:
        try:
            changed = await at.people.change_user(user.id, changes, at=clock.time())
        except Taken as taken:
            raise HTTPException(400, NICKNAME_TAKEN) from taken
        if changed is None:
            raise HTTPException(401, NOT_VALIDATED, _ASKS)
        return UserOut.of(changed)

    def full(what: str, most: int) -> HTTPException:
        log.warning("no more %s are kept: there are %d (malangee.%s)", what, most, what)
        return HTTPException(429, f"The emulator keeps at most {most} {what}")

    @router.get("/scenarios")
    async def scenarios(
        at: AtDesk,
        skip: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
        limit: Annotated[int, Query(ge=0, le=1_000)] = 1_000,
    ) -> list[ScenarioOut]:
        """All scenarios, or a page of them."""
        return [ScenarioOut.of(topic) for topic in await at.people.topics(skip=skip, limit=limit)]

    @router.post("/scenarios")
    async def add_scenario(body: ScenarioIn, at: AtDesk) -> ScenarioOut:
        """Adds a scenario."""
        topic = Topic(
            **{name: value or "" for name, value in body.model_dump(exclude={"level"}).items()},
            level=body.level,
            created_at=clock.time(),
        )
        try:
            added = await at.people.add_topic(topic, most=settings.scenarios)
        except TooMany as many:
            raise full("scenarios", settings.scenarios) from many
        if not added:
            raise HTTPException(400, SCENARIO_TAKEN)
        return ScenarioOut.of(topic)

    @router.get("/scenarios/{scenario_id}", responses=missing)
    async def scenario(scenario_id: str, at: AtDesk) -> ScenarioOut:
        """A scenario."""
        topic = await at.people.topic(scenario_id)
        if topic is None:
            raise HTTPException(404, NO_SCENARIO)
        return ScenarioOut.of(topic)

    @router.post("/chat/sessions")
    async def begin_session(body: SessionIn, user: Guest, at: AtDesk) -> SessionOut:
        """Makes a session to talk in; without a token that counts it is a guest's."""
        now = clock.time()
        topic = await at.people.topic(body.scenario_id) if body.scenario_id else None
        row = SessionRow(
            uid=ids.uuid4(),
            user_id=None if user is None else user.id,
            title=topic.title if topic is not None else f"Scenario Session ({naive(now)[:10]})",
            started_at=now,
            ended_at=now,
            created_at=now,
            updated_at=now,
            scenario_id=None if topic is None else topic.id,
            place=body.scenario_place if topic is None else topic.place,
            partner=body.scenario_partner if topic is None else topic.partner,
            goal=body.scenario_goal if topic is None else topic.goal,
            voice=body.voice,
            show_text=body.show_text,
        )
        return SessionOut.of(await at.people.add_session(row, most_guests=settings.guest_sessions), ())

    @router.get("/chat/sessions", responses=refused)
    async def sessions(
        user: Member,
        at: AtDesk,
        skip: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
        limit: Annotated[int, Query(ge=0, le=1_000)] = 20,
    ) -> SessionList:
        """The user's sessions."""
        total, page = await at.people.sessions_of(user.id, skip=skip, limit=limit)
        items = [SessionItem.of(row, count) for row, count in page]
        return SessionList(total=total, items=items, has_next=skip + len(items) < total)

    @router.get("/chat/recent", responses=refused)
    async def recent(user: Member, at: AtDesk) -> SessionOut | None:
        """The user's last session; null without one."""
        _, page = await at.people.sessions_of(user.id, skip=0, limit=1)
        return SessionOut.of(page[0][0], await at.people.messages(page[0][0].uid)) if page else None

    async def mine(at: Desk, session_id: str, user: User) -> SessionRow:
        row = await at.people.session(session_id)
        if row is None or row.deleted or row.user_id != user.id:
            raise HTTPException(404, NO_SESSION)
        return row

    @router.get("/chat/sessions/{session_id}", responses={**refused, **missing})
    async def session(session_id: str, user: Member, at: AtDesk) -> SessionOut:
        """One of the user's sessions, with what was said."""
        return SessionOut.of(await mine(at, session_id, user), await at.people.messages(session_id))

    @router.put("/chat/sessions/{session_id}/sync", responses={**refused, **missing})
    async def sync(session_id: str, user: Member, at: AtDesk) -> Synced:
        """Makes a guest's session the user's. One that belongs to somebody stays theirs."""
        row = await at.people.session(session_id)
        over = row is not None and row.user_id is None and clock.time() - row.updated_at > settings.guest_life
        if row is None or row.deleted or over:
            raise HTTPException(404, NO_SESSION)
        if row.user_id is None:
            await at.people.change_session(session_id, {"user_id": user.id}, at=clock.time())
        return Synced(session_id=session_id)

    @router.get("/chat/hints/{session_id}")
    async def hints_of(session_id: str, user: Guest, at: AtDesk) -> HintsOut:
        """What to say next, while somebody talks in the session."""
        if not settings.public_insights:
            row = await at.people.session(session_id)
            if row is not None and row.user_id is not None and (user is None or user.id != row.user_id):
                raise HTTPException(404, NO_SESSION)
        return HintsOut(hints=hints(session_id)[:3], session_id=session_id)

    @router.post("/feedback/{session_id}", responses={**refused, **missing})
    async def feedback(session_id: str, user: Member, at: AtDesk) -> FeedbackOut:
        """What there is to say about a session."""
        row = await mine(at, session_id, user)
        said = await at.people.messages(session_id)
        told = [message for message in said if message.feedback is not None]
        return FeedbackOut(
            session_id=session_id,
            scenario_summary=row.summary,
            message_count=len(said),
            feedback_top3_ids=[message.id for message in told[:3]],
            feedback_details=[
                FeedbackDetail(
                    message_id=message.id,
                    fb_before=message.content,
                    fb_content=message.reason or "",
                    fb_after=message.feedback or "",
                )
                for message in told
            ],
        )

    @router.get("/analytics/scenario/{scenario_id}")
    async def scenario_figures(scenario_id: str, user: Guest, at: AtDesk) -> ScenarioFigures:
        """How often a scenario was talked about, how long, and in which words."""
        played = await at.people.sessions_on(scenario_id)
        if not settings.public_insights:
            played = [one for one in played if user is not None and one[0].user_id == user.id]
        turns = sum(count for _, count in played) / 2
        words: Counter[str] = Counter()
        for row, _ in played[:50]:
            for message in await at.people.messages(row.uid, 200):
                if message.role == "user":
                    words.update(word for word in message.content.lower().split() if len(word) > 3)
        return ScenarioFigures(
            scenario_id=scenario_id,
            total_plays=len(played),
            avg_turns=round(turns / len(played), 2) if played else 0.0,
            top_keywords=dict(words.most_common(5)),
        )

    @router.get("/analytics/user/me", responses=refused)
    async def my_figures(user: Member, at: AtDesk) -> list[AnalyticsOut]:
        """The figures of the user's sessions."""
        _, page = await at.people.sessions_of(user.id, skip=0, limit=100)
        return [AnalyticsOut.model_validate_json(row.analytics) for row, _ in page if row.analytics]

    return router
