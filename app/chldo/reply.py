"""Turns what the graph says into the steps of a reply: tokens with their sentence, ends of sentences, run events. PURE.

The quirks of single revisions live here as data: R6 never sends the "." that ends a sentence, R7 adds a `" "` after
each terminator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.agent.hotwords import Hit, HotwordDetector
from app.agent.sentences import Closed, Piece, SentenceSplitter
from app.chldo.revisions import Revision
from app.chldo.steps import HotwordDetected, MemoryDict, ReplyStep, RunStep, Step, TokenStep


@dataclass(slots=True)
class SentenceEnd(Step):
    """A sentence is complete and may be spoken. `text` is what voice_ready will call it."""

    sent_uid: str
    text: str


@dataclass(slots=True)
class Run:
    """Where tokens come from: a model run's id, its parents and its tags, as they go over the wire."""

    run_id: str
    parent_ids: list[str]
    tags: list[str]


class ReplySteps:
    """Feed it the text of a reply token by token; it gives back the steps to show, in order."""

    def __init__(
        self,
        revision: Revision,
        *,
        sentences: SentenceSplitter | None,
        hotwords: HotwordDetector | None = None,
        dictionaries: Mapping[str, str] | None = None,
        stream: bool,
        run_ids: Mapping[str, str],
        make_uid: Callable[[int], str],
    ) -> None:
        self._revision = revision
        self._splitter = sentences
        self._hotwords = hotwords
        self._dictionaries = dictionaries or {}
        self._stream = stream
        self._run_ids = run_ids
        self._make_uid = make_uid
        self._uid_length = revision.sent_uid_length or 28
        self._uids: dict[int, str] = {}
        self._texts: list[str] = []
        self._runs: dict[str, Run] = {}

    @property
    def text(self) -> str:
        """The reply so far, as the model said it."""
        return "".join(self._texts)

    def token(self, text: str, run_id: str, parent_ids: list[str], tags: list[str]) -> Sequence[Step]:
        """One token of the model."""
        self._texts.append(text)
        hits = self._hotwords.feed(text) if self._hotwords is not None else ()
        heard = self._told(hits) if hits else ()
        if not self._stream:
            return heard
        run = self._runs.get(run_id) or self._run(run_id, parent_ids, tags)
        if self._splitter is None:
            return (*heard, TokenStep(text, self._uid(0), run.run_id, run.parent_ids, run.tags))
        shown = self._shown(self._splitter.feed(text), run)
        return _before_token(shown, heard, len(text)) if heard else shown

    def _told(self, hits: Sequence[Hit]) -> Sequence[Step]:
        """Hotwords, each followed by its dictionary if it has one."""
        steps: list[Step] = []
        for hit in hits:
            steps.append(HotwordDetected(hit.word, hit.uid))
            if hit.uid in self._dictionaries:
                steps.append(MemoryDict(self._dictionaries[hit.uid], hit.word, hit.uid))
        return steps

    def event(
        self, event: str, run_id: str, parent_ids: list[str], tags: list[str], data: dict[str, object]
    ) -> RunStep:
        """A LangGraph event that is no token, with run ids as the wire has them."""
        ids = self._run_ids
        return RunStep(event, data, ids[run_id], [ids[parent] for parent in parent_ids], list(tags))

    def message_end(self) -> Sequence[Step]:
        """The model's message is complete: what the splitter holds back is decided now."""
        if self._splitter is None or not self._stream:
            return ()
        run = next(reversed(self._runs.values()), None)
        return self._shown(self._splitter.close(), run) if run else ()

    def end(self) -> Sequence[Step]:
        """The reply is complete."""
        heard = self._told(self._hotwords.close()) if self._hotwords is not None else ()
        if self._stream and self._splitter is not None:
            return (*heard, *self.message_end())
        text = self.text
        if not text:
            return heard
        uid = self._uid(0)
        closing = SentenceEnd(uid, text)
        return (*heard, closing) if self._stream else (*heard, ReplyStep(text, uid), closing)

    def _run(self, run_id: str, parent_ids: list[str], tags: list[str]) -> Run:
        ids = self._run_ids
        run = self._runs[run_id] = Run(ids[run_id], [ids[parent] for parent in parent_ids], list(tags))
        return run

    def _uid(self, sentence: int) -> str:
        uid = self._uids.get(sentence)
        if uid is None:
            uid = self._uids[sentence] = self._make_uid(self._uid_length)
        return uid

    def _shown(self, cuts: Iterable[Piece | Closed], run: Run) -> Sequence[Step]:
        shown: list[Step] = []
        for cut in cuts:
            if isinstance(cut, Piece):
                shown.append(TokenStep(cut.text, self._uid(cut.sentence), run.run_id, run.parent_ids, run.tags))
            else:
                self._close(cut, run, shown)
        return shown

    def _close(self, cut: Closed, run: Run, shown: list[Step]) -> None:
        uid = self._uid(cut.sentence)
        text = cut.text
        if self._revision.drops_full_stop and cut.terminator == ".":
            text = _without_stop(text)
            _drop_stop(shown, uid)
        if self._revision.space_after_sentence and cut.terminator:
            shown.append(TokenStep(" ", uid, run.run_id, run.parent_ids, run.tags))
        shown.append(SentenceEnd(uid, text))
        self._uids.pop(cut.sentence, None)


def _without_stop(text: str) -> str:
    at = text.rfind(".")
    return text[:at] + text[at + 1 :]


def _drop_stop(shown: list[Step], uid: str) -> None:
    """Takes the last "." out of the pieces of sentence `uid`; the splitter gives them together with the sentence's
    end.
    """
    for place in range(len(shown) - 1, -1, -1):
        step = shown[place]
        if isinstance(step, TokenStep) and step.sent_uid == uid and "." in step.text:
            step.text = _without_stop(step.text)
            if not step.text:
                del shown[place]
            return


def _before_token(shown: Sequence[Step], heard: Sequence[Step], length: int) -> Sequence[Step]:
    """`shown` with `heard` before the pieces of the token just fed, which are its last `length` characters of text."""
    at = len(shown)
    while at and length > 0:
        at -= 1
        step = shown[at]
        if isinstance(step, TokenStep):
            length -= len(step.text)
    return [*shown[:at], *heard, *shown[at:]]
