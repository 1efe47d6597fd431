"""What the journal keeps, packed or not, is what was put in, as in a plain queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.emulation import kept as module
from app.emulation.kept import Detail, Kept, Raw

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.text(st.characters(codec=None)), st.none() | st.just({"a": 1})),
        st.tuples(st.just("drop"), st.just(""), st.none()),
        st.tuples(st.just("clear"), st.just(""), st.none()),
    ),
    max_size=60,
)


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH", 4)
        yield


def entry(seq: int, text: str, detail: Detail) -> Raw:
    return (seq, "out", 1000.5 + seq, 7.25, "w", "c", "방", None if seq % 2 else seq, text, detail)


@example([("append", "half an emoji: \ud83d", None)] * 5)
@given(STEPS)
def test_it_is_a_queue(steps: list[tuple[str, str, Detail]]) -> None:
    queue, model, seq = Kept(), deque[Raw](), 0
    for step, text, detail in steps:
        if step == "append":
            seq += 1
            model.append(entry(seq, text, detail))
            queue.append(entry(seq, text, None)[:9], detail, len(text))
        elif step == "clear":
            queue.clear()
            model.clear()
        elif model:
            queue.drop()
            model.popleft()
        assert len(queue) == len(model)
        assert queue.bytes == sum(len(str(raw[8])) for raw in model)
        if model:
            assert queue.first == model[0][0]
        assert list(queue) == list(model)
        assert list(reversed(queue)) == list(model)[::-1]


def test_a_look_sees_what_was_there_when_it_began() -> None:
    queue = Kept()
    for seq in range(1, 11):
        queue.append(entry(seq, "x", None)[:9], {"n": seq}, 1)
    looks = iter(queue), reversed(queue)
    for seq in range(11, 15):
        queue.append(entry(seq, "y", None)[:9], None, 1)
        queue.drop()
        queue.drop()
    seen = [entry(seq, "x", {"n": seq}) for seq in range(1, 11)]
    assert [list(look) for look in looks] == [seen, seen[::-1]]
    queue.clear()
    assert (list(queue), len(queue), queue.bytes) == ([], 0, 0)
