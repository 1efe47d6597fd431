"""The rules of the Hashee wire, as its documents have them, and the emulator's choices where those are silent. PURE."""

from __future__ import annotations

from app.contract.checks.rules import Rule
from app.contract.hashee.reading import Evidence
from app.contract.hashee.rules import answers, frames, sockets, talking

_NO_FRAMES, _NOT_TRIED = "no frames", "not tried"
_LOGIN = "nobody logged in (--login, --api-key)"
_BOTH = "no conversation between a person and an agent (--login and --api-key)"
_PERSON = "nobody logged in with a password (--login)"

RULES: tuple[Rule[Evidence], ...] = (
    # -- frames
    Rule("frames.json", "Every frame is text with one JSON object.", "spec 1.1", frames.are_objects, _NO_FRAMES),
    Rule("frames.known", "Every frame is one that the profile has.", "spec 3.2, 3.3", frames.are_known, _NO_FRAMES),
    Rule(
        "frames.dots",
        "Types have dots; `artifact_response` and `artifact_update` alone have an underscore in its place.",
        "spec 3.2",
        frames.are_spelt,
        _NO_FRAMES,
    ),
    Rule(
        "frames.shape",
        "Message, stream and auth frames are flat, the others have their fields under `payload`.",
        "spec 3",
        frames.have_shape,
        _NO_FRAMES,
    ),
    Rule("frames.keys", "Every frame has its keys, in order.", "spec 3.2, 3.3", frames.have_keys, _NO_FRAMES),
    Rule("frames.values", "Fields hold what they should.", "spec 3.2, 3.4", frames.have_values, _NO_FRAMES),
    # -- ids and times
    Rule(
        "ids.form",
        "Ids are UUIDs; in 2026-05 they may be ULIDs.",
        "spec 3.4",
        frames.ids_have_form,
        "no ids",
    ),
    Rule("ids.stream", "`stream_id` is a ULID.", "spec, choice 3", frames.streams_have_ulids, "no streams"),
    Rule(
        "ids.message",
        "A `message_id` stands for one number of one conversation.",
        "spec 3.4",
        frames.messages_have_own_ids,
        "no messages",
    ),
    Rule(
        "times.form",
        "Moments are ISO 8601 in UTC, in 2026-05 with milliseconds.",
        "spec 1.1, 3.2",
        frames.times_have_form,
        "no messages",
    ),
    # -- who it is
    Rule("auth.ok", "A good token is answered `auth.ok`.", "spec 3.2", sockets.good_auth_is_ok, _LOGIN),
    Rule(
        "auth.refused",
        "Another is answered `auth.error` with the reason.",
        "spec, choice 5",
        sockets.bad_auth_is_refused,
        _NOT_TRIED,
    ),
    Rule("auth.reasons", "`auth.error` has a known reason.", "spec, choice 5", frames.auth_errors_have_reasons, "none"),
    Rule(
        "auth.close",
        "After a refused `auth` the server closes with 4401.",
        "spec, choice 4",
        sockets.refused_auth_closes,
        _NOT_TRIED,
    ),
    Rule(
        "auth.first",
        "A first frame that is no `auth` closes the socket with 4401.",
        "spec, choice 6",
        sockets.auth_comes_first,
        _NOT_TRIED,
    ),
    Rule(
        "auth.limit",
        "Without `auth` the server closes with 4401, after 5 seconds.",
        "spec 2; choice 4",
        sockets.auth_has_a_limit,
        _NOT_TRIED,
    ),
    Rule(
        "auth.renew",
        "`auth.renew` with a good token is answered `auth.ok`.",
        "spec, choice 5",
        sockets.renewal_is_answered,
        _PERSON,
    ),
    Rule(
        "auth.open",
        "An `auth.error` after `auth.ok` leaves the socket open.",
        "spec, choice 5",
        sockets.auth_errors_leave_it_open,
        _LOGIN,
    ),
    # -- sockets
    Rule("sockets.pong", "Each `ping` has its `pong`.", "spec, choice 10", sockets.pings_are_answered, _LOGIN),
    Rule(
        "sockets.replaced",
        "A newer socket of the session, or of the agent, closes the older one with 4409.",
        "spec, choice 4",
        sockets.newer_sockets_take_over,
        _LOGIN,
    ),
    Rule(
        "sockets.session",
        "The end of a session is told once, by `session.invalidated`.",
        "spec 3.2",
        sockets.logging_out_ends_the_session,
        _PERSON,
    ),
    Rule(
        "sockets.invalidated",
        "After `session.invalidated` the server closes with 4410.",
        "spec, choice 4",
        sockets.ended_sessions_close,
        _PERSON,
    ),
    Rule("sockets.codes", "The server closes with a known code.", "spec, choice 4", sockets.closes_are_known, "none"),
    Rule("limits.taken", "A frame may have 256 KB.", "spec, choice 4", sockets.largest_frames_are_taken, _LOGIN),
    Rule(
        "limits.frame",
        "A frame above 256 KB closes the socket with 1009.",
        "spec, choice 4",
        sockets.larger_frames_close,
        _NOT_TRIED,
    ),
    # -- messages
    Rule(
        "messages.seq",
        "`conversation_seq` goes up by one with each message of a conversation.",
        "spec 3.4",
        talking.numbers_go_up_by_one,
        "no two messages of a conversation",
    ),
    Rule(
        "messages.ack",
        "A message that is kept is acknowledged to its sender once, by `message.ack`.",
        "spec 3.2; choice 2",
        talking.senders_get_an_ack,
        _BOTH,
    ),
    Rule(
        "messages.new",
        "Everybody else gets it once, by `message.new`, and its sender does not.",
        "spec, choice 2",
        talking.others_get_the_message,
        _BOTH,
    ),
    Rule(
        "messages.again",
        "The same `client_message_id` again has the same answer.",
        "spec, choice 2",
        talking.again_changes_nothing,
        _BOTH,
    ),
    Rule(
        "messages.delivered",
        "The sender hears once that it was delivered.",
        "spec 3.3",
        talking.senders_hear_of_delivery,
        _BOTH,
    ),
    Rule(
        "messages.states",
        "The state of a message goes forward: sent, delivered, read.",
        "spec 3.3",
        talking.states_go_forward,
        "no states",
    ),
    Rule("messages.read", "Everybody hears `message.read` once.", "spec 3.2", talking.reading_is_told, _BOTH),
    Rule(
        "messages.recalled",
        "Everybody hears `message.recalled` once, and by whom.",
        "spec 3.2",
        talking.recalls_are_told,
        _BOTH,
    ),
    Rule(
        "reactions.whole",
        "`reaction.update` has each emoji once, with the number and the ids of all who gave it.",
        "spec 3.2",
        talking.reactions_are_whole,
        "no reactions",
    ),
    Rule(
        "reactions.told",
        "Everybody hears all reactions of a message at each change.",
        "spec 3.2; choice 2",
        talking.reactions_are_told,
        _BOTH,
    ),
    Rule("typing.told", "People hear that the agent types, and stops.", "spec 3.3", frames.typing_is_told, _BOTH),
    # -- streams
    Rule(
        "streams.order",
        "A stream is start, deltas and one end.",
        "spec 3.1; choice 3",
        talking.streams_have_an_order,
        "no streams",
    ),
    Rule(
        "streams.told",
        "People hear what the agent says, under its `stream_id`.",
        "spec, choice 3",
        talking.streams_come_whole,
        _BOTH,
    ),
    Rule(
        "streams.kept",
        "`stream.done` is a message, with the id and number of the agent's `message.ack`.",
        "spec, choice 3",
        talking.streams_are_kept,
        _BOTH,
    ),
    # -- artifacts
    Rule(
        "artifacts.response",
        "The agent hears once, by `artifact_response`, how an artifact is answered.",
        "spec 3.2",
        talking.answers_reach_the_agent,
        _BOTH,
    ),
    Rule(
        "artifacts.update",
        "People hear once, by `artifact_update`, what an artifact is now.",
        "spec 3.3",
        talking.updates_reach_people,
        _BOTH,
    ),
    # -- errors
    Rule(
        "errors.codes",
        "An `error` frame has a known code and its `i18n_key`.",
        "spec 5",
        frames.errors_have_codes,
        "no errors",
    ),
    Rule(
        "errors.invalid",
        "A frame that is not valid is answered `INVALID_FRAME`.",
        "spec, choice 6",
        sockets.invalid_frames_are_refused,
        _LOGIN,
    ),
    Rule(
        "errors.stream",
        "A step of a stream that is none is answered `UNKNOWN_STREAM`.",
        "docs/hashee.md, events",
        sockets.streams_have_to_be_there,
        "no agent (--api-key)",
    ),
    Rule(
        "errors.open", "An error leaves the socket open.", "spec, choice 6", sockets.errors_leave_it_open, "no errors"
    ),
    # -- HTTP
    Rule(
        "http.data",
        "A success is `data`, a list `data` and `next_cursor`.",
        "spec 1.1",
        answers.successes_have_data,
        _LOGIN,
    ),
    Rule(
        "http.error",
        "A refusal is `error` with `code`, `message`, `i18n_key` and `params`.",
        "spec 1.1",
        answers.refusals_have_shape,
        _NOT_TRIED,
    ),
    Rule(
        "http.codes",
        "A refusal has a known code, its status and its `i18n_key`.",
        "spec 5",
        answers.refusals_have_codes,
        _NOT_TRIED,
    ),
    Rule("http.refused", "What is wrong is refused by its own code.", "spec 5", answers.refusals_are_right, _NOT_TRIED),
)
