"""Upload policies, the checks of what comes with them, and the images on disk."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import stat
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.emulation.determinism import Ids, VirtualClock
from app.emulation.key_file import KeyFileError
from app.spaces.s3 import Accepted, S3Error, sign
from app.spaces.uploads import BUCKET, Uploads, _key, sniff

PNG = b"\x89PNG\r\n\x1a\n" + b"p" * 100
JPEG = b"\xff\xd8\xff\xe0" + b"j" * 300
GIF = b"GIF89a" + b"g" * 50
WEBP = b"RIFF\x10\0\0\0WEBP" + b"w" * 60

# The worked example of the S3 documentation for browser-based uploads.
EXAMPLE_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
EXAMPLE_SIGNATURE = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"
EXAMPLE_POLICY = (
    '{ "expiration": "2015-12-30T12:00:00.000Z",\r\n  "conditions": [\r\n    {"bucket": "sigv4examplebucket"},\r\n'
    '    ["starts-with", "$key", "user/user1/"],\r\n    {"acl": "public-read"},\r\n'
    '    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},\r\n'
    '    ["starts-with", "$Content-Type", "image/"],\r\n    {"x-amz-meta-uuid": "14365123651274"},\r\n'
    '    {"x-amz-server-side-encryption": "AES256"},\r\n    ["starts-with", "$x-amz-meta-tag", ""],\r\n\r\n'
    '    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},\r\n'
    '    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},\r\n    {"x-amz-date": "20151229T000000Z" }\r\n  ]\r\n}'
)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def uploads(tmp_path: Path, clock: VirtualClock) -> AsyncIterator[Uploads]:
    shelf = make(tmp_path, clock)
    await shelf.open()
    yield shelf
    await shelf.close()


def make(folder: Path, clock: VirtualClock | None = None, **options: Any) -> Uploads:
    return Uploads(folder, clock=clock or VirtualClock(), ids=Ids(), **options)


def fields_of(uploads: Uploads, filename: str = "test.jpg", room: str = "r1", space: str = "s1") -> dict[str, str]:
    fields = uploads.presign("http://h", space, room, filename)["fields"]
    assert isinstance(fields, dict)
    return fields


async def stream(*pieces: bytes | S3Error) -> AsyncIterator[bytes | S3Error]:
    for piece in pieces:
        yield piece


async def put(uploads: Uploads, content: bytes = PNG, **where: str) -> Accepted | S3Error:
    return await uploads.accept(fields_of(uploads, **where), stream(content))


def files(folder: Path) -> list[Path]:
    """Everything but the key."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".signing-key")


def secret_of(folder: Path) -> str:
    return (folder / ".signing-key").read_text()


def resigned(folder: Path, fields: dict[str, str], policy: dict[str, Any]) -> dict[str, str]:
    """The fields under another policy, with the right signature for it."""
    text = base64.b64encode(json.dumps(policy).encode()).decode()
    return {**fields, "policy": text, "x-amz-signature": sign(secret_of(folder), fields["x-amz-date"], text)}


def policy_of(fields: dict[str, str]) -> dict[str, Any]:
    policy = json.loads(base64.b64decode(fields["policy"]))
    assert isinstance(policy, dict)
    return policy


def code(outcome: Accepted | S3Error) -> tuple[int, str]:
    assert isinstance(outcome, S3Error), outcome
    return outcome.status, outcome.code


def test_the_worked_example_of_the_s3_documentation_has_its_signature() -> None:
    policy = base64.b64encode(EXAMPLE_POLICY.encode()).decode()
    assert sign(EXAMPLE_SECRET, "20151229T000000Z", policy, "us-east-1") == EXAMPLE_SIGNATURE


