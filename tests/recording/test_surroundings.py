"""What goes beside the messages: HTTP, TLS, voices, the disk."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import logging
import ssl
import threading
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus

from app.emulation.recording import voices, writer
from app.emulation.recording.voices import sound_urls
from tests.live import DEMO_KEY, PATIENCE, LiveServer, Peer, sendmsg, write_fixtures
from tests.recording.upstream import CHUNK, UpstreamServer, recording, upstream_server


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("emulator")
    replies: list[dict[str, Any]] = [{"when": {"msg": "천천히"}, "tokens": ["가", "나"], "pace": {"per_second": 2}}]
    fixtures = write_fixtures(folder / "fixtures", replies=replies)
    with LiveServer(folder / "data", fixtures=fixtures, voice={"workers": 1, "engine": "tone"}) as server:
        yield server


async def test_http_goes_through_as_it_is(emulator: LiveServer, tmp_path: Path) -> None:
    ask = {"api_key": DEMO_KEY, "filename": "a.png", "room_uid": "51VPKp3F0yPX"}
    async with recording(emulator.ws, tmp_path) as at, httpx.AsyncClient(base_url=at.http) as client:
        room = await client.get("/v3/room/uid/", headers={"Origin": "http://localhost:5173"})
        assert len(room.json()["room_uid"]) == 12
        assert room.headers["access-control-allow-origin"] == "*"
        signed = await client.post("/v3/files/presignedurl", json=ask)
        assert signed.status_code == 200
        fields = signed.json()["presigned_url"]["fields"]
        png = b"\x89PNG\r\n\x1a\n" + bytes(300_000)
        where = signed.json()["presigned_url"]["url"]
        assert where.startswith(emulator.http), "a URL in an answer is not changed"
        sent = await client.post(where.removeprefix(emulator.http), data=fields, files={"file": ("a.png", png)})
        direct = await client.get(f"{emulator.http}/v3/nothing?a=%20b")
        through = await client.get("/v3/nothing?a=%20b")
        assert (through.status_code, through.content) == (direct.status_code, direct.content)
        assert sent.status_code == 204, sent.text
    assert at.tapes == []


async def test_a_streamed_body_comes_as_it_is_made(emulator: LiveServer, tmp_path: Path) -> None:
    ask = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "천천히"}]}
    headers = {"Authorization": f"Bearer {DEMO_KEY}"}
    loop = asyncio.get_running_loop()
    times: list[float] = []
    async with (
        recording(emulator.ws, tmp_path) as at,
        httpx.AsyncClient() as client,
        client.stream("POST", f"{at.http}/v1/chat/completions", json=ask, headers=headers) as answer,
    ):
        async for line in answer.aiter_lines():
            if '"content":"' in line and '"content":""' not in line:
                times.append(loop.time())
    assert len(times) == 2
    assert times[1] - times[0] > 0.3


async def test_a_voice_is_served_in_ranges_and_by_head(emulator: LiveServer, tmp_path: Path) -> None:
    async with recording(emulator.ws, tmp_path) as at, httpx.AsyncClient(base_url=at.http) as client:
        async with connect(f"{at.ws}/v3/?room_uid=r&user_uid=u") as socket:
            frames = await Peer(socket).turn(sendmsg(return_voice=1))
        url = next(frame["voice_url"] for frame in frames if "voice_url" in frame)
        # the emulator names the host it was asked at: the recorder asks it under its own name
        assert url.startswith(emulator.http)
        path = url.removeprefix(emulator.http)
        whole = await client.get(path)
        part = await client.get(path, headers={"Range": "bytes=10-19"})
        head = await client.head(path)
    assert whole.headers["content-type"] == "audio/mpeg"
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))


async def test_a_server_that_is_down_is_502_over_http(tmp_path: Path) -> None:
    async with recording("ws://127.0.0.1:9", tmp_path) as at, httpx.AsyncClient() as client:
        answer = await client.get(f"{at.http}/v3/room/uid/")
    assert answer.status_code == 502
    assert answer.json()["message"].startswith("cannot reach 127.0.0.1:9: ")


@pytest.mark.parametrize("request_head", [b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n", b"nonsense\r\n\r\n"])
async def test_what_is_no_request_for_the_server_is_refused(
    upstream: UpstreamServer, tmp_path: Path, request_head: bytes
) -> None:
    async with recording(upstream.url, tmp_path) as at:
        reader, sending = await asyncio.open_connection("127.0.0.1", at.port)
        sending.write(request_head)
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
        sending.close()


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "ca.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return public, private


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[UpstreamServer, Path]]:
    public, private = certificate(tmp_path_factory.mktemp("tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    with upstream_server(context) as server:
        yield server, public


@pytest.mark.parametrize("trust", ["ca", "insecure"])
async def test_wss_with_an_authority_of_ones_own(
    secure: tuple[UpstreamServer, Path], tmp_path: Path, trust: str
) -> None:
    server, public = secure
    options: dict[str, Any] = {"ca": public} if trust == "ca" else {"insecure": True}
    async with recording(server.url, tmp_path, **options) as at, connect(f"{at.ws}/echo") as socket:
        await socket.send("through TLS")
        assert await socket.recv() == "through TLS"
    assert at.tape.url == f"{server.url}/echo"
    assert at.tape.close == (1000, "")


async def test_a_certificate_that_is_not_trusted_is_502_with_a_hint(
    secure: tuple[UpstreamServer, Path], tmp_path: Path
) -> None:
    async with recording(secure[0].url, tmp_path) as at:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{at.ws}/echo")
    message = json.loads(refused.value.response.body)["message"]
    assert refused.value.response.status_code == 502
    assert "is not trusted" in message
    assert "--ca" in message


class SoundServer:
    """Names voices on a socket and serves them over HTTP on another port."""

    def __init__(self, answers: list[bytes]) -> None:
        self.answers = answers
        self.asked: list[bytes] = []

    async def http(self, reader: asyncio.StreamReader, sending: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        sending.write(self.answers[len(self.asked) - 1])
        await sending.drain()
        sending.close()


async def test_voices_are_kept_within_bounds_and_without_the_clients_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(voices, "LARGEST", 1000)
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    answers = [
        ok % 5 + b"sound",
        ok % 2000 + bytes(2000),
        b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
    ]
    sounds = SoundServer(answers)
    server = await asyncio.start_server(sounds.http, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    urls = [f"http://127.0.0.1:{port}/v/{name}.mp3?Signature=s{name}gnature" for name in ("good", "big", "moved")]
    inside = ["169.254.169.254", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0", "[::ffff:127.0.0.1]"]

    async def tell(socket: ServerConnection) -> None:
        for url in [urls[0], *urls, *(f"http://{host}:1/x.mp3" for host in inside), "file:///x.mp3"]:
            await socket.send(json.dumps({"voice_url": url}))
            while len(sounds.asked) < urls.index(url) + 1 if url in urls else False:
                await asyncio.sleep(0.01)
        await socket.recv()

    with caplog.at_level(logging.WARNING, logger="app.recording"):
        async with (
            server,
            serve(tell, "127.0.0.1", 0) as there,
            recording(f"ws://127.0.0.1:{there.sockets[0].getsockname()[1]}", tmp_path, voices=True) as at,
            connect(f"{at.ws}/", additional_headers={"Cookie": "secret=1"}) as socket,
        ):
            for _ in range(5 + len(inside)):
                await socket.recv()
    assert [head.split()[1].decode() for head in sounds.asked] == [url.partition(f"{port}")[2] for url in urls]
    assert all(b"secret" not in head for head in sounds.asked)
    assert {url: file.read_bytes() for url, file in at.tape.files.items()} == {
        urls[0].replace("sgoodgnature", "redacted-signature-1x12"): b"sound"
    }
    told = [record.message.partition(": ")[2] for record in caplog.records if record.name == "app.recording"]
    refused = [line for line in told if line.endswith(("is in a private network", "is no address of a server"))]
    assert len(refused) == len(inside)
    assert sorted(set(told) - set(refused)) == [
        "a voice cannot be kept: it has more than 1000 bytes",
        "a voice cannot be kept: status 302",
    ]


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ('{"a": ["https://h/x.mp3", {"b": "http://h/y.WAV?q=.mp3"}]}', ["https://h/x.mp3", "http://h/y.WAV?q=.mp3"]),
        ('{"a": "https:\\/\\/h\\/x.mp3?a=1\\u0026b=2"}', ["https://h/x.mp3?a=1&b=2"]),
        ('{"a": "see https://h/x.mp3"}', []),
        ('{"a": "https://h/x.png?y=.mp3"}', []),
        ('{"a": "https:///x.mp3"}', []),
        ('{"a": "http://[/x.mp3"}', []),
        ("no JSON https://h/x.mp3", []),
        ("[" * 100_000 + "http .mp3", []),
    ],
)
def test_only_whole_urls_of_sounds_are_voices(text: str, urls: list[str]) -> None:
    assert sound_urls(text) == urls


async def test_a_full_disk_is_told_and_stops_nothing_but_the_tape(
    upstream: UpstreamServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, *lines: str) -> None:
        raise OSError(28, "No space left on device")

    async with recording(upstream.url, tmp_path) as at, connect(f"{at.ws}/flood/5000", max_size=None) as socket:
        monkeypatch.setattr(writer.OpenTape, "_put_line", full)
        received = [message async for message in socket]
    assert received == [CHUNK] * 5000
    assert at.done is not None
    assert at.done.broken == 1
    assert "cannot be written: No space left on device" in caplog.text


async def test_a_slow_disk_holds_the_connection_up_and_not_the_memory(
    upstream: UpstreamServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, size = 2_000, len(CHUNK.encode())
    monkeypatch.setattr(writer, "MOST_WAITING", 1_000_000)
    may_write = threading.Event()
    write = writer.OpenTape._put_line

    def slowly(self: writer.OpenTape, *lines: str) -> None:
        may_write.wait(PATIENCE)
        write(self, *lines)

    monkeypatch.setattr(writer.OpenTape, "_put_line", slowly)
    received = 0
    async with recording(upstream.url, tmp_path) as at, connect(f"{at.ws}/flood/{count}", max_size=None) as socket:
        with contextlib.suppress(TimeoutError):
            while received < count:
                async with asyncio.timeout(1):
                    await socket.recv()
                received += 1
        assert received * size < 2_000_000 < count * size
        may_write.set()
        received += len([message async for message in socket])
    assert received == count
    assert len(at.tape.frames) == count


async def test_a_folder_that_is_gone_refuses_the_connection(upstream: UpstreamServer, tmp_path: Path) -> None:
    folder = tmp_path / "tapes"
    folder.mkdir()
    async with recording(upstream.url, folder) as at:
        folder.rmdir()
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{at.ws}/echo")
    assert refused.value.response.status_code == 500
    assert "the tape cannot be written" in json.loads(refused.value.response.body)["message"]


async def test_names_of_tapes_sort_as_they_began(upstream: UpstreamServer, tmp_path: Path) -> None:
    async with recording(upstream.url, tmp_path) as at:
        for number in range(12):
            async with connect(f"{at.ws}/echo?n={number}") as socket:
                await socket.send("x")
                await socket.recv()
    assert [tape.path for tape in at.tapes] == [f"/echo?n={number}" for number in range(12)]


async def test_a_field_that_is_named_is_hidden(upstream: UpstreamServer, tmp_path: Path) -> None:
    async with (
        recording(upstream.url, tmp_path, secret_fields=("visitor_name",)) as at,
        connect(f"{at.ws}/echo") as socket,
    ):
        await socket.send('{"visitor_name": "김철수 씨", "msg": "저는 김철수 씨입니다"}')
        assert "김철수" in str(await socket.recv())
    said = '{"visitor_name": "redacted-secret-1", "msg": "저는 김철수 씨입니다"}'
    assert [frame.text for frame in at.tape.frames] == [said, said]
