"""The upload routes and the memory route, over a real socket."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Self
from xml.etree import ElementTree

import httpx
import pytest
import requests
import uvicorn
import uvloop
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from app.chldo.files import SLACK, file_routes
from app.chldo.memory import memory_routes
from app.emulation.determinism import Ids, RealClock, VirtualClock
from app.serving import listen
from app.spaces.models import ApiKey, Memory, Space
from app.spaces.uploads import BUCKET, Uploads, _key

LIMIT = 20 * 1024 * 1024
KEY = "d4a3653a4ba72d6e04a293"
OTHER_KEY = "43b52d9729a6b3d194f5b2"
DEAD_KEY = "00b52d9729a6b3d194f5b2"
ROOM = "51VPKp3F0yPX"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
JPEG = b"\xff\xd8\xff\xe0" + b"\r\n--\r\n-" * 500
TEXT_UID = "d3609c2758b7aa6b9"
DICT_UID = "0123456789abcdef0"


def space(uid: str) -> Space:
    return Space(uid, "org", uid, 1000, 0, 0, True, "ko", "scripted", "companion", "", False)


class Desk:
    """What the routes ask of the store."""

    async def by_key(self, api_key: str) -> tuple[Space, ApiKey] | None:
        found = {KEY: ("s1", True), OTHER_KEY: ("s2", True), DEAD_KEY: ("s1", False)}.get(api_key)
        return (space(found[0]), ApiKey(api_key, found[1])) if found else None

    async def memory(self, uid: str) -> Memory | None:
        entries = (("desc", "베스트셀러"), ("note", "튜베로즈"), ("desc", "again"))
        memories = [Memory(TEXT_UID, "도손", text="향수 <1>"), Memory(DICT_UID, "dict", entries=entries)]
        return {memory.uid: memory for memory in memories}.get(uid)


class Site:
    """The routes on a port of their own."""

    def __init__(self, folder: Path, *, ready: bool = True, **options: Any) -> None:
        self.folder = folder
        self.uploads = Uploads(folder, clock=RealClock(), ids=Ids())
        self._ready = ready
        self.app = FastAPI(lifespan=self._live)
        self.app.add_middleware(
            CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST", "OPTIONS"], allow_headers=["*"]
        )
        self.app.include_router(file_routes(Ids(), self._shelf, self._desk, **options))
        self.app.include_router(memory_routes(self._desk))
        self._listener = listen("127.0.0.1", 0)
        self.http = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(self.app, log_level="warning", ws="none"))
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()

    def find(self, room: str, name: str, uid: str = "s1") -> bytes | None:
        """The content that a turn of this space and room would see."""
        image = asyncio.run(self.uploads.find(uid, room, name))
        return image.path.read_bytes() if image else None

    @property
    def files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file() and path.name != ".signing-key"]

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._server.serve(sockets=[self._listener]))
        finally:
            self._listener.close()

    @asynccontextmanager
    async def _live(self, app: FastAPI) -> AsyncIterator[None]:
        await self.uploads.open()
        yield
        await self.uploads.close()

    async def _shelf(self) -> Uploads | None:
        return self.uploads if self._ready else None

    async def _desk(self) -> Desk | None:
        return Desk() if self._ready else None


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as running:
        yield running


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.http, timeout=30) as opened:
        yield opened


def presign(client: httpx.Client, filename: str = "test.jpg", room: str = ROOM, key: str = KEY) -> dict[str, Any]:
    question = {"api_key": key, "filename": filename, "room_uid": room}
    answer = client.post("/v3/files/presignedurl", json=question)
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["presigned_url"]
    post = answer.json()["presigned_url"]
    assert list(post) == ["url", "fields"]
    assert isinstance(post, dict)
    return post


def send(client: httpx.Client, content: bytes = PNG, **which: str) -> httpx.Response:
    post = presign(client, **which)
    return client.post(post["url"], data=post["fields"], files={"file": ("local.bin", content)})


def error(answer: httpx.Response | requests.Response) -> tuple[int, str | None]:
    """Status and code of an S3 error; its shape is checked on the way."""
    assert answer.headers["content-type"] == "application/xml"
    root = ElementTree.fromstring(answer.text)
    assert root.tag == "Error"
    assert root.findtext("Message")
    assert re.fullmatch("[0-9A-F]{16}", root.findtext("RequestId") or "")
    assert root.findtext("RequestId") == answer.headers["x-amz-request-id"]
    return answer.status_code, root.findtext("Code")


def test_the_documented_way_to_upload_works_with_requests(site: Site, tmp_path: Path) -> None:
    local = tmp_path / "photo-on-my-disk.bin"
    local.write_bytes(PNG)

    answer = requests.post(
        f"{site.http}/v3/files/presignedurl",
        json={"api_key": KEY, "filename": "test.jpg", "room_uid": ROOM},
        timeout=30,
    )
    presigned = answer.json()["presigned_url"]
    with local.open("rb") as file:
        uploaded = requests.post(presigned["url"], data=presigned["fields"], files={"file": file}, timeout=30)

    assert (uploaded.status_code, uploaded.content) == (204, b"")
    assert site.find(ROOM, "test.jpg") == PNG
    assert site.find(ROOM, "photo-on-my-disk.bin") is None


def test_an_upload_says_what_s3_says(client: httpx.Client) -> None:
    answer = send(client)
    assert answer.headers["location"] == f"/{BUCKET}/s1/{ROOM}/test.jpg"
    assert re.fullmatch('"[0-9a-f]{32}"', answer.headers["etag"])


@pytest.mark.parametrize("name", ["../../x.png", "사진.png", "a\0b", "x" * 3000, "가" * 3000, "a/b", '"><x>'])
def test_any_declared_name_makes_the_round_trip(site: Site, client: httpx.Client, name: str) -> None:
    assert send(client, filename=name, room=name).status_code == 204
    assert site.find(name, name) == PNG
    assert len(site.files) == 1


def test_rooms_and_spaces_do_not_see_or_overwrite_each_others_images(site: Site, client: httpx.Client) -> None:
    send(client, PNG)
    send(client, JPEG, key=OTHER_KEY)
    send(client, PNG + b"room", room="other")
    assert [site.find(ROOM, "test.jpg"), site.find(ROOM, "test.jpg", "s2")] == [PNG, JPEG]
    post, other = presign(client), presign(client, key=OTHER_KEY)
    crossed = {**post["fields"], "key": other["fields"]["key"]}
    assert error(client.post(post["url"], data=crossed, files={"file": PNG})) == (403, "AccessDenied")
    assert site.find(ROOM, "test.jpg", "s2") == JPEG


def test_an_upload_is_served_to_nobody(client: httpx.Client) -> None:
    where = send(client).headers["location"]
    assert client.get(where).status_code == 404
    assert client.get(f"/{BUCKET}").status_code == 405


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "api_key is required"),
        ({"api_key": KEY}, "filename is required"),
        ({"api_key": KEY, "filename": "f"}, "room_uid is required"),
        ({"api_key": "", "filename": "f", "room_uid": "r"}, "api_key is required"),
        ({"api_key": KEY, "filename": None, "room_uid": "r"}, "filename is required"),
        ({"api_key": KEY, "filename": 5, "room_uid": "r"}, "filename must be a string"),
        ({"api_key": 0, "filename": "f", "room_uid": "r"}, "api_key must be a string"),
        ({"api_key": KEY, "filename": "f", "room_uid": ["r"]}, "room_uid must be a string"),
        ({"api_key": "unknown", "filename": "f", "room_uid": "r"}, "api_key is not exist"),
        ({"api_key": DEAD_KEY, "filename": "f", "room_uid": "r"}, "api_key is not usable"),
        ([], "Invalid request body"),
    ],
)
def test_a_wrong_question_is_refused_in_the_words_of_the_wire(client: httpx.Client, body: Any, message: str) -> None:
    answer = client.post("/v3/files/presignedurl", json=body)
    assert (answer.status_code, answer.json()) == (400, {"message": message})


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 50_000])
def test_a_question_that_is_no_json_is_refused(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/v3/files/presignedurl", content=body)
    assert (answer.status_code, answer.json()) == (400, {"message": "Invalid request body"})


def test_a_question_that_is_too_long_is_refused(client: httpx.Client) -> None:
    answer = client.post("/v3/files/presignedurl", json={"filename": "x" * 70_000})
    assert (answer.status_code, answer.json()) == (413, {"message": "Request Too Long"})


def test_the_upload_goes_where_the_client_reached_the_server(site: Site, client: httpx.Client) -> None:
    question = {"api_key": KEY, "filename": "f", "room_uid": "r"}
    answer = client.post("/v3/files/presignedurl", json=question, headers={"Host": "emulator.test:99"})
    assert answer.json()["presigned_url"]["url"] == f"http://emulator.test:99/{BUCKET}"
    assert presign(client)["url"] == f"{site.http}/{BUCKET}"


def test_a_set_base_wins_over_the_address_of_the_client(tmp_path: Path) -> None:
    with Site(tmp_path, url_base="https://chldo.test/front/") as site, httpx.Client(base_url=site.http) as client:
        assert presign(client)["url"] == f"https://chldo.test/front/{BUCKET}"


def test_a_browser_of_another_origin_may_ask_and_upload(site: Site, client: httpx.Client) -> None:
    origin = {"Origin": "http://localhost:3000"}
    for path in ("/v3/files/presignedurl", f"/{BUCKET}"):
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        preflight = client.options(path, headers=origin | asked)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == "*"
    post = presign(client)
    answer = client.post(post["url"], data=post["fields"], files={"file": PNG}, headers=origin)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, "*")


def test_the_largest_image_is_taken_and_a_byte_more_is_refused(site: Site, client: httpx.Client) -> None:
    largest = PNG + bytes(LIMIT - len(PNG))
    assert send(client, largest).status_code == 204
    assert site.find(ROOM, "test.jpg") == largest
    answer = send(client, largest + b"x", filename="more")
    assert error(answer) == (400, "EntityTooLarge")
    assert ElementTree.fromstring(answer.text).findtext("MaxSizeAllowed") == str(LIMIT)
    assert len(site.files) == 1


def test_a_client_that_sends_far_too_much_still_reads_the_answer(site: Site, client: httpx.Client) -> None:
    post = presign(client)
    answer = requests.post(post["url"], data=post["fields"], files={"file": PNG + bytes(2 * LIMIT)}, timeout=60)
    assert error(answer) == (400, "EntityTooLarge")
    assert site.files == []


def test_a_body_of_unknown_length_is_bounded_too(site: Site, client: httpx.Client) -> None:
    post = presign(client)
    head, tail = form(post["fields"]).split(b"CONTENT")

    def endless() -> Iterator[bytes]:
        yield head + PNG
        for _ in range(LIMIT // 100_000 + 20):
            yield bytes(100_000)
        yield tail

    answer = client.post(post["url"], content=endless(), headers=FORM)
    assert error(answer) == (400, "EntityTooLarge")
    assert site.files == []


FORM = {"Content-Type": "multipart/form-data; boundary=b0undary"}


def form(fields: dict[str, str], *, content: bytes = b"CONTENT", end: bytes = b"\r\n--b0undary--\r\n") -> bytes:
    """A multipart body by hand."""
    parts = [
        f'--b0undary\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{fields[name]}\r\n' for name in fields
    ]
    head = '--b0undary\r\nContent-Disposition: form-data; name="file"; filename="x.png"\r\n\r\n'
    return "".join([*parts, head]).encode() + content + end


def test_a_form_written_by_hand_is_read(site: Site, client: httpx.Client) -> None:
    post = presign(client)
    capital = {name.title(): value for name, value in post["fields"].items()}
    late = b'\r\n--b0undary\r\nContent-Disposition: form-data; name="submit"\r\n\r\nUpload\r\n--b0undary--'
    body = form(capital, content=JPEG, end=late)
    assert client.post(post["url"] + "/", content=body, headers=FORM).status_code == 204
    assert site.find(ROOM, "test.jpg") == JPEG


def broken_forms() -> dict[str, tuple[bytes, tuple[int, str]]]:
    """name: (what takes the place of a good body, the error); FIELDS stands for the fields of a good one."""
    malformed = (400, "MalformedPOSTRequest")
    again = b'\r\n--b0undary\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b0undary--'
    return {
        "empty": (b"", malformed),
        "no boundary in it": (b"hello" * 100, malformed),
        "cut in the fields": (b"FIELDS"[:3], malformed),
        "cut in the file": (b"FIELDS" + PNG, malformed),
        "no file": (b"--b0undary--\r\n", (400, "InvalidArgument")),
        "two files": (b"FIELDS" + PNG + again, (400, "InvalidArgument")),
        "file before the fields": (form({}, content=PNG), (400, "InvalidArgument")),
        "a field that is no UTF-8": (
            b'--b0undary\r\nContent-Disposition: form-data; name="key"\r\n\r\n\xff' + again,
            malformed,
        ),
        "a name that is no UTF-8": (
            b'--b0undary\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n1' + again,
            malformed,
        ),
        "large field": (form({"key": "k" * 30_000}), (400, "MaxPostPreDataLengthExceeded")),
        "many fields": (form({f"f{n}": "" for n in range(3000)}), (400, "MaxPostPreDataLengthExceeded")),
        "large header": (b"--b0undary\r\nX: " + b"x" * 100_000, malformed),
        "extra field": (form({"a<b&": "1"}), (400, "InvalidArgument")),
    }


@pytest.mark.parametrize("name", broken_forms())
def test_a_broken_form_is_refused_and_leaves_nothing(site: Site, client: httpx.Client, name: str) -> None:
    body, wanted = broken_forms()[name]
    post = presign(client)
    body = body.replace(b"FIELDS", form(post["fields"]).split(b"CONTENT")[0])
    assert error(client.post(post["url"], content=body, headers=FORM)) == wanted
    assert site.files == []


def test_an_extra_field_is_named_in_the_error(client: httpx.Client) -> None:
    post = presign(client)
    answer = client.post(post["url"], data={**post["fields"], "a<b&\x01": "1"}, files={"file": PNG})
    assert error(answer) == (403, "AccessDenied")
    assert "Extra input fields: a<b&" in (ElementTree.fromstring(answer.text).findtext("Message") or "")


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("application/json", (412, "PreconditionFailed")),
        ("", (412, "PreconditionFailed")),
        ("multipart/form-data", (400, "MalformedPOSTRequest")),
        ("multipart/form-data; boundary=" + "b" * 300, (400, "MalformedPOSTRequest")),
    ],
)
def test_a_body_that_is_no_form_is_refused(client: httpx.Client, kind: str, wanted: tuple[int, str]) -> None:
    assert error(client.post(f"/{BUCKET}", content=b"{}", headers={"Content-Type": kind})) == wanted


def test_a_text_file_called_png_is_refused(site: Site, client: httpx.Client) -> None:
    post = presign(client, "a.png")
    answer = client.post(
        post["url"], data=post["fields"], files={"file": ("a.png", b"hello there, world", "image/png")}
    )
    assert error(answer) == (400, "InvalidArgument")
    assert site.files == []


def test_a_refused_upload_does_not_spoil_the_connection(client: httpx.Client) -> None:
    post = presign(client)
    for _ in range(3):
        refused = client.post(post["url"], data={"key": "k"}, files={"file": PNG + bytes(1_000_000)})
        assert refused.headers.get("connection") != "close"
        assert error(refused) == (403, "AccessDenied")
        assert send(client).status_code == 204


def test_uploads_of_one_name_at_once_leave_one_of_them_whole(site: Site, client: httpx.Client) -> None:
    post = presign(client)
    bodies = [PNG + bytes([number]) * (400_000 + number) for number in range(8)]

    def one(body: bytes) -> int:
        return requests.post(post["url"], data=post["fields"], files={"file": body}, timeout=30).status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, bodies)) == [204] * 8
    assert site.find(ROOM, "test.jpg") in bodies
    assert len(site.files) == 1


def test_before_the_program_is_ready_it_says_so(tmp_path: Path) -> None:
    with Site(tmp_path, ready=False) as site, httpx.Client(base_url=site.http) as client:
        question = {"api_key": KEY, "filename": "f", "room_uid": "r"}
        assert client.post("/v3/files/presignedurl", json=question).status_code == 503
        assert error(client.post(f"/{BUCKET}", files={"file": PNG})) == (503, "ServiceUnavailable")
        assert client.get(f"/v4/memory/{TEXT_UID}").status_code == 503


async def drive(folder: Path, messages: list[dict[str, Any]], *, path: str = f"/{BUCKET}") -> list[dict[str, Any]]:
    """The route without a server: what it sends when it receives `messages` and then nothing more.

    FIELDS in a body stands for those of a good policy.
    """
    uploads = Uploads(folder, clock=VirtualClock(), ids=Ids())
    await uploads.open()

    async def shelf() -> Uploads:
        return uploads

    async def desk() -> Desk:
        return Desk()

    app = FastAPI()
    app.include_router(file_routes(Ids(), shelf, desk, patience=0.05))
    fields = form(uploads.presign("http://h", "s1", ROOM, "f")["fields"]).split(b"CONTENT")[0]
    waiting = [{**message, "body": message.get("body", b"").replace(b"FIELDS", fields)} for message in messages]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.Event().wait()
        if len(waiting) == 1 and waiting[0]["type"] == "http.disconnect":
            assert len(list((folder / "parts").iterdir())) == 1, "the upload is on disk when the client goes"
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", FORM["Content-Type"].encode())]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b"", "root_path": ""}
    await app(scope, receive, send)
    return sent


def body(data: bytes) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": True}


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and path.name != ".signing-key"]


async def test_a_client_that_disconnects_leaves_no_file(tmp_path: Path) -> None:
    await drive(tmp_path, [body(b"FIELDS" + PNG), body(bytes(600_000)), {"type": "http.disconnect"}])
    assert left(tmp_path) == []


async def test_a_client_that_stalls_is_let_go_and_leaves_no_file(tmp_path: Path) -> None:
    start, answer = await drive(tmp_path, [body(b"FIELDS" + PNG), body(bytes(600_000))])
    assert start["status"] == 400
    assert (b"connection", b"close") in start["headers"]
    assert b"<Code>RequestTimeout</Code>" in answer["body"]
    assert left(tmp_path) == []


async def test_a_question_that_never_ends_is_answered(tmp_path: Path) -> None:
    start, _ = await drive(tmp_path, [body(b'{"api_key":')], path="/v3/files/presignedurl")
    assert start["status"] == 408


async def test_a_disk_that_fails_is_answered_as_an_internal_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "images").mkdir()
    of_space = sha256(_key("s1", ROOM, "f").split("/")[0].encode()).hexdigest()[:16]
    (tmp_path / "images" / of_space).write_bytes(b"")  # where the folder of the space has to be
    end = {"type": "http.request", "body": b"\r\n--b0undary--", "more_body": False}
    start, answer = await drive(tmp_path, [body(b"FIELDS" + PNG), end])
    assert start["status"] == 500
    assert b"<Code>InternalError</Code>" in answer["body"]
    assert "cannot be stored" in caplog.text
    assert left(tmp_path) == [of_space]


def test_the_slack_holds_more_than_a_form_needs() -> None:
    assert SLACK > 2 * 20 * 1024


def test_a_memory_of_text_is_shown(client: httpx.Client) -> None:
    answer = client.get(f"/v4/memory/{TEXT_UID}")
    assert answer.status_code == 200
    assert list(answer.json().items()) == [
        ("uid", TEXT_UID),
        ("name", "도손"),
        ("type", "text"),
        ("value", "향수 <1>"),
    ]


def test_a_dictionary_is_shown_as_the_list_of_the_memory_dict_frame(client: httpx.Client) -> None:
    assert client.get(f"/v4/memory/{DICT_UID}").json() == {
        "uid": DICT_UID,
        "name": "dict",
        "type": "dict",
        "value": [{"v": "베스트셀러", "k": "desc"}, {"v": "튜베로즈", "k": "note"}, {"v": "again", "k": "desc"}],
    }


@pytest.mark.parametrize("uid", ["f" * 17, "d3609c2758b7aa6b", TEXT_UID.upper(), "%00", "..", "가"])
def test_an_unknown_memory_is_404(client: httpx.Client, uid: str) -> None:
    answer = client.get(f"/v4/memory/{uid}")
    assert answer.status_code == 404
    assert uid == ".." or answer.json() == {"message": "memory is not exist"}


def test_a_memory_may_be_read_from_another_origin(client: httpx.Client) -> None:
    answer = client.get(f"/v4/memory/{TEXT_UID}", headers={"Origin": "http://localhost:3000"})
    assert answer.headers["access-control-allow-origin"] == "*"