async def test_a_policy_names_its_fields_in_the_order_and_shape_of_s3(uploads: Uploads, tmp_path: Path) -> None:
    post = uploads.presign("http://127.0.0.1:8765/", "demo", "51VPKp3F0yPX", "test.jpg")
    assert post["url"] == f"http://127.0.0.1:8765/{BUCKET}"
    fields = post["fields"]
    assert list(fields) == [
        "key",
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "policy",
        "x-amz-signature",
    ]
    assert fields["key"] == "demo/51VPKp3F0yPX/test.jpg"
    assert fields["x-amz-date"] == "20231114T221320Z"
    access, *scope = fields["x-amz-credential"].split("/")
    assert scope == ["20231114", "ap-northeast-2", "s3", "aws4_request"]
    assert len(access) == 20
    assert policy_of(fields)["expiration"] == "2023-11-14T23:13:20Z"
    assert ["content-length-range", 1, 20 * 1024 * 1024] in policy_of(fields)["conditions"]

    key = b"AWS4" + secret_of(tmp_path).encode()
    for step in scope:
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    assert fields["x-amz-signature"] == hmac.new(key, fields["policy"].encode(), hashlib.sha256).hexdigest()


async def test_the_secret_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    first, second = make(tmp_path), make(tmp_path)
    await asyncio.gather(first.open(), second.open())
    assert stat.S_IMODE((tmp_path / ".signing-key").stat().st_mode) == 0o600
    assert secret_of(tmp_path) not in repr(vars(second)["_key_file"]) + str(fields_of(first)) + repr(first)
    assert files(tmp_path) == []
    assert isinstance(await second.accept(fields_of(first), stream(PNG)), Accepted)


async def test_a_key_file_that_is_no_key_is_refused_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / ".signing-key").write_text("")
    with pytest.raises(KeyFileError, match="delete it"):
        await make(tmp_path).open()


async def test_nothing_is_signed_before_it_is_open(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        make(tmp_path).presign("http://h", "s", "r", "f")


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (GIF, "image/gif"),
        (GIF.replace(b"9", b"7"), "image/gif"),
        (WEBP, "image/webp"),
    ],
)
async def test_an_image_is_found_again_by_space_room_and_name_with_the_type_of_its_content(
    uploads: Uploads, content: bytes, media_type: str
) -> None:
    outcome = await put(uploads, content, filename="whatever.txt")
    assert outcome == Accepted("s1/r1/whatever.txt", media_type, len(content), hashlib.md5(content).hexdigest())
    image = await uploads.find("s1", "r1", "whatever.txt")
    assert image is not None
    assert (image.media_type, image.size, image.path.read_bytes()) == (media_type, len(content), content)
    assert await uploads.data_url(image) == f"data:{media_type};base64,{base64.b64encode(content).decode()}"


async def test_a_large_data_url_is_that_of_the_whole_image(uploads: Uploads) -> None:
    content = PNG + os.urandom(2_000_001)
    assert isinstance(await put(uploads, content), Accepted)
    image = await uploads.find("s1", "r1", "test.jpg")
    assert image is not None
    assert base64.b64decode((await uploads.data_url(image)).partition(",")[2]) == content


@pytest.mark.parametrize(
    "content",
    [
        b"%PDF-1.7 " + b"x" * 500,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"MZ" + b"\0" * 100,
        b"\xff\xd8\xff",
        b"RIFF\x10\0\0\0WAVE" + b"w" * 60,
        b" " + PNG,
        b"\0" * 400_000,
    ],
)
async def test_what_is_no_image_is_refused_whatever_its_name(uploads: Uploads, tmp_path: Path, content: bytes) -> None:
    assert code(await put(uploads, content, filename="picture.png")) == (400, "InvalidArgument")
    assert files(tmp_path) == []


async def test_pieces_of_one_byte_make_the_same_image(uploads: Uploads) -> None:
    outcome = await uploads.accept(fields_of(uploads), stream(*(bytes([byte]) for byte in JPEG)))
    assert isinstance(outcome, Accepted)
    assert outcome.etag == hashlib.md5(JPEG).hexdigest()


