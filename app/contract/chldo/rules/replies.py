"""Rules on the reply: tokens, sentences, and the quirks of single revisions. PURE."""

from __future__ import annotations

from app.agent.sentences import TERMINATORS
from app.contract.checks.rules import Rule, Sights
from app.contract.chldo.frames import Exchange, assistant_text
from app.contract.chldo.reading import Evidence
from app.contract.chldo.rules.sights import breach, shown
from app.contract.chldo.sentences import cut, ends, misdivided, said, sentences_of
from app.contract.chldo.words import R1, R3, R4, R5, R6, R7, R8


def msg_is_the_token(seen: Evidence) -> Sights:
    for exchange in seen.exchanges:
        for frame in exchange.of("token"):
            content = None if frame.chunk is None else frame.chunk.get("content")
            got = frame.get("msg")
            fits = got == content
            yield None if fits else breach(exchange, frame, f"msg {shown(content)}, as data.chunk.content", shown(got))


def the_event_is_named(seen: Evidence) -> Sights:
    known = ("on_chat_model_stream", "on_chain_stream")
    for exchange in seen.exchanges:
        for frame in exchange.of("token", "whole"):
            got = frame.get("event")
            yield None if got in known else breach(exchange, frame, "event on_chat_model_stream", shown(got))


def the_whole_is_the_tokens(seen: Evidence) -> Sights:
    """R1 to R4 send the reply twice more, whole: from the step and from the graph."""
    for turn in seen.clear_turns:
        if turn.failed or not turn.tokens:
            continue
        expected = "".join(frame.text for frame in turn.tokens)
        for frame in turn.of("event"):
            if frame.get("event") == "on_chain_stream":
                got = assistant_text(frame.chunk or {})
                fits = got == expected
                yield None if fits else breach(turn, frame, f"content {shown(expected)}, the tokens joined", shown(got))


def a_whole_reply_is_one_frame(seen: Evidence) -> Sights:
    for turn in seen.clear_turns:
        if turn.request.get("stream") not in (0, "0") or turn.failed or not turn.over:
            continue
        if seen.revision.raw:
            odd = turn.first("token")
            if odd is not None:
                yield breach(turn, odd, "no token events, as stream is 0", "a token")
            else:
                yield None
            continue
        frames = turn.of("token", "whole")
        if [frame.kind for frame in frames] != ["whole"]:
            got = f"{len(frames)} frames, the first with event {shown(frames[0].get('event'))}" if frames else "none"
            yield breach(turn, frames[0] if frames else None, "one stream frame, event on_chain_stream", got)
            continue
        whole, chunk = frames[0], frames[0].chunk or {}
        message = {"role": "assistant", "content": whole.get("msg"), "tool_calls": None}
        if list(chunk) == ["messages"] and chunk["messages"] == [message]:
            yield None
        else:
            yield breach(turn, whole, f"data.chunk.messages [{shown(message)}]", shown(chunk))


def cuts_are_where_sentences_end(seen: Evidence) -> Sights:
    divided = [(turn, sentences_of(turn, seen.revision)) for turn in seen.clear_turns if _is_whole(turn)]
    by_sentence = any(len(sentences) > 1 for _, sentences in divided)
    for turn, sentences in divided:
        got = said(sentences, seen.revision)
        if len(got) == 1 and (not by_sentence or not _must_divide(turn, seen)):
            continue  # sentence mode may be off in the space
        place = misdivided(got)
        if place is None:
            yield None
        else:
            frame = sentences[place].tokens[-1]
            yield breach(turn, frame, f"sentences {shown(cut(''.join(got)))}", shown(got))


def _is_whole(turn: Exchange) -> bool:
    return bool(turn.tokens) and not turn.failed and turn.request.get("stream") not in (0, "0")


def _must_divide(turn: Exchange, seen: Evidence) -> bool:
    """In 2024-10-02 only voices divide; R3 shows a turn without voices that is not divided (spec 6)."""
    return bool(turn.voices) or (seen.revision.id != R5 and seen.revision.rooms)


