from __future__ import annotations

from app.voice.cache import Speech, SpeechCache, cache_key


def spoken(size: int) -> Speech:
    return Speech(bytes(size), 1.0, "tone")


def test_what_was_used_longest_ago_goes_first() -> None:
    cache = SpeechCache(300)
    for key in "abc":
        cache.put(key, spoken(100))
    cache.get("a")
    cache.put("d", spoken(100))
    assert [key for key in "abcd" if cache.get(key)] == ["a", "c", "d"]
    assert cache.bytes == 300


def test_what_is_larger_than_the_cache_is_not_held() -> None:
    cache = SpeechCache(300)
    cache.put("a", spoken(100))
    cache.put("b", spoken(301))
    assert (len(cache), cache.bytes) == (1, 100)


def test_putting_again_counts_once() -> None:
    cache = SpeechCache(300)
    cache.put("a", spoken(100))
    cache.put("a", spoken(50))
    assert (len(cache), cache.bytes) == (1, 50)


def test_a_key_depends_on_every_part_and_on_where_it_ends() -> None:
    keys = {
        cache_key("e", "1", "ko", "mp3", "가"),
        cache_key("x", "1", "ko", "mp3", "가"),
        cache_key("e", "2", "ko", "mp3", "가"),
        cache_key("e", "1", "en", "mp3", "가"),
        cache_key("e", "1", "ko", "pcm", "가"),
        cache_key("e", "1", "ko", "mp3", "나"),
        cache_key("e", "1k", "o", "mp3", "가"),
    }
    assert len(keys) == 7
    assert cache_key("e", "1", "ko", "mp3", "가") in keys