async def test_another_space_room_or_name_does_not_find_the_image(uploads: Uploads) -> None:
    await put(uploads)
    for other in (
        ("s2", "r1", "test.jpg"),
        ("s1", "r2", "test.jpg"),
        ("s1", "r1", "TEST.jpg"),
        ("s1/r1", "", "test.jpg"),
    ):
        assert await uploads.find(*other) is None


async def test_the_same_name_in_the_same_room_replaces_and_nothing_else_does(uploads: Uploads, tmp_path: Path) -> None:
    await put(uploads, PNG)
    await put(uploads, GIF, room="r2")
    await put(uploads, WEBP, space="s2")
    await put(uploads, JPEG)
    found = [await uploads.find(space, room, "test.jpg") for space, room in (("s1", "r1"), ("s1", "r2"), ("s2", "r1"))]
    assert [image and image.media_type for image in found] == ["image/jpeg", "image/gif", "image/webp"]
    assert len(files(tmp_path)) == 3


NASTY = [
    "../../../etc/passwd",
    "..",
    ".",
    ".signing-key",
    "/etc/passwd",
    "..\\..\\boot.ini",
    "a\0b.png",
    "사진 1.png",
    unicodedata.normalize("NFD", "사진 1.png"),
    "x" * 3000,
    "가" * 3000,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467.png",
    "a/b",
    "CON",
    "~" + "0" * 64,
    "${filename}",
    "new\r\nline",
    "\ud800",
    " ",
]


@pytest.mark.parametrize("name", NASTY, ids=range(len(NASTY)))
async def test_any_name_is_stored_inside_the_folder_and_found_again(
    uploads: Uploads, tmp_path: Path, name: str
) -> None:
    before = set(tmp_path.parent.rglob("*"))
    assert isinstance(await put(uploads, filename=name, room=name, space=name), Accepted)
    image = await uploads.find(name, name, name)
    assert image is not None
    new = {path for path in set(tmp_path.parent.rglob("*")) - before if path.is_file()}
    assert new == {image.path}
    assert image.path.parent.parent.parent == tmp_path / "images"


@given(*[st.tuples(*[st.text(st.characters(), max_size=120)] * 3)] * 2)
def test_two_places_never_share_a_key(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assert (_key(*one) == _key(*other)) == (one == other)
    assert _key(*one).count("/") == 2


async def test_a_hashed_name_is_not_the_name_that_spells_its_hash(uploads: Uploads) -> None:
    await put(uploads, filename="사진.png")
    spelt = fields_of(uploads, filename="사진.png")["key"].rpartition("/")[2]
    assert await uploads.find("s1", "r1", spelt) is None


@pytest.mark.parametrize("missing", ["key", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"])
async def test_a_missing_field_is_named(uploads: Uploads, missing: str) -> None:
    fields = fields_of(uploads)
    del fields[missing]
    outcome = await uploads.accept(fields, stream(PNG))
    assert code(outcome) == (400, "InvalidArgument")
    assert isinstance(outcome, S3Error)
    assert f"'{missing}'" in outcome.message


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"key": "s1/r2/test.jpg"}, (403, "AccessDenied")),
        ({"key": "s1/r1/../../x"}, (403, "AccessDenied")),
        ({"policy": "e30="}, (403, "SignatureDoesNotMatch")),
        ({"policy": "가"}, (403, "SignatureDoesNotMatch")),
        ({"x-amz-signature": "0" * 64}, (403, "SignatureDoesNotMatch")),
        ({"x-amz-signature": "가"}, (403, "SignatureDoesNotMatch")),
        ({"x-amz-signature": ""}, (403, "SignatureDoesNotMatch")),
        (
            {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20231114/ap-northeast-2/s3/aws4_request"},
            (403, "InvalidAccessKeyId"),
        ),
        ({"x-amz-algorithm": "AWS4-HMAC-SHA1"}, (400, "InvalidArgument")),
        ({"x-amz-date": "yesterday"}, (400, "InvalidArgument")),
        ({"x-amz-date": "20231114T221321Z"}, (403, "AccessDenied")),
        ({"x-amz-date": "20231115T221320Z"}, (403, "InvalidAccessKeyId")),
        ({"acl": "public-read"}, (403, "AccessDenied")),
        ({"content-type": "image/png"}, (403, "AccessDenied")),
    ],
)
async def test_a_changed_field_is_refused_and_nothing_is_stored(
    uploads: Uploads, tmp_path: Path, change: dict[str, str], wanted: tuple[int, str]
) -> None:
    touched: list[bytes] = []

    async def content() -> AsyncIterator[bytes | S3Error]:
        touched.append(PNG)
        yield PNG

    assert code(await uploads.accept({**fields_of(uploads), **change}, content())) == wanted
    assert not touched
    assert files(tmp_path) == []


