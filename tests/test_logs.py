"""Logs keep secrets, in both formats, and stay readable by machines."""

from __future__ import annotations

import json
import logging

import pytest

from app.logs import JsonFormatter, TextFormatter
from app.redaction import redact

SECRETS = [
    ("key d4a3653a4ba72d6e04a293 used", "d4a3653a4ba72d6e04a293"),
    ("OPENAI sk-proj-abcdef0123456789 used", "sk-proj-abcdef0123456789"),
    ("Authorization: Bearer abcdefghijk", "abcdefghijk"),
    ("GET /x.mp3?Expires=1&Signature=AbCdEfGhIjKl~-&Key-Pair-Id=K", "AbCdEfGhIjKl"),
    ("postgresql://user:secret@host/db", "secret"),
    ("GET /v3/?api_key=very-own-key-text", "very-own-key-text"),
]


def record(text: str, **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"msg": text, "levelname": "INFO", "name": "app"})
    made.__dict__.update(extra)
    return made


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_no_secret_stands_whole_in_a_line(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert secret not in TextFormatter().format(record(text))
    line = json.loads(JsonFormatter().format(record('said "so"', reason=text, odd=[text])))
    assert secret not in line["reason"]


def test_a_json_line_carries_its_facts() -> None:
    line = json.loads(JsonFormatter().format(record("no voice", event="voice_failed", sent_uid="x")))
    assert line["message"] == "no voice"
    assert (line["event"], line["sent_uid"], line["level"], line["logger"]) == ("voice_failed", "x", "info", "app")


def test_an_ordinary_line_is_left_as_it_is() -> None:
    text = "turn in room 51VPKp3F0yPX took 0.103 s at http://127.0.0.1:8765/ for a@b.example"
    assert redact(text) == text