def full_stops_are_dropped(seen: Evidence) -> Sights:
    for turn in seen.clear_turns:
        if turn.request.get("stream") in (0, "0"):
            continue
        for sentence in sentences_of(turn, seen.revision):
            last = sentence.tokens[-1]
            if sentence.text.rstrip().endswith(".") and not sentence.text.rstrip().endswith(".."):
                yield breach(turn, last, 'no "." at the end of a sentence', shown(last.text))
            else:
                yield None
        for frame in turn.of("voice_ready"):
            msg = str(frame.get("msg")).rstrip()
            if msg.endswith(".") and not msg.endswith(".."):
                yield breach(turn, frame, 'no "." at the end of msg', shown(frame.get("msg")))


def a_space_follows_each_sentence(seen: Evidence) -> Sights:
    for turn in seen.clear_turns:
        if not _is_whole(turn) or not turn.over:
            continue
        for sentence in sentences_of(turn, seen.revision):
            rest = sentence.spoken(seen.revision)
            if ends(rest) == sentence.padded:
                yield None
            elif sentence.padded:
                yield breach(turn, sentence.tokens[-1], 'no " " where no terminator stands', shown(sentence.text))
            else:
                yield breach(turn, sentence.tokens[-1], 'a token " " after the terminator', shown(sentence.text))


def no_space_follows_a_sentence(seen: Evidence) -> Sights:
    """Looked at where another sentence follows: white space at the end of a reply may be the model's own."""
    for turn in seen.clear_turns:
        for sentence in sentences_of(turn, seen.revision)[:-1] if _is_whole(turn) else ():
            before = "".join(frame.text for frame in sentence.tokens[:-1])
            if sentence.padded and before[-1:] in TERMINATORS:
                yield breach(turn, sentence.tokens[-1], "no token after the terminator", shown(" "))
            else:
                yield None


RULES: tuple[Rule[Evidence], ...] = (
    Rule(
        "tokens.msg",
        "msg of a token equals data.chunk.content.",
        "spec 5, LangGraph details",
        msg_is_the_token,
        "no token came",
        R5,
    ),
    Rule(
        "tokens.event",
        "event of a stream frame is on_chat_model_stream, of a whole reply on_chain_stream.",
        "spec 5, sample frames, and 0.8",
        the_event_is_named,
        "no token came",
        R5,
    ),
    Rule(
        "tokens.whole",
        "The two on_chain_stream events carry the tokens joined, as an assistant's message.",
        "spec 5, LangGraph details",
        the_whole_is_the_tokens,
        "no turn had tokens",
        R1,
        R4,
    ),
    Rule(
        "tokens.stream-0",
        "With stream 0 the reply is one stream frame whose data.chunk.messages has it; up to 2024-09-11 the token "
        "events are left out.",
        "spec 0.8",
        a_whole_reply_is_one_frame,
        "no turn was asked for with stream 0",
        R1,
    ),
    Rule(
        "sentences.cut",
        "In sentence mode a sentence ends after a terminator, from 13 characters on, and not inside numbers, initials, "
        "addresses or a run of dots; after an abbreviation, a date, a quotation or code it may.",
        "spec 0.6 and 6",
        cuts_are_where_sentences_end,
        "no turn was divided into sentences",
        R3,
    ),
    Rule(
        "quirks.full-stop",
        'The "." that ends a sentence is never sent, neither as a token nor in msg of voice_ready.',
        "spec 6, R6",
        full_stops_are_dropped,
        "no turn had tokens",
        R6,
        R6,
    ),
    Rule(
        "quirks.space",
        'After each terminator comes one more token, " ", with the same sent_uid.',
        "spec 6, R7",
        a_space_follows_each_sentence,
        "no turn had tokens",
        R7,
        R7,
    ),
    Rule(
        "quirks.no-space",
        'No " " follows the terminator of a sentence as a token of its own.',
        "spec 6, R8-R9",
        no_space_follows_a_sentence,
        "no turn had several sentences",
        R8,
    ),
)