async def test_a_form_without_a_policy_is_an_anonymous_one(uploads: Uploads) -> None:
    assert code(await uploads.accept({"key": "s1/r1/test.jpg"}, stream(PNG))) == (403, "AccessDenied")


async def test_fields_to_be_ignored_are(uploads: Uploads) -> None:
    fields = {**fields_of(uploads), "x-ignore-me": "1"}
    assert isinstance(await uploads.accept(fields, stream(PNG)), Accepted)


async def test_a_policy_lasts_an_hour(uploads: Uploads, clock: VirtualClock) -> None:
    fields = fields_of(uploads)
    clock.elapsed = 3599.9
    assert isinstance(await uploads.accept(fields, stream(PNG)), Accepted)
    clock.elapsed = 3600.0
    outcome = await uploads.accept(fields, stream(PNG))
    assert outcome == S3Error(403, "AccessDenied", "Invalid according to Policy: Policy expired.")


async def test_a_policy_of_another_folder_opens_nothing(uploads: Uploads, tmp_path: Path) -> None:
    other = make(tmp_path / "other")
    await other.open()
    assert code(await uploads.accept(fields_of(other), stream(PNG))) == (403, "InvalidAccessKeyId")


async def test_the_conditions_of_the_policy_count_not_only_its_signature(uploads: Uploads, tmp_path: Path) -> None:
    fields = fields_of(uploads)
    policy = policy_of(fields)
    narrow = {**policy, "conditions": [["content-length-range", 1, 50], *policy["conditions"][1:]]}
    assert code(await uploads.accept(resigned(tmp_path, fields, narrow), stream(PNG))) == (400, "EntityTooLarge")
    elsewhere = {**policy, "conditions": [{"bucket": "another"}, *policy["conditions"][2:]]}
    assert code(await uploads.accept(resigned(tmp_path, fields, elsewhere), stream(PNG))) == (403, "AccessDenied")
    keyless = {**policy, "conditions": [each for each in policy["conditions"] if "key" not in each]}
    assert code(await uploads.accept(resigned(tmp_path, fields, keyless), stream(PNG))) == (403, "AccessDenied")


async def test_the_limit_is_exact_and_an_empty_file_is_too_small(tmp_path: Path) -> None:
    uploads = make(tmp_path, limit=len(PNG))
    await uploads.open()
    assert isinstance(await put(uploads, PNG), Accepted)
    outcome = await put(uploads, PNG + b"1", filename="b")
    assert isinstance(outcome, S3Error)
    assert (outcome.status, outcome.code) == (400, "EntityTooLarge")
    assert outcome.details == (("ProposedSize", str(len(PNG) + 1)), ("MaxSizeAllowed", str(len(PNG))))
    assert code(await put(uploads, b"", filename="c")) == (400, "EntityTooSmall")
    assert len(files(tmp_path)) == 1


