/**
 * chldo WebSocket API, revision 2023-12-28 (v1).
 *
 * What revision 2023-12-28 of the wire brought: The first one known, from clients only: one flat frame for texts
 * and voices, no envelope, no key. Frames have exactly these keys, in this order. Nothing is sent before a
 * request, and an unknown action is answered by the Forbidden frame. `msg` of a request must be there (the
 * setting `v3.require_msg` decides otherwise).
 *
 * Generated from the frame classes by `chldo-emulator schema`; do not edit.
 */

/** What these types describe. */
export const REVISION = "2023-12-28";

/**
 * A connection, as API Gateway names it.
 *
 * @pattern ^[A-Za-z0-9_-]{8}[oI]E0[AC][A-Za-z0-9]{2}[AQgw]=$
 */
export type ConnectionId = string;

/**
 * A turn.
 *
 * @pattern ^[0-9A-Za-z]{25}$
 */
export type StreamUid = string;

/**
 * A sentence of a reply.
 *
 * @pattern ^[0-9A-Za-z]{28}$
 */
export type SentUid = string;

/**
 * Epoch seconds as text, up to 6 decimals.
 *
 * @pattern ^[0-9]{10}(\.[0-9]{1,6})?$
 */
export type EpochText = string;

/**
 * The signed address of a sentence's MP3.
 *
 * @pattern
 * ^https?://[^?#]+/room_uid_voice/[^/?#]+/[0-9A-Za-z]{28}\.mp3\?Expires=[0-9]{10,}&Signature=[A-Za-z0-9~-]{341}[AQgw]__&Key-Pair-Id=[0-9A-Z]+$
 */
export type VoiceUrl = string;

/** Seconds, a multiple of 0.024; an integer where it is whole. */
export type VoiceLength = number;

/**
 * A request, as API Gateway names it.
 *
 * @pattern ^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$
 */
export type RequestId = string;

/** `message`: A piece of the reply. The whole reply at once (`stream: 0`) (in place of the tokens). */
export interface MessageTextFrame {
  /** The room, as the request named it. */
  room_uid: string;
  /** How many sockets are open in the room. */
  client_num: number;
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** A piece of the reply. */
  msg: string;
  /** This turn, 25 characters; tells turns on one connection apart. */
  stream_uid: StreamUid;
  /** The sentence: 26 characters from 2024-08-27 to 2024-10-02, else 28; may be null in v1. */
  sent_uid: SentUid | null;
  /** Epoch seconds as text; the same in START and END of a message, each its own in a greeting. */
  cAt: EpochText;
  /** Whether sentences get a voice, 0 or 1; null in a greeting whose request left it out. */
  return_voice: 0 | 1;
  /** Where the MP3 is, signed and for a limited time; null in a v1 text. */
  voice_url: null;
  /** Seconds, a multiple of 0.024; an integer where it is whole; null in a v1 text. */
  voice_length: null;
  /** Not there; declared so that it can be asked of any frame. */
  status?: never;
  /** Not there; declared so that it can be asked of any frame. */
  msgtype?: never;
}

/** `message`: The voice of a sentence can be fetched (with `return_voice` 1). */
export interface MessageVoiceFrame {
  /** The room, as the request named it. */
  room_uid: string;
  /** How many sockets are open in the room. */
  client_num: number;
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** Empty: this frame carries a voice. */
  msg: "";
  /** This turn, 25 characters; tells turns on one connection apart. */
  stream_uid: StreamUid;
  /** The sentence: 26 characters from 2024-08-27 to 2024-10-02, else 28; may be null in v1. */
  sent_uid: SentUid | null;
  /** Epoch seconds as text; the same in START and END of a message, each its own in a greeting. */
  cAt: EpochText;
  /** Whether sentences get a voice, 0 or 1; null in a greeting whose request left it out. */
  return_voice: 0 | 1;
  /** Where the MP3 is, signed and for a limited time; null in a v1 text. */
  voice_url: VoiceUrl;
  /** Seconds, a multiple of 0.024; an integer where it is whole; null in a v1 text. */
  voice_length: VoiceLength;
  /** Not there; declared so that it can be asked of any frame. */
  status?: never;
  /** Not there; declared so that it can be asked of any frame. */
  msgtype?: never;
}

/** `error`: The turn fails inside the flow. A request is refused. */
export interface ErrorFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "connected";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** What is wrong. */
  msg: string;
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "error";
}

/** `connected`: Answer to the action `status`. */
export interface StatusFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "connected";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "info";
}

/** `Forbidden`: What API Gateway itself answers to an unknown action or to text that is no JSON object. */
export interface ForbiddenFrame {
  /** `Forbidden`. */
  message: "Forbidden";
  /** This connection, in API Gateway's spelling. */
  connectionId: ConnectionId;
  /** This request, UUIDv4. */
  requestId: RequestId;
  /** Not there; declared so that it can be asked of any frame. */
  status?: never;
  /** Not there; declared so that it can be asked of any frame. */
  msgtype?: never;
}

/** `status`: Asks whether the connection is alive. */
export interface StatusRequest {
  /** What is asked. */
  action: "status";
}

/**
 * `sendmessage`: Says something to the agent of a space. A field that is null or "" counts as left out; one that
 * is not listed is ignored by the server.
 */
export interface SendmessageRequest {
  /** What is asked. */
  action: "sendmessage";
  /** The room; any text. */
  room_uid: string;
  /** Who speaks. */
  user_uid: string;
  /** What is said; without it, where it may be left out, the agent speaks first. */
  msg: string;
  /** 0, 1, "0" or "1": whether sentences get a voice; left out, the space decides. */
  return_voice?: 0 | 1 | "0" | "1" | null;
  /** 0 or 1, default 1; 0: the whole reply in one frame (understood here, documented from 2024-10-02 on). */
  stream?: 0 | 1 | "0" | "1" | null;
  /** 0 or 1, default 0; 1: the turn leaves no trace in the room (understood here, documented from 2024-10-02 on). */
  no_save?: 0 | 1 | "0" | "1" | null;
  /** 0 or 1, default 0; 1: the model sees no earlier turns (understood here, documented from 2024-10-02 on). */
  no_history?: 0 | 1 | "0" | "1" | null;
  /** Chooses among the models of the configured endpoint (understood here, documented from 2024-10-02 on). */
  model?: string | null;
  /**
   * A code such as `ko`: language of the reply and of the voice (understood here, documented from 2024-11-03
   * on).
   */
  language?: string | null;
  /** A name, handed to the graph. */
  questioner?: string | null;
  /** A name, for `{{visitor_name}}` in prompts and replies (understood here, documented from 2024-11-03 on). */
  visitor_name?: string | null;
  /** An image uploaded before (understood here, documented from 2024-08-27 on). */
  filename?: string | null;
  /** 0 to 7 (understood here, documented from 2024-08-27 on). */
  scene_number?: number | null;
  /** What the talk is about; taken and not used. */
  subject?: string | null;
  /** Who is spoken to; taken and not used. */
  receiver_uid?: string | null;
}

/** Everything that the server sends. */
export type Frame =
  | MessageTextFrame
  | MessageVoiceFrame
  | ErrorFrame
  | StatusFrame
  | ForbiddenFrame;

/** Everything that a client may ask. */
export type ClientRequest =
  | StatusRequest
  | SendmessageRequest;
