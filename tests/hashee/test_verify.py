"""The rules of the wire: the emulator breaks none in either profile, and each finds the defects planted for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import http_protocol, socket_protocol
from app.contract.checks.recordings import Recording
from app.contract.checks.report import Report
from app.contract.checks.rig import Misuse, Plan
from app.contract.checks.rules import judge
from app.contract.checks.run import Choice, check_server
from app.contract.hashee import probes
from app.contract.hashee.reading import believe, gather
from app.contract.hashee.rules import RULES, sockets
from app.contract.hashee.wire import HASHEE
from app.contract.hashee.words import FIRST, FRAME_LIMIT, PROFILES, SECOND
from app.emulation.determinism import Ids, RealClock
from app.emulation.faults.kinds import KINDS
from app.emulation.tapes import Tape, TapeFrame
from app.hashee import gateway
from app.hashee.fixtures import PASSWORD
from tests.hashee.people import Town, agent_token, email, write_cast
from tests.hashee.planting import Answers, Closes, Defect, Echoes, Hears, Planting
from tests.live import Json, LiveServer

LOGIN = f"{email(1)}:{PASSWORD}"
KEY = agent_token(1)
GONE = ("sockets.pong", "sockets.replaced")
"""Rules that a socket breaks that is gone too early."""

OTHER_ID = "0e7f6d6e-0000-4000-8000-00000000000e"
OTHER_ULID = "01KB0000000000000000000000"
REVOKED = json.dumps({"type": "relation.revoked", "payload": {"user_id": OTHER_ID}})
RATE_LIMITED = '{"type":"error","payload":{"code":"RATE_LIMITED","message":"","i18n_key":"error.rate_limited"}}'


def server_in(folder: Path, **options: Any) -> LiveServer:
    cast = f"relations:\n  - {{user: {email(1)}, agent: agent1}}\n"
    return LiveServer(folder / "data", fixtures=write_cast(folder / "fixtures", cast), watch=False, **options)


async def checked(
    server: LiveServer,
    query: str = "",
    patience: float = 20.0,
    login: str = LOGIN,
    api_key: str = KEY,
    skip: tuple[str, ...] = (),
) -> Report:
    plan = Plan(f"{server.ws}{query}", api_key=api_key, timeout=patience, login=login)
    report = await check_server(HASHEE, plan, Choice(skip=skip), clock=RealClock(), ids=Ids())
    assert not report.problem, report.problem
    return report


def outcomes(report: Report, outcome: str) -> set[str]:
    return {found.id for found in report.rules if found.outcome == outcome}


@pytest.fixture(scope="module")
def planting() -> Planting:
    return Planting()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, planting: Planting) -> Iterator[LiveServer]:
    # Checks follow each other faster than an agent may speak.
    with server_in(tmp_path_factory.mktemp("verify"), wrap=planting.wrap, hashee={"agent_rate": 100}) as live:
        yield live


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits five seconds for `auth`, nor two for the rest of a frame that is too large, nor long for silence."""
    for module in (gateway, probes, sockets):
        monkeypatch.setattr(module, "AUTH_LIMIT", 1.0)
    for protocol in (http_protocol, socket_protocol):
        monkeypatch.setattr(protocol, "LINGER", 0.05)
    monkeypatch.setattr(probes, "QUIET", 0.15)


@pytest.mark.parametrize("profile", PROFILES)
async def test_the_emulator_breaks_no_rule(server: LiveServer, profile: str) -> None:
    report = await checked(server, f"?profile={profile}")
    assert report.subjects[0].judged == report.subjects[0].believed == profile
    assert outcomes(report, "failed") == outcomes(report, "skipped") == set()
    assert (report.turns, report.notes) == (4, [])


@pytest.mark.usefixtures("hasty")
async def test_without_people_or_agents_the_rest_is_judged(server: LiveServer) -> None:
    kept = {}
    for login, key in (("", ""), (LOGIN, ""), ("", KEY)):
        report = await checked(server, login=login, api_key=key)
        assert outcomes(report, "failed") == set()
        kept[login, key] = outcomes(report, "passed")
    assert {"auth.limit", "auth.first", "limits.frame", "http.refused"} <= kept["", ""]
    assert kept["", ""] < kept[LOGIN, ""]
    assert kept["", ""] < kept["", KEY]
    assert kept["", KEY] - kept[LOGIN, ""] == {"errors.stream"}


