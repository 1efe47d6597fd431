"""A reverse proxy in front of the emulator: the control plane stays shut without a token, and URLs lead back through
the proxy once it is trusted.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.control.conftest import Control, plain_fixtures
from tests.live import DEMO_KEY, PATIENCE, LiveServer, Peer, sendmsg

TOKEN = "a-token-for-tests"
ROOM = "51VPKp3F0yPX"


def asked_raw(server: LiveServer, *head: str, body: str = "") -> tuple[int, str]:
    """Status and body of a request written by hand."""
    text = "\r\n".join((*head, "Connection: close", f"Content-Length: {len(body)}", "", body))
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as peer:
        peer.sendall(text.encode())
        answer = b""
        while part := peer.recv(65_536):
            answer += part
    head_of_it, _, body_of_it = answer.decode().partition("\r\n\r\n")
    return int(head_of_it.split()[1]), body_of_it


def credit(control: Control) -> int:
    found = control.get("/spaces/test")["credit"]
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize(
    "header",
    [
        *("X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 127.0.0.1", "X-FORWARDED-PROTO: http", "x-forwarded-host:"),
        *("X-Real-IP: 203.0.113.9", "Forwarded: for=127.0.0.1", "Via: 1.1 edge", "CF-Connecting-IP: 203.0.113.9"),
        *("True-Client-IP: 127.0.0.1", "X-Forwarded-Prefix: /emulator", "X-Client-IP: 127.0.0.1"),
    ],
)
def test_a_request_through_a_proxy_on_this_machine_is_not_one_of_this_machine(control: Control, header: str) -> None:
    before = credit(control)
    host = f"Host: 127.0.0.1:{control.server.port}"
    for request in ("PUT /_emulator/spaces/test/credit", "GET /_emulator/hashee/deliveries", "GET /_emulator/journal"):
        head = (f"{request} HTTP/1.1", host, "Content-Type: application/json", header)
        status, answer = asked_raw(control.server, *head, body='{"credit": 1}')
        assert status == 403
        message = json.loads(answer)["message"]
        assert message.startswith(f"{header.partition(':')[0].lower()}: a request that came through a proxy")
        assert "CHLDO_CONTROL_TOKEN" in message
    assert credit(control) == before


def test_http_1_0_is_what_a_bare_nginx_speaks(control: Control) -> None:
    head = ("GET /_emulator/spaces HTTP/1.0", f"Host: 127.0.0.1:{control.server.port}")
    status, answer = asked_raw(control.server, *head)
    assert (status, json.loads(answer)["message"].partition(":")[0]) == (403, "HTTP/1.0")
    assert asked_raw(control.server, "GET /_emulator/health/ready HTTP/1.0", "Host: x")[0] == 200


def test_the_live_feed_is_shut_as_well(control: Control) -> None:
    head = (f"Host: 127.0.0.1:{control.server.port}", "X-Real-IP: 203.0.113.9")
    assert asked_raw(control.server, "GET /_emulator/journal/feed HTTP/1.1", *head)[0] == 403


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("trusting")
    with LiveServer(
        folder / "data",
        fixtures=plain_fixtures(folder / "fixtures"),
        voice={"engine": "tone", "workers": 1},
        control={"token": TOKEN},
        forwarded_allow_ips="127.0.0.1",
    ) as server:
        yield server


async def voice_url(address: str, **headers: str) -> str:
    """The first voice URL of a turn."""
    async with connect(f"{address}/v3/?room_uid={ROOM}&user_uid=u1", additional_headers=headers) as socket:
        frames = await Peer(socket).turn(sendmsg(return_voice=1))
    url = next(frame["voice_url"] for frame in frames if frame.get("status") == "voice_ready")
    assert isinstance(url, str)
    return url


def upload_url(base: str, **headers: str) -> str:
    question = {"api_key": DEMO_KEY, "filename": "a.png", "room_uid": ROOM}
    answer = httpx.post(f"{base}/v3/files/presignedurl", json=question, headers=headers)
    url = answer.json()["presigned_url"]["url"]
    assert isinstance(url, str)
    return url


FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "chat.example", "X-Forwarded-Prefix": "/emulator"}


async def test_urls_lead_back_through_a_trusted_proxy(trusting: LiveServer) -> None:
    assert (await voice_url(trusting.ws, **FORWARDED)).startswith("https://chat.example/emulator/room_uid_voice/")
    assert upload_url(trusting.http, **FORWARDED).startswith("https://chat.example/emulator/")
    assert upload_url(trusting.http, Forwarded="proto=https;host=chat.example").startswith("https://chat.example/")
    assert (await voice_url(trusting.ws)).startswith(trusting.http)


async def test_urls_do_not_follow_a_proxy_that_is_not_trusted(control: Control) -> None:
    assert (await voice_url(control.server.ws, **FORWARDED)).startswith(control.server.http)
    assert upload_url(control.server.http, **FORWARDED).startswith(control.server.http)


def test_a_trusted_proxy_says_who_registers(trusting: LiveServer, control: Control) -> None:
    """The limit of registrations is one of each client, not one of all clients of the proxy."""

    def statuses(server: LiveServer, clients: int) -> set[int]:
        found = set()
        with httpx.Client(base_url=server.http) as client:
            for number in range(11):
                body = {"email": f"p{number}@example.com", "code": "000000", "account_password": "horse-9-battery"}
                body["display_name"] = "P"
                headers = {"X-Forwarded-For": f"127.0.0.1, 203.0.113.{number % clients}"}
                found.add(client.post("/auth/register", json=body, headers=headers).status_code)
        return found

    assert 429 not in statuses(trusting, 12)
    assert 429 in statuses(trusting, 1)
    assert 429 in statuses(control.server, 12)


def test_a_trusted_proxy_says_where_a_cookie_belongs(trusting: LiveServer) -> None:
    code = {"email": "new@example.com", "scene": "register"}
    assert httpx.post(f"{trusting.http}/auth/send-code", json=code).status_code == 200
    person = {"email": "new@example.com", "code": "123456", "account_password": "horse-9-battery", "display_name": "N"}
    answer = httpx.post(f"{trusting.http}/auth/register", json=person, headers=FORWARDED)
    cookie = answer.headers["set-cookie"]
    assert "Path=/emulator/auth;" in cookie
    assert "Secure" in cookie


def test_a_trusted_proxy_does_not_open_the_control_plane(trusting: LiveServer) -> None:
    """Not even for a client that says it is of this machine: the token does."""
    headers = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "localhost"}
    assert httpx.get(f"{trusting.http}/_emulator/spaces", headers=headers).status_code == 401
    shown = {**headers, "Authorization": f"Bearer {TOKEN}"}
    assert httpx.get(f"{trusting.http}/_emulator/spaces", headers=shown).status_code == 200


NGINX = """\
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{bare}; location / {{ proxy_pass http://127.0.0.1:{open}; }} }}
  server {{
    listen 127.0.0.1:{full};
    location /emulator/ {{
      proxy_pass http://127.0.0.1:{trusting}/;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Prefix /emulator;
    }}
  }}
}}
"""


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
        return port


@contextmanager
def nginx(**ports: int) -> Iterator[None]:
    """nginx in front of the given ports."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "nginx.conf")
        config.write_text(NGINX.format(folder=folder, **ports))
        Path(folder).chmod(0o755)
        path = f"{os.environ['PATH']}:/usr/sbin"  # where Debian puts it
        process = subprocess.Popen(
            ["nginx", "-e", f"{folder}/error.log", "-c", str(config)], env={**os.environ, "PATH": path}
        )
        try:
            for port in (ports["bare"], ports["full"]):
                asyncio.run(_listening(port))
            yield
        finally:
            process.terminate()
            process.wait(10)


async def _listening(port: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return


@pytest.mark.slow
def test_behind_a_real_nginx(control: Control, trusting: LiveServer) -> None:
    bare, full = free_port(), free_port()
    with nginx(bare=bare, full=full, open=control.server.port, trusting=trusting.port):
        before = credit(control)
        ask = urllib.request.Request(
            f"http://127.0.0.1:{bare}/_emulator/spaces/test/credit", b'{"credit": 1}', method="PUT"
        )
        with pytest.raises(HTTPError, match="403") as refused:
            urllib.request.urlopen(ask, timeout=PATIENCE)
        refused.value.close()
        assert credit(control) == before
        url = asyncio.run(voice_url(f"ws://127.0.0.1:{full}/emulator"))
        assert url.startswith(f"https://127.0.0.1:{full}/emulator/room_uid_voice/")
        assert httpx.get(url.replace("https:", "http:")).headers["content-type"] == "audio/mpeg"
