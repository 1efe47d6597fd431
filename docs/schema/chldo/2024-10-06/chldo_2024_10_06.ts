/**
 * chldo WebSocket API, revision 2024-10-06 (R6).
 *
 * What revision 2024-10-06 of the wire brought: `room_uid`, `stream_uid` and `is_stream` on every frame of a
 * turn; history frames; received is gone; the "." that ends a sentence is never sent. Frames have exactly these
 * keys, in this order. Nothing is sent before a request, and an unknown action is answered by the Forbidden
 * frame. `msg` of a request may be left out (the setting `v3.require_msg` decides otherwise).
 *
 * Generated from the frame classes by `chldo-emulator schema`; do not edit.
 */

/** What these types describe. */
export const REVISION = "2024-10-06";

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
 * Epoch seconds as text, up to 6 decimals.
 *
 * @pattern ^[0-9]{10}(\.[0-9]{1,6})?$
 */
export type EpochText = string;

/**
 * A sentence of a reply.
 *
 * @pattern ^[0-9A-Za-z]{28}$
 */
export type SentUid = string;

/**
 * A memory that listens for a hotword.
 *
 * @pattern ^[0-9a-f]{17}$
 */
export type HotwordUid = string;

/**
 * The signed address of a sentence's MP3.
 *
 * @pattern
 * ^https?://[^?#]+/room_uid_voice/[^/?#]+/[0-9A-Za-z]{28}\.mp3\?Expires=[0-9]{10,}&Signature=[A-Za-z0-9~-]{341}[AQgw]__&Key-Pair-Id=[0-9A-Z]+$
 */
export type VoiceUrl = string;

/** Seconds, a multiple of 0.024; an integer where it is whole. */
export type VoiceLength = number;

/** The reply as the graph keeps it. */
export interface AssistantMessage {
  role: "assistant";
  content: string;
  tool_calls: null;
}

/**
 * The signed address of a greeting's MP3.
 *
 * @pattern
 * ^https?://[^?#]+/room_uid_voice/[^/?#]+/greeting_[0-9]+\.mp3\?Expires=[0-9]{10,}&Signature=[A-Za-z0-9~-]{341}[AQgw]__&Key-Pair-Id=[0-9A-Z]+$
 */
export type GreetingUrl = string;

/**
 * A request, as API Gateway names it.
 *
 * @pattern ^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$
 */
export type RequestId = string;

/** `START`: The request is accepted. A greeting is accepted. */
export interface StartFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "START";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** The room, as the request named it. */
  room_uid: string;
  /** This turn, 25 characters; tells turns on one connection apart. */
  stream_uid: StreamUid;
  /** The mark of the beginning; "" where the setting `v3.som_eom` is off. */
  msg: "<SOM>" | "";
  /** False on every frame of a turn that was asked for with `stream` 0. */
  is_stream: boolean;
  /** Epoch seconds as text; the same in START and END of a message, each its own in a greeting. */
  cAt: EpochText;
  /** Whether sentences get a voice, 0 or 1; null in a greeting whose request left it out. */
  return_voice: 0 | 1 | null;
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "info";
  /** Not there; declared so that it can be asked of any frame. */
  event?: never;
}

/** `history`: The room's earlier turns are being read. The room's earlier turns stand in the model's input. */
export interface HistoryFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "history";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** This turn, 25 characters; tells turns on one connection apart. */
  stream_uid: StreamUid;
  /** The room, as the request named it. */
  room_uid: string;
  /** One of these, in this order. */
  msg: "대화 기억을 찾고 있습니다." | "대화 기억을 재생하였습니다.";
  /** False on every frame of a turn that was asked for with `stream` 0. */
  is_stream: boolean;
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "info";
  /** Not there; declared so that it can be asked of any frame. */
  event?: never;
}

/** `memory`: The space's memories are being read. The space's memories are known. */
export interface MemoryFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "memory";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** This turn, 25 characters; tells turns on one connection apart. */
  stream_uid: StreamUid;
  /** The room, as the request named it. */
  room_uid: string;
  /** The first, then the second: it counts who listens for hotwords. */
  msg: "저장된 메모리를 찾고 있습니다." | `저장된 메모리를 찾았습니다. 핫워드 수신으로 설정된 메모리는 총 ${number}개 입니다.`;
  /** False on every frame of a turn that was asked for with `stream` 0. */
  is_stream: boolean;
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "info";
  /** Not there; declared so that it can be asked of any frame. */
  event?: never;
}

/** `think`: The graph starts. The graph has ended, well or not. */
export interface ThinkFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "think";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** This turn, 25 characters; tells turns on one connection apart. */
  stream_uid: StreamUid;
  /** The room, as the request named it. */
  room_uid: string;
  /** One of these, in this order. */
  msg: "생각을 시작합니다." | "생각이 끝났습니다.";
  /** False on every frame of a turn that was asked for with `stream` 0. */
  is_stream: boolean;
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "info";
  /** Not there; declared so that it can be asked of any frame. */
  event?: never;
}