@pytest.mark.usefixtures("hasty")
async def test_an_access_token_stands_for_a_login(server: LiveServer) -> None:
    async with httpx.AsyncClient(base_url=server.http) as client:
        answer = await client.post("/auth/login", json={"email": email(1), "account_password": PASSWORD})
    report = await checked(server, login=answer.json()["data"]["access_token"])
    assert outcomes(report, "failed") == set()
    assert outcomes(report, "skipped") == {"sockets.session", "sockets.invalidated"}


@pytest.mark.parametrize(
    ("login", "key", "told"),
    [
        (f"{email(1)}:wrong", "", "--login is refused: INVALID_CREDENTIALS"),
        ("eyJ", KEY, "--login is refused: INVALID_TOKEN"),
        (LOGIN, f"hsk_{'x' * 40}", "--api-key is refused: INVALID_TOKEN"),
        ("", "d4a3653a4ba72d6e04a293", "the key of an agent begins with hsk_"),
    ],
)
async def test_who_is_not_let_in_is_told_so(server: LiveServer, login: str, key: str, told: str) -> None:
    with pytest.raises(Misuse) as caught:
        await checked(server, login=login, api_key=key)
    assert told in str(caught.value)


@pytest.mark.usefixtures("hasty")
async def test_those_who_do_not_know_each_other_say_nothing(server: LiveServer) -> None:
    report = await checked(server, login=f"{email(2)}:{PASSWORD}")
    assert report.notes == ["the person does not use the agent, so nothing was said"]
    assert outcomes(report, "failed") == set()
    assert report.turns == 0


@pytest.mark.usefixtures("hasty")
async def test_what_is_left_out_is_not_said(server: LiveServer) -> None:
    report = await checked(server, skip=("messages",))
    assert report.turns == 0
    assert outcomes(report, "failed") == set()


@pytest.mark.usefixtures("hasty")
async def test_no_secret_is_told(server: LiveServer, planting: Planting) -> None:
    told = {"more": [PASSWORD, KEY]}
    planting.defects = [Answers("GET", "/conversations$", refusal(message=PASSWORD, beside=told))]
    report = (await checked(server)).model_dump_json()
    planting.defects = []
    assert report.count("[key]") >= 3
    assert PASSWORD not in report
    assert KEY not in report


# -- planted defects ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Planted:
    """`rule` breaks, and `beside`, and nothing else. Faults are the emulator's own where they are objects."""

    rule: str
    faults: tuple[Json | Defect, ...]
    beside: tuple[str, ...] = ()
    profile: str = FIRST

    @property
    def name(self) -> str:
        kinds = "+".join(
            str(one["fault"]) if isinstance(one, dict) else type(one).__name__.lower() for one in self.faults
        )
        return f"{self.rule}-{self.profile}-{kinds}"


def of(rule: str, *faults: Json | Defect, beside: tuple[str, ...] = (), profile: str = FIRST) -> Planted:
    return Planted(rule, faults, beside, profile)


def on(frame: str, fault: str, **parameters: Any) -> Json:
    return {"fault": fault, **parameters, "when": {"wire": "hashee", "frame": frame}}


def edit(frame: str, **changes: Any) -> Json:
    return on(frame, "edit", set=changes)


def as_code(code: str) -> Json:
    return {"payload.code": code, "payload.i18n_key": f"error.{code.lower()}"}


def _as_new(ack: Json) -> Json:
    """What others than the sender hear of a message."""
    about = {
        "conversation_id": OTHER_ID,
        "message_id": ack["message_id"],
        "sender_id": OTHER_ID,
        "sender_type": "human",
    }
    said = {"content_type": "text", "encrypted_payload": "eA==", "conversation_seq": ack["conversation_seq"]}
    return {"type": "message.new", **about, **said, "created_at": "2026-01-01T00:00:00Z"}


def _at_another_time(body: Json) -> Json:
    return {"data": {**body["data"], "created_at": Ids().uuid4()}}


def success(**more: Any) -> Any:
    return lambda body: {**body, **more} if "data" in body else body


