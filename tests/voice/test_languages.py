from __future__ import annotations

import pytest

from app.voice.languages import VOICES, approximation, base_language


def test_the_37_languages_of_the_wire_have_a_voice() -> None:
    codes = (
        "ko en ja zh es fr de it pt ru ar hi bn pa tr nl sv no da fi pl cs sk sl hr bg el ro hu lt lv tl vi th id ms ca"
    )
    assert list(VOICES) == codes.split()


@pytest.mark.parametrize(
    ("code", "base"),
    [("ko-KR", "ko"), ("PT_br", "pt"), (" zh-Hant-TW", "zh"), ("nb-NO", "no"), ("fil", "tl"), ("cmn", "zh"), ("", "")],
)
def test_a_region_or_script_is_dropped(code: str, base: str) -> None:
    assert base_language(code) == base


def test_what_is_approximated_says_so() -> None:
    assert approximation("tl", "magandang umaga")
    assert approximation("th", "สวัสดี")
    assert approximation("ja", "今日は")
    assert approximation("ja", "こんにちは") is None
    assert approximation("ko", "안녕") is None
