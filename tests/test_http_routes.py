"""Which way leads to a server: what of the environment is heeded, and what it says where it cannot be."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from app.http_routes import UnusableEnvironment, certificates, check_route, proxy_for

VARIABLES = re.compile(r"(?i)(http|https|all|no)_proxy|ssl_cert_(file|dir)|requests_ca_bundle|request_method")


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if VARIABLES.fullmatch(name):
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1",
            "127.9.9.9",
            "localhost",
            "LOCALHOST",
            "model.localhost",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
        )
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_proxy_leads_to_this_machine(clean: pytest.MonkeyPatch, host: str, scheme: str) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        clean.setenv(name, "socks://proxy.example:1080")
    assert proxy_for(f"{scheme}://{host}:8000/v1") is None


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({"HTTP_PROXY": "http://a:1"}, "http://a:1"),
        ({"HTTP_PROXY": "http://a:1", "http_proxy": "http://b:2"}, "http://b:2"),
        ({"HTTPS_PROXY": "http://a:1"}, None),
        ({"ALL_PROXY": "http://a:1"}, "http://a:1"),
        ({"ALL_PROXY": "http://a:1", "HTTP_PROXY": "https://u:p@b:2"}, "https://u:p@b:2"),
        ({"HTTP_PROXY": "a:1"}, "http://a:1"),
        ({"HTTP_PROXY": ""}, None),
        ({"GIT_PROXY": "http://a:1", "FTP_PROXY": "http://a:1"}, None),
    ],
)
def test_the_usual_variables_name_the_proxy(
    clean: pytest.MonkeyPatch, variables: dict[str, str], proxy: str | None
) -> None:
    for name, value in variables.items():
        clean.setenv(name, value)
    assert proxy_for("http://models.example/v1") == proxy


@pytest.mark.parametrize(
    ("listed", "url"),
    [
        ("*", "http://models.example"),
        ("models.example", "http://models.example"),
        ("models.example.", "http://models.example"),
        ("MODELS.example", "http://models.example"),
        (".example", "http://models.example"),
        ("*.example", "http://models.example"),
        ("example:8000", "http://models.example:8000"),
        ("http://example", "http://models.example"),
        ("other,, ;,[::,%,a:b:c,http://[, /8, models.example", "http://models.example"),
        ("other models.example", "http://models.example"),
        ("10.1.2.3", "http://10.1.2.3"),
        ("10.0.0.0/8", "http://10.1.2.3"),
        ("fd00::/8", "http://[fd00::1]"),
        ("[fd00::1]", "http://[fd00::1]:8000"),
        ("fd00:0::1", "http://[fd00::1]:8000"),
    ],
)
def test_no_proxy_names_exceptions(clean: pytest.MonkeyPatch, listed: str, url: str) -> None:
    clean.setenv("ALL_PROXY", "http://a:1")
    assert proxy_for(url) == "http://a:1"
    clean.setenv("NO_PROXY", listed)
    assert proxy_for(url) is None


@pytest.mark.parametrize(
    "listed",
    [
        "",
        " ",
        ",",
        "xmodels.example",
        "example.models",
        "odels.example",
        "models.example:81",
        "[::",
        "http://[",
        "1/99",
    ],
)
def test_what_it_does_not_name_is_no_exception(clean: pytest.MonkeyPatch, listed: str) -> None:
    clean.setenv("ALL_PROXY", "http://a:1")
    clean.setenv("NO_PROXY", listed)
    assert proxy_for("http://models.example") == "http://a:1"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ALL_PROXY", "socks://u:hush@127.0.0.1:1080", "ALL_PROXY=socks://127.0.0.1:1080"),
        ("all_proxy", "socks4://127.0.0.1", "all_proxy=socks4://127.0.0.1"),
        ("HTTPS_PROXY", "socks5://127.0.0.1:1080", "HTTPS_PROXY=socks5://127.0.0.1:1080"),
        ("HTTPS_PROXY", "http://", "HTTPS_PROXY="),
        ("HTTPS_PROXY", "http://[::hush", "HTTPS_PROXY"),
        ("HTTPS_PROXY", "http://a:hush", "HTTPS_PROXY"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "SSL_CERT_FILE=/nowhere/ca.pem"),
        ("SSL_CERT_FILE", "/", "SSL_CERT_FILE=/"),
        ("SSL_CERT_FILE", __file__, "SSL_CERT_FILE="),
        ("SSL_CERT_DIR", "/nowhere", "SSL_CERT_DIR=/nowhere"),
    ],
)
def test_a_variable_that_cannot_be_heeded_is_named_in_one_line(
    clean: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    clean.setitem(sys.modules, "socksio", None)  # as it is unless httpx[socks] is installed
    clean.setenv(name, value)
    with pytest.raises(UnusableEnvironment) as told:
        check_route("https://models.example/v1", "OPENAI_BASE_URL")
    assert str(told.value).startswith(said)
    assert "hush" not in str(told.value)
    assert "\n" not in str(told.value)
    check_route("http://127.0.0.1:8000/v1", "OPENAI_BASE_URL")


@pytest.mark.parametrize(
    "url", ["", "models.example/v1", "localhost:8000", "ftp://a", "http://", "http://a:b", "http://[a"]
)
def test_an_address_that_is_none_is_named(url: str) -> None:
    with pytest.raises(UnusableEnvironment, match="OPENAI_BASE_URL"):
        check_route(url, "OPENAI_BASE_URL")


def test_what_nobody_needs_is_not_looked_at(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clean.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    clean.setenv("SSL_CERT_DIR", str(tmp_path))
    assert not certificates().get_ca_certs()
    clean.setenv("SSL_CERT_FILE", "/nowhere")
    check_route("http://models.example/v1", "OPENAI_BASE_URL")