def refusal(**other: Any) -> Any:
    """A refusal that says something else, or has more beside it (`beside`)."""
    beside = other.pop("beside", {})
    return lambda body: {"error": {**body["error"], **other}, **beside} if "error" in body else body


DEFECTS = (
    of("frames.json", on("agent.typing", "foreign", text="typing")),
    of("frames.known", on("agent.typing", "foreign", text='{"type":"surprise"}')),
    of(
        "frames.known",
        on("agent.typing", "foreign", text=REVOKED),
    ),
    of("frames.dots", on("agent.typing", "foreign", text='{"type":"message_read"}')),
    of("frames.dots", edit("artifact_update", type="artifact.update"), beside=("artifacts.update",)),
    of("frames.shape", edit("pong", payload={})),
    of("frames.shape", on("agent.typing", "edit", rename={"payload": "data"}), beside=("typing.told",)),
    of("frames.keys", edit("message.ack", more=1)),
    of("frames.keys", on("message.new", "edit", order=["type", "message_id"])),
    of("frames.keys", on("message.new", "edit", remove=["conversation_type"]), profile=SECOND),
    of("frames.keys", edit("message.new", sender_display_name="User")),
    of("frames.values", edit("agent.typing", **{"payload.expires_in_seconds": "120"})),
    of("frames.values", edit("message.new", conversation_type="direct"), profile=SECOND),
    of("ids.form", edit("message.read", conversation_id="1"), beside=("messages.read",)),
    of("ids.stream", edit("stream.start", stream_id="1"), beside=("streams.order", "streams.told")),
    of("ids.message", edit("message.status_updated", conversation_seq=77), beside=("messages.delivered",)),
    of("times.form", edit("stream.done", created_at="2026-05-15T12:34:56.789Z")),
    of("times.form", edit("stream.done", created_at="2026-05-15T12:34:56Z"), profile=SECOND),
    of("auth.ok", on("auth.ok", "foreign", text=RATE_LIMITED, count=1)),
    of("auth.refused", edit("auth.error", reason="expired_token")),
    of("auth.reasons", edit("auth.error", i18n_key="invalid")),
    of("auth.close", Closes(4401, 1008, "invalid_token")),
    of("auth.first", Closes(4401, 1008, "auth expected")),
    of("auth.limit", Closes(4401, 1008, "auth_timeout"), beside=("auth.close",)),
    of("auth.renew", Hears("auth.renew", '{"type":"pong"}'), beside=("auth.refused",)),
    of(
        "auth.open",
        on("auth.error", "close", code=4401),
        beside=("auth.refused", "auth.renew", "limits.taken", *GONE),
    ),
    of("sockets.pong", on("pong", "duplicate")),
    of("sockets.replaced", Closes(4409, 4401, "replaced")),
    of("sockets.session", on("session.invalidated", "duplicate")),
    of("sockets.invalidated", Closes(4410, 4401, "logged_out")),
    of("sockets.codes", on("session.invalidated", "close", code=4999), beside=("sockets.invalidated",)),
    of("limits.taken", Hears("xxxx", '{"type":"surprise"}'), beside=("sockets.pong",)),
    of("messages.seq", edit("message.new", conversation_seq=9), beside=("messages.new",)),
    of("messages.ack", on("message.ack", "drop", count=1), beside=("messages.seq",)),
    of("messages.ack", edit("message.ack", client_message_id=OTHER_ULID) | {"count": 1}),
    of("messages.new", on("message.new", "drop", count=1)),
    of("messages.new", edit("message.new", encrypted_payload="b3RoZXI=")),
    of("messages.again", Answers("POST", "/messages$", _at_another_time)),
    of("messages.delivered", on("message.status_updated", "drop")),
    of("messages.new", Echoes("message.ack", _as_new), beside=("messages.recalled",)),
    of("messages.states", on("message.status_updated", "duplicate"), beside=("messages.delivered",)),
    of("messages.read", on("message.read", "drop")),
    of("messages.recalled", edit("message.recalled", recalled_by=OTHER_ID)),
    of("reactions.whole", edit("reaction.update", **{"payload.reactions.0.count": 7}), beside=("reactions.told",)),
    of("reactions.told", on("reaction.update", "drop")),
    of("typing.told", edit("agent.typing", **{"payload.typing": True})),
    of("streams.order", on("stream.abort", "duplicate"), beside=("streams.told",)),
    of("streams.told", edit("stream.delta", encrypted_payload="b3RoZXI=")),
    of("streams.kept", edit("stream.done", message_id=OTHER_ID)),
    of("artifacts.response", edit("artifact_response", **{"payload.values": {}})),
    of("artifacts.update", on("artifact_update", "drop")),
    of("errors.codes", edit("error", **{"payload.i18n_key": "invalid"})),
    of("errors.invalid", edit("error", **as_code("UNKNOWN_STREAM"))),
    of("errors.stream", edit("error", **as_code("INVALID_FRAME"))),
    of(
        "errors.open",
        on("error", "close", code=1012),
        beside=("auth.refused", "auth.renew", "errors.invalid", "errors.stream", "limits.taken", *GONE),
    ),
    of("http.data", Answers("GET", "/conversations$", success(total=1))),
    of("http.error", Answers("GET", "/conversations$", refusal(beside={"more": 1}))),
    of("http.error", Answers("GET", "/conversations$", refusal(params=None))),
    of("http.codes", Answers("POST", f"{probes.NOWHERE}/reactions$", refusal(), status=410)),
    of("http.codes", Answers("GET", "/conversations$", refusal(i18n_key="x"))),
    of("http.refused", Answers("POST", "/auth/login$", refusal(code="WEAK_PASSWORD", i18n_key="error.weak_password"))),
)