async def test_an_upload_that_breaks_off_leaves_no_file_and_the_image_before_it(
    uploads: Uploads, tmp_path: Path
) -> None:
    await put(uploads, GIF)

    async def breaking() -> AsyncIterator[bytes | S3Error]:
        yield PNG * 10_000
        assert len(list((tmp_path / "parts").iterdir())) == 1
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await uploads.accept(fields_of(uploads), breaking())
    broken = S3Error(400, "MalformedPOSTRequest", "no")
    assert await uploads.accept(fields_of(uploads), stream(PNG * 10_000, broken)) is broken
    image = await uploads.find("s1", "r1", "test.jpg")
    assert image is not None
    assert files(tmp_path) == [image.path]
    assert image.media_type == "image/gif"


async def test_a_cancelled_upload_leaves_no_file(uploads: Uploads, tmp_path: Path) -> None:
    waiting = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes | S3Error]:
        yield PNG * 10_000
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(uploads.accept(fields_of(uploads), stalled()))
    await waiting.wait()
    assert len(files(tmp_path)) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files(tmp_path) == []


async def test_uploads_of_one_key_at_once_leave_one_of_them_whole(uploads: Uploads, tmp_path: Path) -> None:
    bodies = [PNG + bytes([number]) * (300_000 + number) for number in range(8)]
    fields = fields_of(uploads)
    outcomes = await asyncio.gather(
        *(uploads.accept(fields, stream(body[:270_000], body[270_000:])) for body in bodies)
    )
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    [image] = files(tmp_path)
    assert image.read_bytes() in bodies


async def test_a_full_folder_takes_no_more_until_there_is_room(tmp_path: Path) -> None:
    uploads = make(tmp_path, total=2 * len(PNG))
    await uploads.open()
    assert isinstance(await put(uploads, filename="1"), Accepted)
    assert isinstance(await put(uploads, filename="2"), Accepted)
    assert code(await put(uploads, filename="3")) == (503, "SlowDown")
    assert len(files(tmp_path)) == 2

    again = make(tmp_path, total=2 * len(PNG))
    await again.open()
    assert code(await put(again, filename="3")) == (503, "SlowDown"), "the images of an earlier run count"
    files(tmp_path)[0].unlink()
    await again.sweep()
    assert isinstance(await put(again, filename="3"), Accepted)


async def test_a_replaced_image_counts_once(tmp_path: Path) -> None:
    uploads = make(tmp_path, total=2 * len(PNG))
    await uploads.open()
    for _ in range(5):
        assert isinstance(await put(uploads), Accepted)


async def test_no_more_uploads_run_at_once_than_are_allowed(tmp_path: Path) -> None:
    uploads = make(tmp_path, at_once=1)
    await uploads.open()

    async def slow() -> AsyncIterator[bytes | S3Error]:
        assert code(await put(uploads, filename="b")) == (503, "SlowDown")
        yield PNG

    assert isinstance(await uploads.accept(fields_of(uploads), slow()), Accepted)
    assert isinstance(await put(uploads, filename="b"), Accepted)


async def test_the_sweep_deletes_what_a_crash_left_and_nothing_under_way(
    uploads: Uploads, tmp_path: Path, clock: VirtualClock
) -> None:
    await put(uploads)
    now = int(clock.time())
    (tmp_path / "parts" / f"{now - 3600}-abc.part").write_bytes(PNG)
    (tmp_path / "parts" / f"{now - 3599}-abc.part").write_bytes(PNG)
    assert await uploads.sweep() == 1
    assert await uploads.sweep() == 0
    clock.elapsed = 1
    assert await uploads.sweep() == 1
    assert await uploads.find("s1", "r1", "test.jpg")


async def test_a_disk_that_fails_is_the_programs_own_fault(uploads: Uploads, tmp_path: Path) -> None:
    (tmp_path / "parts").rmdir()
    with pytest.raises(OSError, match="parts"):
        await put(uploads)


@given(st.binary(max_size=40))
def test_sniffing_reads_twelve_bytes_at_most(content: bytes) -> None:
    assert sniff(content) == sniff(content[:12])