/** `stream`: A piece of the reply. */
export interface StreamFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "stream";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** This turn, 25 characters; tells turns on one connection apart. */
  stream_uid: StreamUid;
  /** The room, as the request named it. */
  room_uid: string;
  /** The sentence: 26 characters from 2024-08-27 to 2024-10-02, else 28. */
  sent_uid: SentUid;
  /** LangChain's name of the event. */
  event: "on_chat_model_stream";
  /** What the event carries: `chunk.content` is the token, `chunk.messages` the whole reply. */
  data: { chunk: { content: string } };
  /** A piece of the reply, the same as in `data.chunk.content`. */
  msg: string;
  /** False on every frame of a turn that was asked for with `stream` 0. */
  is_stream: true;
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "stream";
}

/**
 * `hotword_detected`: The reply is about to say a word that a memory listens for (once for each memory in a
 * room).
 */
export interface HotwordDetectedFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "hotword_detected";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** This turn, 25 characters; tells turns on one connection apart. */
  stream_uid: StreamUid;
  /** The room, as the request named it. */
  room_uid: string;
  /** Tells the word; the second form stands in one sample of the documents only. */
  msg: `핫워드 "${string}"가 감지되었습니다.` | `핫워드 '${string}'이 감지되었습니다.`;
  /** The word that was heard. */
  hotword: string;
  /** The memory that listens for it, 17 hexadecimal digits. */
  hotword_uid: HotwordUid;
  /** False on every frame of a turn that was asked for with `stream` 0. */
  is_stream: boolean;
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "info";
  /** Not there; declared so that it can be asked of any frame. */
  event?: never;
}

/** `memory_dict`: The dictionary of the memory just detected, as JSON text (if it has one). */
export interface MemoryDictFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "memory_dict";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** This turn, 25 characters; tells turns on one connection apart. */
  stream_uid: StreamUid;
  /** The room, as the request named it. */
  room_uid: string;
  /** The dictionary: JSON as text, a list of `{"v": value, "k": key}`. */
  msg: string;
  /** The word that was heard. */
  hotword: string;
  /** The memory that listens for it, 17 hexadecimal digits. */
  hotword_uid: HotwordUid;
  /** False on every frame of a turn that was asked for with `stream` 0. */
  is_stream: boolean;
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "hotword";
  /** Not there; declared so that it can be asked of any frame. */
  event?: never;
}

/** `voice_ready`: The voice of a sentence can be fetched (with `return_voice` 1). */
export interface VoiceReadyFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "voice_ready";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** This turn, 25 characters; tells turns on one connection apart. */
  stream_uid: StreamUid;
  /** The room, as the request named it. */
  room_uid: string;
  /** The sentence that is spoken. */
  msg: string;
  /** Where the MP3 is, signed and for a limited time. */
  voice_url: VoiceUrl;
  /** Seconds, a multiple of 0.024; an integer where it is whole. */
  voice_length: VoiceLength;
  /** The sentence: 26 characters from 2024-08-27 to 2024-10-02, else 28. */
  sent_uid: SentUid;
  /** False on every frame of a turn that was asked for with `stream` 0. */
  is_stream: boolean;
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "info";
  /** Not there; declared so that it can be asked of any frame. */
  event?: never;
}

/** `END`: The turn is over. */
export interface EndFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "END";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** This turn, 25 characters; tells turns on one connection apart. */
  stream_uid: StreamUid;
  /** The room, as the request named it. */
  room_uid: string;
  /** The mark of the end; "" where the setting `v3.som_eom` is off. */
  msg: "<EOM>" | "";
  /** Epoch seconds as text; the same in START and END of a message, each its own in a greeting. */
  cAt: EpochText;
  /** False on every frame of a turn that was asked for with `stream` 0. */
  is_stream: boolean;
  /** Whether sentences get a voice, 0 or 1; null in a greeting whose request left it out. */
  return_voice: 0 | 1 | null;
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "info";
  /** Not there; declared so that it can be asked of any frame. */
  event?: never;
}

/** `stream`: The whole reply at once (`stream: 0`) (in place of the tokens). */
export interface StreamReplyFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "stream";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** This turn, 25 characters; tells turns on one connection apart. */
  stream_uid: StreamUid;
  /** The room, as the request named it. */
  room_uid: string;
  /** The sentence: 26 characters from 2024-08-27 to 2024-10-02, else 28. */
  sent_uid: SentUid;
  /** LangChain's name of the event. */
  event: "on_chain_stream";
  /** What the event carries: `chunk.content` is the token, `chunk.messages` the whole reply. */
  data: { chunk: { messages: [AssistantMessage] } };
  /** The whole reply, the same as in `data.chunk.messages`. */
  msg: string;
  /** False on every frame of a turn that was asked for with `stream` 0. */
  is_stream: false;
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "stream";
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
  /** Not there; declared so that it can be asked of any frame. */
  event?: never;
}