@contextmanager
def planted(defect: Planted, server: LiveServer, planting: Planting) -> Iterator[None]:
    with httpx.Client(base_url=f"{server.http}/_emulator") as control:
        faults = [one for one in defect.faults if isinstance(one, dict)]
        planting.defects = [one for one in defect.faults if not isinstance(one, dict)]
        if faults:
            control.post("/faults", json={"faults": faults}).raise_for_status()
        yield
        planting.defects = []
        control.delete("/faults").raise_for_status()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
async def test_a_planted_defect_is_found_by_its_rule(defect: Planted, server: LiveServer, planting: Planting) -> None:
    with planted(defect, server, planting):
        report = await checked(server, f"?profile={defect.profile}", patience=1.0)
    found = [(one.id, one.findings[0]) for one in report.rules if one.findings]
    assert report.subjects[0].judged == defect.profile
    assert outcomes(report, "failed") == {defect.rule, *defect.beside}, found


@pytest.mark.usefixtures("hasty")
async def test_a_server_that_takes_larger_frames_is_found_out(tmp_path: Path) -> None:
    with server_in(tmp_path, hashee={"frame_limit": 2 * FRAME_LIMIT}) as live:
        assert outcomes(await checked(live), "failed") == {"limits.frame"}


def test_every_rule_has_a_defect_that_breaks_it() -> None:
    assert {rule.id for rule in RULES} == {defect.rule for defect in DEFECTS} | {"limits.frame"}
    faults = [one for defect in DEFECTS for one in defect.faults if isinstance(one, dict)]
    assert {str(one["fault"]) for one in faults} <= KINDS.keys()


# -- recordings --------------------------------------------------------------------------------------------------------


def tape(*frames: Json, close: tuple[int, str] | None = None) -> Recording:
    """What somebody heard who only listened."""
    told = tuple(TapeFrame("server", 0.1 * number, json.dumps(frame), None) for number, frame in enumerate(frames))
    return Recording(Tape(name="t", url="ws://x", frames=told, close=close))


def new(number: int, created_at: str = "2026-01-01T00:00:00Z") -> Json:
    return {
        **_as_new({"message_id": f"{number:08d}{OTHER_ID[8:]}", "conversation_seq": number}),
        "created_at": created_at,
    }


def ack(number: int) -> Json:
    return {"type": "message.ack", "message_id": f"{number:08d}{OTHER_ID[8:]}", "conversation_seq": number}


STREAM = {"stream_id": OTHER_ULID, "conversation_id": OTHER_ID}
STARTED = {"type": "stream.start", **STREAM, "sender_id": OTHER_ID}
PIECE, ABORTED = {"type": "stream.delta", **STREAM, "encrypted_payload": "eA=="}, {"type": "stream.abort", **STREAM}
ENDED = {"type": "session.invalidated", "payload": {"reason": "x", "message": "x", "i18n_key": "error.x"}}


