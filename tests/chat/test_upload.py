"""`chat --file`: what is asked of the info host, what reaches the bucket, and what is said when either refuses."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.chat.address import Address
from app.chat.upload import ANSWER_LIMIT, PICTURE_LIMIT
from tests.chat.bucket import FIELDS, Bucket, open_bucket
from tests.chat.stage import END, KEY, ROOM, ROOT, START, Stage, begin, chat, finish, token
from tests.live import LiveServer

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) + b"\r\n--x--\r\n"


@pytest.fixture
async def bucket(stage: Stage) -> AsyncIterator[Bucket]:
    async with open_bucket(stage.port) as made:
        yield made


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "고양이 1.PNG"
    path.write_bytes(PNG)
    return path


async def test_the_image_is_uploaded_as_a_form_and_its_name_sent_with_the_message(
    stage: Stage, bucket: Bucket, picture: Path
) -> None:
    stage.play = stage.plays([START, token("고양이네요."), END])
    ran = await chat(bucket.url(), "-m", "이 사진은 무엇인가요", "--file", str(picture))
    assert (ran.code, ran.out) == (0, "고양이네요.\n")
    assert ran.err.splitlines()[1] == f"file         {picture.name}  {len(PNG)} bytes"
    assert bucket.questions == [{"api_key": KEY, "room_uid": ROOM, "filename": picture.name}]
    assert bucket.forms == [[*FIELDS.items(), ("file", (picture.name, "image/png", PNG))]]
    assert [(ask["msg"], ask["filename"]) for ask in stage.requests] == [("이 사진은 무엇인가요", picture.name)]


async def test_the_image_is_uploaded_once_and_goes_with_every_line(stage: Stage, bucket: Bucket, picture: Path) -> None:
    ran = await finish(await begin(bucket.url(), "--file", str(picture), "-q"), "하나\n둘\n")
    assert (ran.code, ran.err) == (0, "")
    assert [(ask["msg"], ask["filename"]) for ask in stage.requests] == [("하나", picture.name), ("둘", picture.name)]
    assert len(bucket.forms) == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jpg", "image/jpeg"),
        ("a.JPEG", "image/jpeg"),
        ("a.gif", "image/gif"),
        ("a.webp", "image/webp"),
        ("a.txt", "application/octet-stream"),
    ],
)
async def test_the_content_type_follows_the_suffix(bucket: Bucket, tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_bytes(PNG)
    assert (await chat(bucket.url(), "-m", "hi", "--file", str(tmp_path / name))).code == 0
    assert bucket.forms[0][-1] == ("file", (name, kind, PNG))


S3_REFUSAL = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>EntityTooLarge</Code><Message>Your proposed upload exceeds'
    b" &lt;the&gt; maximum\nallowed size</Message><ProposedSize>9</ProposedSize></Error>"
)


@pytest.mark.parametrize(
    ("grant", "receipt", "said"),
    [
        (None, (400, S3_REFUSAL), "EntityTooLarge: Your proposed upload exceeds <the> maximum allowed size"),
        (None, (403, b"<Error><Code>AccessDenied</Code></Error>"), "AccessDenied"),
        (None, (500, b""), "HTTP 500"),
        (None, (307, b"<html>"), "HTTP 307"),
        ((400, b'{"message":"api_key is not exist"}'), (204, b""), "api_key is not exist"),
        ((404, b'{"detail":"Not Found"}'), (204, b""), "HTTP 404"),
        ((500, b"[" * 2 * ANSWER_LIMIT), (204, b""), "HTTP 500"),
        ((200, b"[]"), (204, b""), "the server names no place for it"),
        ((200, b'{"presigned_url":{"url":1,"fields":{}}}'), (204, b""), "the server names no place for it"),
        ((200, b'{"presigned_url":{"url":"http://x/"}}'), (204, b""), "the server names no place for it"),
    ],
)
async def test_a_refused_upload_is_one_line_and_1_and_nothing_is_asked(
    stage: Stage,
    bucket: Bucket,
    picture: Path,
    grant: tuple[int, bytes] | None,
    receipt: tuple[int, bytes],
    said: str,
) -> None:
    bucket.grant, bucket.receipt = grant, receipt
    ran = await chat(bucket.url(), "-m", "hi", "-q", "--file", str(picture))
    assert (ran.code, ran.out, ran.err) == (1, "", f"chldo-emulator: {picture.name} was not uploaded: {said}\n")
    assert stage.requests == []


async def test_the_key_is_not_shown_even_if_the_refusal_repeats_it(bucket: Bucket, picture: Path) -> None:
    bucket.grant = 400, json.dumps({"message": f"no {KEY}"}).encode()
    ran = await chat(bucket.url(), "-m", "hi", "-q", "--file", str(picture))
    assert ran.err.endswith("was not uploaded: no ***\n")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "gopher://x/", "http://[/"])
async def test_a_bucket_that_cannot_be_reached_ends_with_3(bucket: Bucket, picture: Path, url: str) -> None:
    bucket.grant = 200, json.dumps({"presigned_url": {"url": url, "fields": {}}}).encode()
    ran = await chat(bucket.url(), "-m", "hi", "-q", "--file", str(picture))
    assert (ran.code, ran.err.count("\n")) == (3, 1)
    assert ran.err.startswith(f"chldo-emulator: {picture.name} was not uploaded: ")


async def test_a_bucket_that_does_not_answer_ends_with_4(bucket: Bucket, picture: Path) -> None:
    never = asyncio.Event()

    async def wait() -> None:
        await never.wait()

    bucket.before = wait
    ran = await chat(bucket.url(), "-m", "hi", "-q", "--file", str(picture), "--timeout", "0.2")
    never.set()
    assert (ran.code, ran.err) == (
        4,
        f"chldo-emulator: {picture.name} was not uploaded: it took too long; --timeout lets it take longer\n",
    )


async def test_ctrl_c_while_uploading_closes_the_socket_and_ends_with_130(
    stage: Stage, bucket: Bucket, picture: Path
) -> None:
    arrived, never = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        arrived.set()
        await never.wait()

    bucket.before = wait
    process = await begin(bucket.url(), "-m", "hi", "-q", "--file", str(picture))
    await asyncio.wait_for(arrived.wait(), 30)
    process.send_signal(signal.SIGINT)
    ran = await finish(process)
    never.set()
    assert (ran.code, ran.out, ran.err) == (130, "", "")
    await stage.closed.wait()
    assert (stage.close_codes, stage.requests) == ([1000], [])


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("large.png", PICTURE_LIMIT + 1, "it is larger than 20 MB"),
        ("empty.png", 0, "it is empty"),
        ("none.png", None, "there is no such file"),
        (".", None, "it is no file"),
    ],
)
async def test_a_file_that_cannot_be_sent_is_one_line_and_2_before_anything_is_asked(
    stage: Stage, bucket: Bucket, tmp_path: Path, name: str, size: int | None, said: str
) -> None:
    path = tmp_path / name
    if size is not None:
        path.touch()
        os.truncate(path, size)
    ran = await chat(bucket.url(), "-m", "hi", "--file", str(path))
    assert (ran.code, ran.out, ran.err) == (2, "", f"chldo-emulator: cannot send {path}: {said}\n")
    assert (bucket.questions, stage.targets, stage.fetched) == ([], [], [])


async def test_an_image_of_exactly_the_limit_is_sent(bucket: Bucket, tmp_path: Path) -> None:
    path = tmp_path / "full.png"
    path.touch()
    os.truncate(path, PICTURE_LIMIT)
    assert (await chat(bucket.url(), "-m", "hi", "--file", str(path))).code == 0
    assert bucket.forms[0][-1] == ("file", ("full.png", "image/png", bytes(PICTURE_LIMIT)))


async def test_a_file_needs_a_key_also_where_an_organisation_names_the_space(stage: Stage, picture: Path) -> None:
    ran = await chat(stage.url(), "-m", "hi", "--org-id", "org_1", "--file", str(picture), key=None)
    assert (ran.code, ran.err) == (
        2,
        "chldo-emulator: --file needs an API key: give it with --api-key or in CHLDO_API_KEY\n",
    )


def test_the_real_service_is_asked_for_a_place_on_its_info_host() -> None:
    assert Address.of("wss://ws.api.chldo.com/v3/").http == "https://info.api.chldo.com"


def test_nothing_of_an_http_client_is_loaded_with_the_chat() -> None:
    program = "import sys, app.chat; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


async def test_the_emulator_takes_the_image_and_refuses_what_is_none(tmp_path: Path, picture: Path) -> None:
    (tmp_path / "letter.png").write_text("no image")
    with LiveServer(tmp_path / "data") as server:
        sent = await chat(f"{server.ws}/v3/", "-q", "-m", "이 사진은 무엇인가요", "--file", str(picture))
        refused = await chat(f"{server.ws}/v3/", "-q", "-m", "hi", "--file", str(tmp_path / "letter.png"))
    assert (sent.code, sent.err) == (0, "")
    assert sent.out
    assert refused.code == 1
    assert refused.err.startswith("chldo-emulator: letter.png was not uploaded: InvalidArgument: ")
