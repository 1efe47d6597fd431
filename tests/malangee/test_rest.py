"""The REST endpoints, in the service's own words."""

from __future__ import annotations

import asyncio
import re
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from tests.live import LiveServer
from tests.malangee.caller import GUEST, MEMBER, call
from tests.malangee.conftest import QUICK
from tests.malangee.test_opening import JUNHO, token

API = "/api/v1"
SESSION = [
    *("session_id", "title", "started_at", "ended_at", "total_duration_sec", "user_speech_duration_sec"),
    *("scenario_summary", "messages", "scenario_place", "scenario_partner", "scenario_goal", "scenario_state_json"),
    *("scenario_completed_at", "scenario_id", "deleted", "voice", "show_text", "created_at", "updated_at", "analytics"),
]


@pytest.fixture
async def client(quick: LiveServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{quick.http}{API}", timeout=60) as client:
        yield client


async def member(server: LiveServer) -> dict[str, str]:
    return {"Authorization": f"Bearer {await token(server)}"}


def told(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


async def test_guessing_a_password_ends_after_ten_failures(client: httpx.AsyncClient) -> None:
    new = {"login_id": "guessed@example.com", "nickname": "추측", "password": "secret12345"}
    assert (await client.post("/auth/signup", json=new)).status_code == 200
    wrong, right = ({"username": new["login_id"], "password": one} for one in ("wrong", new["password"]))
    answers = await asyncio.gather(*(client.post("/auth/login", data=wrong) for _ in range(40)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(401) == 10
    assert set(statuses) == {401, 429}
    refused = await client.post("/auth/login", data=right)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 60
    nobody = await client.post("/auth/login", data={"username": "nobody@example.com", "password": "wrong"})
    assert nobody.status_code == 401


async def test_signing_up_logging_in_and_leaving(client: httpx.AsyncClient, quick: LiveServer) -> None:
    new = {"login_id": "new@example.com", "nickname": "새이름", "password": "secret12345"}
    assert told(await client.post("/auth/check-login-id", json={"login_id": new["login_id"]}))[1]["is_available"]
    answer = await client.post("/auth/signup", json=new)
    assert answer.status_code == 200
    assert list(answer.json()) == ["login_id", "nickname", "is_active", "id", "created_at", "updated_at"]
    assert len(answer.json()["created_at"]) == len("2026-11-20T20:47:16")
    assert told(await client.post("/auth/signup", json=new)) == (400, {"detail": "이미 존재하는 아이디입니다."})
    other = {**new, "login_id": "other@example.com"}
    assert told(await client.post("/auth/signup", json=other)) == (400, {"detail": "이미 존재하는 닉네임입니다."})
    taken = await client.post("/auth/check-nickname", json={"nickname": new["nickname"]})
    assert taken.json() == {"is_available": False}
    wrong = {"username": new["login_id"], "password": "wrong"}
    detail = {"detail": "아이디 또는 비밀번호가 올바르지 않습니다."}
    assert told(await client.post("/auth/login", data=wrong)) == (401, detail)
    headers = {"Authorization": f"Bearer {await token(quick, {**wrong, 'password': new['password']})}"}
    changed = await client.put("/users/me", json={"nickname": "다른이름", "password": "another12345"}, headers=headers)
    assert changed.json()["nickname"] == "다른이름"
    assert (await client.post("/auth/login", data=wrong | {"password": new["password"]})).status_code == 401
    assert (await client.put("/users/me", json={"nickname": "미나"}, headers=headers)).status_code == 400
    assert (await client.delete("/users/me", headers=headers)).json()["is_active"] is False
    gone = wrong | {"password": "another12345"}
    assert told(await client.post("/auth/login", data=gone)) == (400, {"detail": "탈퇴한 회원입니다."})


@pytest.mark.parametrize(
    "body",
    [{}, {"login_id": " ", "nickname": "a", "password": "b"}, {"login_id": "a", "nickname": 5, "password": "b"}, []],
)
async def test_what_is_no_user_is_422(client: httpx.AsyncClient, body: Any) -> None:
    answer = await client.post("/auth/signup", json=body)
    assert answer.status_code == 422
    assert {"type", "loc", "msg", "input"} <= set(answer.json()["detail"][0])


BLANK = "Value error, 빈 값이나 공백만 입력할 수 없습니다."


async def test_422_has_the_services_texts(client: httpx.AsyncClient) -> None:
    """Which front ends join and show."""

    async def texts(path: str, **options: Any) -> list[tuple[str, str]]:
        answer = await client.post(path, **options)
        assert answer.status_code == 422
        return [(str(one["loc"][-1]), one["msg"]) for one in answer.json()["detail"]]

    new = {"login_id": "y@example.com", "nickname": "와이", "password": "secret12345"}
    assert await texts("/auth/signup", json=new | {"login_id": "  "}) == [("login_id", BLANK)]
    blank = {"login_id": "", "nickname": "\t", "password": " "}
    assert await texts("/auth/signup", json=blank) == [(name, BLANK) for name in blank]
    (told,) = (await client.post("/auth/signup", json=new | {"nickname": " "})).json()["detail"]
    assert (told["type"], told["loc"], told["input"]) == ("value_error", ["body", "nickname"], " ")
    assert await texts("/auth/signup", json={}) == [(name, "Field required") for name in new]
    assert await texts("/auth/login", data={"username": "x"}) == [("password", "Field required")]
    login = {"username": "x", "password": "y", "grant_type": "code"}
    assert await texts("/auth/login", data=login) == [("grant_type", "String should match pattern 'password'")]
    boolean = "Input should be a valid boolean, unable to interpret input"
    assert await texts("/chat/sessions", json={"show_text": "perhaps"}) == [("show_text", boolean)]


async def test_what_the_service_takes_is_taken(client: httpx.AsyncClient, quick: LiveServer) -> None:
    assert told(await client.post("/auth/check-login-id", json={"login_id": " "})) == (200, {"is_available": True})
    assert told(await client.post("/auth/check-nickname", json={"nickname": ""})) == (200, {"is_available": True})
    new = {"login_id": " z@example.com ", "nickname": "제트", "password": " secret ", "is_active": None}
    answer = await client.post("/auth/signup", json=new)
    assert (answer.status_code, answer.json()["login_id"], answer.json()["is_active"]) == (200, " z@example.com ", True)
    who = {"username": new["login_id"], "password": new["password"]}
    headers = {"Authorization": f"Bearer {await token(quick, who)}"}  # type: ignore[arg-type]
    same = await client.put("/users/me", json={"nickname": "", "password": ""}, headers=headers)
    assert (same.status_code, same.json()["nickname"]) == (200, "제트")
    assert (await client.post("/auth/login", data=who)).status_code == 200
    made = {"id": "nulls", "title": "t", "description": None, "place": None, "partner": None, "goal": None, "level": 0}
    assert told(await client.post("/scenarios", json=made))[0] == 200
    listed = await client.get("/chat/sessions", params={"limit": 0}, headers=headers)
    assert told(listed) == (200, {"total": 0, "items": [], "has_next": False})


@pytest.mark.parametrize(
    "sent", ["Bearer a.b.c", "Bearer expired", "Bearer nobody", "Basic dTpw", "Bearer ", "nonsense"]
)
async def test_a_session_may_be_made_with_a_token_that_counts_for_nothing(
    client: httpx.AsyncClient, quick: LiveServer, sent: str
) -> None:
    """A 401 would make the front end forget its user."""
    tokens = quick.program.wires[1]._open.tokens  # type: ignore[attr-defined]
    made = {"expired": tokens.make("mina@example.com", life=-1.0), "nobody": tokens.make("nobody@example.com")}
    kind, _, name = sent.partition(" ")
    headers = {"Authorization": f"{kind} {made.get(name, name)}".rstrip()}
    answer = await client.post("/chat/sessions", json={"scenario_id": "cafe_order"}, headers=headers)
    assert answer.status_code == 200, answer.text
    people = quick.program.wires[1]._open.parts.people  # type: ignore[attr-defined]
    assert (await quick.run(people.session(answer.json()["session_id"]))).user_id is None
    async with call(quick, f"{GUEST}/{answer.json()['session_id']}") as caller:
        await caller.until("ready")
    kept_out = await client.get("/users/me", headers=headers)
    assert kept_out.status_code == 401


async def test_pages_of_any_origin_may_send_credentials(client: httpx.AsyncClient, quick: LiveServer) -> None:
    """The origin is echoed, also where the answer is an error; other wires do not take part in it."""
    page = {"Origin": "http://front.example:3000"}
    for path, status in (("/scenarios", 200), ("/users/me", 401), ("/nothing", 404)):
        answer = await client.get(path, headers=page)
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == page["Origin"]
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert "Origin" in answer.headers["vary"]
    asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization, content-type"}
    answer = await client.options("/users/me", headers=page | asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == page["Origin"]
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-allow-headers"] == asked["Access-Control-Request-Headers"]
    methods = answer.headers["access-control-allow-methods"].split(", ")
    assert sorted(methods) == ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
    other = await client.get(f"{quick.http}/_emulator/health", headers=page)
    assert other.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in other.headers


@pytest.mark.parametrize("path", ["/users/me", "/chat/sessions", "/chat/sessions/demo-airport", "/analytics/user/me"])
async def test_without_a_token_it_is_401(client: httpx.AsyncClient, path: str) -> None:
    none = await client.get(path)
    assert told(none) == (401, {"detail": "Not authenticated"})
    assert none.headers["www-authenticate"] == "Bearer"
    bad = await client.get(path, headers={"Authorization": "Bearer a.b.c"})
    assert told(bad) == (401, {"detail": "Could not validate credentials"})


async def test_scenarios(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/scenarios")).json()
    assert [one["id"] for one in listed][:2] == ["airport_checkin", "cafe_order"]
    assert told(await client.get("/scenarios/cafe_order")) == (200, listed[1])
    assert told(await client.get("/scenarios/none")) == (404, {"detail": "Scenario not found"})
    new = {"id": "zoo", "title": "동물원"}
    assert (await client.post("/scenarios", json=new)).json()["level"] == 1
    assert told(await client.post("/scenarios", json=new)) == (400, {"detail": "Scenario ID already exists"})


async def test_a_session_from_its_making_to_its_detail(client: httpx.AsyncClient, quick: LiveServer) -> None:
    headers = await member(quick)
    asked = {"scenario_id": "cafe_order", "voice": "echo", "show_text": True}
    made = (await client.post("/chat/sessions", json=asked)).json()
    assert list(made) == SESSION
    assert (made["title"], made["scenario_place"], made["scenario_id"]) == ("카페에서 주문하기", "cafe", None)
    uid = made["session_id"]
    assert told(await client.get(f"/chat/sessions/{uid}", headers=headers)) == (404, {"detail": "Session not found"})
    async with call(quick, f"{GUEST}/{uid}") as caller:
        assert (await caller.until("transcript.done"))["transcript"].startswith("Hi there! Welcome to our cafe.")
        hints = (await client.get(f"/chat/hints/{uid}")).json()
        assert hints["session_id"] == uid
        assert hints["hints"][0] == "I would like a latte, please."
        for number in range(2, 8):
            await caller.send({"type": "text", "text": "tell me a joke"})
            await caller.until("audio.delta", caller.count("audio.delta") + 1)
            await caller.until("audio.done", number)
        await caller.send({"type": "disconnect"})
        await caller.gone()
    assert (await client.get(f"/chat/hints/{uid}")).json() == {"hints": [], "session_id": uid}
    synced = await client.put(f"/chat/sessions/{uid}/sync", headers=headers)
    assert told(synced) == (200, {"status": "success", "session_id": uid})
    detail = (await client.get(f"/chat/sessions/{uid}", headers=headers)).json()
    assert len(detail["messages"]) == 13
    first = detail["messages"][1]
    assert list(first) == [*("id", "role", "content", "timestamp", "duration_sec", "is_feedback", "feedback", "reason")]
    assert (first["is_feedback"], first["feedback"]) == (True, "Tell me a joke.")
    assert detail["scenario_summary"]
    assert detail["total_duration_sec"] > 1
    feedback = (await client.post(f"/feedback/{uid}", headers=headers)).json()
    assert feedback["feedback_details"][0]["fb_before"] == "tell me a joke"
    assert feedback["message_count"] == 13
    assert (await client.get("/chat/recent", headers=headers)).json()["session_id"] == uid
    listed = (await client.get("/chat/sessions?limit=1", headers=headers)).json()
    assert (listed["items"][0]["session_id"], listed["has_next"]) == (uid, True)
    assert listed["items"][0]["message_count"] == 13
    figures = (await client.get("/analytics/scenario/cafe_order")).json()
    assert figures["total_plays"] >= 1


async def test_figures_of_a_members_session(client: httpx.AsyncClient, quick: LiveServer) -> None:
    told = await token(quick, JUNHO)
    async with call(quick, f"{MEMBER}/figures?token={told}") as caller:
        for number in range(1, 4):
            await caller.send({"type": "text", "text": "Hello hello there"})
            await caller.until("audio.done", number)
        await caller.send({"type": "disconnect"})
        await caller.gone()
    headers = {"Authorization": f"Bearer {told}"}
    (one,) = (await client.get("/analytics/user/me", headers=headers)).json()
    assert (one["word_count"], one["unique_words_count"]) == (9, 2)


async def test_foreign_and_unknown_sessions(client: httpx.AsyncClient, quick: LiveServer) -> None:
    headers = {"Authorization": f"Bearer {await token(quick, JUNHO)}"}
    missing = (404, {"detail": "Session not found"})
    assert told(await client.get("/chat/sessions/demo-airport", headers=headers)) == missing
    assert told(await client.put("/chat/sessions/nowhere/sync", headers=headers)) == missing
    assert (await client.put("/chat/sessions/demo-airport/sync", headers=headers)).status_code == 200
    mina = await client.get("/chat/sessions/demo-airport", headers=await member(quick))
    assert mina.status_code == 200, "a foreign sync takes nothing away"
    assert (await client.delete("/chat/sessions/demo-airport", headers=headers)).status_code == 405
    assert (await client.get("/nowhere")).status_code == 404


async def test_browsers_may_call_from_elsewhere(client: httpx.AsyncClient) -> None:
    asks = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "PUT"}
    answer = await client.options("/users/me", headers=asks)
    assert "PUT" in answer.headers["access-control-allow-methods"]


async def test_users_and_tokens_outlive_the_server(tmp_path: Path) -> None:
    with LiveServer(tmp_path, malangee=QUICK) as server:
        kept = await token(server)
    stored = (tmp_path / "malangee.key").stat().st_mode
    assert stored & 0o077 == 0
    with LiveServer(tmp_path, malangee=QUICK) as server:
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {kept}"}, timeout=60) as client:
            assert (await client.get(f"{server.http}{API}/users/me")).json()["nickname"] == "미나"


def test_every_endpoint_is_documented() -> None:
    page = Path(__file__).parent.parent.parent / "docs" / "malangee.md"
    told = set(re.findall(r"`(GET|POST|PUT|DELETE) (/\S+)`", page.read_text(encoding="utf-8").partition("## REST")[2]))
    app = create_app(Settings())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate Operation ID")
        described = app.openapi()["paths"]
    asked = {(method.upper(), path) for path, methods in described.items() for method in methods}
    assert told - {("GET", "/")} == {(method, path) for method, path in asked if path.startswith("/api/v1/")}


async def test_what_was_said_is_for_who_said_it_where_the_settings_want_it(tmp_path: Path) -> None:
    """`public_insights`: strangers get hints and words, as from the service; a guest's session has an end."""
    settings = {"public_insights": False, "guest_life": 60.0, "transcription": "script"}
    with LiveServer(tmp_path, malangee=settings, seed=1, voice={"engine": "tone", "workers": 1}) as server:
        async with httpx.AsyncClient(base_url=f"{server.http}/api/v1") as client:
            logins = [{"username": f"{name}@example.com", "password": "secret12345"} for name in ("a", "b")]
            headers = []
            for login in logins:
                new = {"login_id": login["username"], "nickname": login["username"][:1], "password": login["password"]}
                assert (await client.post("/auth/signup", json=new)).status_code == 200
                headers.append({"Authorization": f"Bearer {await token(server, login)}"})
            scenario = (await client.get("/scenarios", params={"limit": 1})).json()[0]["id"]
            made = await client.post("/chat/sessions", json={"scenario_id": scenario}, headers=headers[0])
            uid = made.json()["session_id"]
            assert (await client.get(f"/chat/hints/{uid}", headers=headers[0])).status_code == 200
            for stranger in ({}, headers[1]):
                assert (await client.get(f"/chat/hints/{uid}", headers=stranger)).status_code == 404
            plays = [
                (await client.get(f"/analytics/scenario/{scenario}", headers=who)).json()["total_plays"]
                for who in ({}, headers[1], headers[0])
            ]
            assert plays == [0, 0, 1]
            guest = (await client.post("/chat/sessions", json={})).json()["session_id"]
            moved = await client.post(f"{server.http}/_emulator/clock/advance", json={"seconds": 61})
            assert moved.status_code == 200
            late = await client.put(f"/chat/sessions/{guest}/sync", headers=headers[0])
            assert late.status_code == 404