@pytest.mark.parametrize(
    ("rule", "frames", "close", "outcome"),
    [
        ("messages.seq", [new(1), new(2)], None, "passed"),
        ("messages.seq", [new(1), new(3)], None, "failed"),
        ("messages.seq", [new(1), ack(2), new(3)], None, "passed"),  # of which conversation the second is, is not told
        ("messages.seq", [new(2), new(2)], None, "failed"),
        ("messages.seq", [new(1)], None, "skipped"),
        ("streams.order", [STARTED, PIECE], None, "passed"),  # a recording may end in mid-stream
        ("streams.order", [PIECE, ABORTED], None, "skipped"),
        ("streams.order", [STARTED, ABORTED, PIECE], None, "failed"),
        ("sockets.invalidated", [ENDED], (4410, "x"), "passed"),
        ("sockets.invalidated", [ENDED], (1000, ""), "failed"),
        ("sockets.invalidated", [ENDED], None, "skipped"),
        ("sockets.codes", [], (4999, ""), "failed"),
        ("frames.known", [{"type": "relation.revoked", "payload": {"user_id": OTHER_ID}}], None, "failed"),
        ("frames.keys", [{"type": "relation.suspended", "payload": {}}], None, "failed"),
        ("frames.shape", [{"type": "relation.suspended", "user_id": OTHER_ID}], None, "failed"),
        ("frames.values", [{"type": ["x"], "payload": 1}], None, "skipped"),
    ],
)
def test_recordings_are_judged(rule: str, frames: list[Json], close: tuple[int, str] | None, outcome: str) -> None:
    (found,) = (one for one in RULES if one.id == rule)
    assert judge(found, gather([tape(*frames, close=close)], FIRST, {})).outcome == outcome


def test_a_close_of_the_clients_own_is_no_matter_of_rules() -> None:
    recording = tape(ENDED, close=(1000, ""))
    own = Recording(replace(recording.tape, closed_by="client"))
    assert {judge(rule, gather([own], FIRST, {})).outcome for rule in RULES} == {"passed", "skipped"}


@pytest.mark.parametrize(
    ("frames", "believed"),
    [
        ([], ""),
        ([{"type": "chat"}], ""),
        ([{"type": "auth.ok"}], FIRST),
        ([new(1)], FIRST),
        ([new(1, "2026-05-15T12:34:56.789Z")], SECOND),
        ([{"type": "relation.revoked", "payload": {"user_id": OTHER_ID}}], SECOND),
        ([{"type": "relation.terminated", "payload": {"user_id": OTHER_ID}}], FIRST),
    ],
)
def test_the_frames_tell_the_profile(frames: list[Json], believed: str) -> None:
    assert believe([tape(*frames)]).revision == believed


@pytest.mark.parametrize("profile", PROFILES)
async def test_what_tests_hear_keeps_the_rules(town: Town, profile: str) -> None:
    """A recording of somebody's own, with what the probe does not do: a relation, a group, a pin, a stream."""
    person, agent, friend = await town.person(), town.agent(), await town.person()
    async with person.listening(profile=profile) as ear, agent.listening(profile=profile) as other:
        place = await person.use(agent)
        await agent.send(place)
        await person.send(place)
        group = await person.call(
            "POST", "/groups", {"name": "All", "member_ids": [friend.id], "agent_ids": [agent.id]}
        )
        sent = await friend.send(str(group["conversation_id"]))
        await person.call("POST", f"/messages/{sent['message_id']}/pin")
        await person.call("DELETE", f"/agents/{agent.id}/relation")
        await ear.next("message.pinned")
        await ear.quiet()
        await other.quiet()
        heard = [ear.heard, other.heard]
    evidence = gather([tape(*frames) for frames in heard], profile, {})
    verdicts = {rule.id: judge(rule, evidence) for rule in RULES}
    assert [(name, one.breaches) for name, one in verdicts.items() if one.outcome == "failed"] == []
    assert verdicts["messages.seq"].outcome == verdicts["frames.keys"].outcome == "passed"


def test_every_rule_is_documented() -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "hashee.md").read_text(encoding="utf-8")
    for rule in RULES:
        assert f"| `{rule.id}` | {rule.says} | {rule.source} |" in page