/** `greeting`: The greeting itself. */
export interface GreetingFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "greeting";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** This turn, 25 characters; tells turns on one connection apart. */
  stream_uid: StreamUid;
  /** The room, as the request named it. */
  room_uid: string;
  /** The greeting. */
  msg: string;
  /** False on every frame of a turn that was asked for with `stream` 0. */
  is_stream: boolean;
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "info";
  /** Not there; declared so that it can be asked of any frame. */
  event?: never;
}

/** `voice_ready`: The voice of the greeting can be fetched (with `return_voice` 1). */
export interface GreetingVoiceReadyFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "voice_ready";
  /** Epoch seconds as text; the same in START and END of a message, each its own in a greeting. */
  cAt: EpochText;
  /** The room, as the request named it. */
  room_uid: string;
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** The `questioner` of the request, else "". */
  questioner: string;
  /** The organisation that the space belongs to. */
  org_id: string;
  /** The greeting. */
  msg: string;
  /** Where the MP3 is, signed and for a limited time. */
  voice_url: GreetingUrl;
  /** Seconds, a multiple of 0.024; an integer where it is whole. */
  voice_length: VoiceLength;
  /** The sentence: 26 characters from 2024-08-27 to 2024-10-02, else 28. */
  sent_uid: SentUid;
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "info";
  /** The memories whose words the greeting says. */
  hotword_uids: HotwordUid[];
  /** Whether sentences get a voice, 0 or 1; null in a greeting whose request left it out. */
  return_voice: 0 | 1 | null;
  /** Not there; declared so that it can be asked of any frame. */
  event?: never;
}

/** `connected`: Answer to the action `status`. */
export interface StatusFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "connected";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "info";
  /** Not there; declared so that it can be asked of any frame. */
  event?: never;
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
  event?: never;
  /** Not there; declared so that it can be asked of any frame. */
  msgtype?: never;
}

/** `status`: Asks whether the connection is alive. */
export interface StatusRequest {
  /** What is asked. */
  action: "status";
}

/**
 * `sendmsg`: Says something to the agent of a space. A field that is null or "" counts as left out; one that is
 * not listed is ignored by the server.
 */
export interface SendmsgRequest {
  /** What is asked. */
  action: "sendmsg";
  /** Names the space. */
  api_key: string;
  /** The room; any text. */
  room_uid: string;
  /** Who speaks. */
  user_id: string;
  /** What is said; without it, where it may be left out, the agent speaks first. */
  msg?: string | null;
  /** 0, 1, "0" or "1": whether sentences get a voice; left out, the space decides. */
  return_voice?: 0 | 1 | "0" | "1" | null;
  /** 0 or 1, default 1; 0: the whole reply in one frame. */
  stream?: 0 | 1 | "0" | "1" | null;
  /** 0 or 1, default 0; 1: the turn leaves no trace in the room. */
  no_save?: 0 | 1 | "0" | "1" | null;
  /** 0 or 1, default 0; 1: the model sees no earlier turns. */
  no_history?: 0 | 1 | "0" | "1" | null;
  /** Chooses among the models of the configured endpoint. */
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
  /** An image uploaded before. */
  filename?: string | null;
  /** 0 to 7. */
  scene_number?: number | null;
}

/**
 * `greeting`: Asks for one of the greetings of a space. A field that is null or "" counts as left out; one that
 * is not listed is ignored by the server.
 */
export interface GreetingRequest {
  /** What is asked. */
  action: "greeting";
  /** Names the space. */
  api_key: string;
  /** The room; any text. */
  room_uid: string;
  /** Who speaks. */
  user_id: string;
  /** Which greeting of the space, default 1. */
  greeting_number?: number | null;
  /** 0, 1, "0" or "1": whether sentences get a voice; left out, the space decides. */
  return_voice?: 0 | 1 | "0" | "1" | null;
  /**
   * A code such as `ko`: language of the reply and of the voice (understood here, documented from 2024-11-03
   * on).
   */
  language?: string | null;
  /** A name, handed to the graph. */
  questioner?: string | null;
  /** 0 to 7. */
  scene_number?: number | null;
}

/** Everything that the server sends. */
export type Frame =
  | StartFrame
  | HistoryFrame
  | MemoryFrame
  | ThinkFrame
  | StreamFrame
  | HotwordDetectedFrame
  | MemoryDictFrame
  | VoiceReadyFrame
  | EndFrame
  | StreamReplyFrame
  | ErrorFrame
  | GreetingFrame
  | GreetingVoiceReadyFrame
  | StatusFrame
  | ForbiddenFrame;

/** Everything that a client may ask. */
export type ClientRequest =
  | StatusRequest
  | SendmsgRequest
  | GreetingRequest;
