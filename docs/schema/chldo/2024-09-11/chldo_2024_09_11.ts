/**
 * chldo WebSocket API, revision 2024-09-11 (R4).
 *
 * What revision 2024-09-11 of the wire brought: The action `greeting`; `msg` may be left out. Frames have
 * exactly these keys, in this order. Nothing is sent before a request, and an unknown action is answered by the
 * Forbidden frame. `msg` of a request may be left out (the setting `v3.require_msg` decides otherwise).
 *
 * Generated from the frame classes by `chldo-emulator schema`; do not edit.
 */

/** What these types describe. */
export const REVISION = "2024-09-11";

/**
 * A connection, as API Gateway names it.
 *
 * @pattern ^[A-Za-z0-9_-]{8}[oI]E0[AC][A-Za-z0-9]{2}[AQgw]=$
 */
export type ConnectionId = string;

/**
 * Epoch seconds as text, up to 6 decimals.
 *
 * @pattern ^[0-9]{10}(\.[0-9]{1,6})?$
 */
export type EpochText = string;

/**
 * A run of LangGraph: a UUID of version 4.
 *
 * @pattern ^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$
 */
export type RunId = string;

/** A piece of the model's message, as LangChain dumps it. */
export interface MessageChunk {
  content: string;
  additional_kwargs: Record<string, never>;
  response_metadata: Record<string, never>;
  type: "AIMessageChunk";
  name: null;
  id: null;
  example: false;
  tool_calls: [];
  invalid_tool_calls: [];
  usage_metadata: null;
  tool_call_chunks: [];
}

/**
 * A sentence of a reply.
 *
 * @pattern ^[0-9A-Za-z]{26}$
 */
export type SentUid = string;

/**
 * The signed address of a sentence's MP3.
 *
 * @pattern
 * ^https?://[^?#]+/room_uid_voice/[^/?#]+/[0-9A-Za-z]{26}\.mp3\?Expires=[0-9]{10,}&Signature=[A-Za-z0-9~-]{341}[AQgw]__&Key-Pair-Id=[0-9A-Z]+$
 */
export type VoiceUrl = string;

/**
 * The signed address of a greeting's MP3.
 *
 * @pattern
 * ^https?://[^?#]+/room_uid_voice/[^/?#]+/greeting_[0-9]+\.mp3\?Expires=[0-9]{10,}&Signature=[A-Za-z0-9~-]{341}[AQgw]__&Key-Pair-Id=[0-9A-Z]+$
 */
export type GreetingUrl = string;

/** Seconds, a multiple of 0.024; an integer where it is whole. */
export type VoiceLength = number;

/**
 * A memory that listens for a hotword.
 *
 * @pattern ^[0-9a-f]{17}$
 */
export type HotwordUid = string;

/**
 * A request, as API Gateway names it.
 *
 * @pattern ^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$
 */
export type RequestId = string;

/** A piece of the model's message, as LangChain dumps it. */
export interface ToolCallChunk {
  content: "";
  additional_kwargs: Record<string, never>;
  response_metadata: Record<string, never>;
  type: "AIMessageChunk";
  name: null;
  id: null;
  example: false;
  tool_calls: Record<string, unknown>[];
  invalid_tool_calls: [];
  usage_metadata: null;
  tool_call_chunks: Record<string, unknown>[];
}

/** `START`: The request is accepted. A greeting is accepted. */
export interface StartFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "START";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** The mark of the beginning; "" where the setting `v3.som_eom` is off. */
  msg: "<SOM>" | "";
  /** Epoch seconds as text; the same in START and END of a message, each its own in a greeting. */
  cAt: EpochText;
  /** Whether sentences get a voice, 0 or 1; null in a greeting whose request left it out. */
  return_voice: 0 | 1 | null;
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "info";
  /** Not there; declared so that it can be asked of any frame. */
  event?: never;
}

/** `received`: The request is accepted. */
export interface ReceivedFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "received";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** A fixed text. */
  msg: "메시지를 전달 받았습니다.";
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "info";
  /** Not there; declared so that it can be asked of any frame. */
  event?: never;
}

/**
 * `memory`: The room's earlier turns are being read. The room's earlier turns stand in the model's input. The
 * space's memories are known.
 */
export interface MemoryFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "memory";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** One of these, in this order. */
  msg: "기억을 찾고 있습니다." | "기억에 연결하였습니다." | "기억을 재생 중입니다.";
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
  /** One of these, in this order. */
  msg: "생각을 시작합니다." | "생각이 끝났습니다.";
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "info";
  /** Not there; declared so that it can be asked of any frame. */
  event?: never;
}

/** `run event`: A LangGraph event that is no token. Anything else that LangGraph runs. */
export interface RunEventFrame {
  /** LangChain's name of the event. */
  event: "on_chain_start" | "on_chain_end" | "on_chat_model_start" | "on_tool_start" | "on_tool_end" | "on_tool_error" | "on_llm_start" | "on_llm_stream" | "on_llm_end" | "on_retriever_start" | "on_retriever_end" | "on_prompt_start" | "on_prompt_end" | "on_parser_start" | "on_parser_stream" | "on_parser_end" | "on_custom_event";
  /** What the event carries: `chunk.content` is the token, `chunk.messages` the whole reply. */
  data: Record<string, never>;
  /** The run that the event belongs to, UUIDv4. */
  run_id: RunId;
  /** The runs around it, outermost first; empty for the graph itself. */
  parent_ids: RunId[];
  /** LangChain's tags of the run; `graph:step:N` counts over the turns of the room. */
  tags: string[];
  /** Not there; declared so that it can be asked of any frame. */
  status?: never;
  /** Not there; declared so that it can be asked of any frame. */
  msgtype?: never;
}

/** `on_chat_model_stream`: A piece of the reply. */
export interface OnChatModelStreamFrame {
  /** LangChain's name of the event. */
  event: "on_chat_model_stream";
  /** What the event carries: `chunk.content` is the token, `chunk.messages` the whole reply. */
  data: { chunk: MessageChunk };
  /** The run that the event belongs to, UUIDv4. */
  run_id: RunId;
  /** The runs around it, outermost first; empty for the graph itself. */
  parent_ids: RunId[];
  /** LangChain's tags of the run; `graph:step:N` counts over the turns of the room. */
  tags: string[];
  /** The sentence: 26 characters from 2024-08-27 to 2024-10-02, else 28. */
  sent_uid: SentUid;
  /** Not there; declared so that it can be asked of any frame. */
  status?: never;
  /** Not there; declared so that it can be asked of any frame. */
  msgtype?: never;
}

/** `voice_ready`: The voice of a sentence can be fetched (with `return_voice` 1). */
export interface VoiceReadyFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "voice_ready";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** Where the MP3 is, signed and for a limited time. */
  voice_url: VoiceUrl;
  /** The sentence: 26 characters from 2024-08-27 to 2024-10-02, else 28. */
  sent_uid: SentUid;
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "info";
  /** Not there; declared so that it can be asked of any frame. */
  event?: never;
}

/** `on_chain_stream`: A LangGraph event that is no token. */
export interface OnChainStreamFrame {
  /** LangChain's name of the event. */
  event: "on_chain_stream";
  /** What the event carries: `chunk.content` is the token, `chunk.messages` the whole reply. */
  data: { chunk: unknown };
  /** The run that the event belongs to, UUIDv4. */
  run_id: RunId;
  /** The runs around it, outermost first; empty for the graph itself. */
  parent_ids: RunId[];
  /** LangChain's tags of the run; `graph:step:N` counts over the turns of the room. */
  tags: string[];
  /** Not there; declared so that it can be asked of any frame. */
  status?: never;
  /** Not there; declared so that it can be asked of any frame. */
  msgtype?: never;
}

/** `END`: The turn is over. */
export interface EndFrame {
  /** What kind of frame it is; `connected` for answers outside the flow and for every error. */
  status: "END";
  /** This connection, 16 characters, the same as long as it is open. */
  connection_id: ConnectionId;
  /** The mark of the end; "" where the setting `v3.som_eom` is off. */
  msg: "<EOM>" | "";
  /** Epoch seconds as text; the same in START and END of a message, each its own in a greeting. */
  cAt: EpochText;
  /** Whether sentences get a voice, 0 or 1; null in a greeting whose request left it out. */
  return_voice: 0 | 1 | null;
  /** `info`, `stream`, `error`, `hotword` or `info_choices`. */
  msgtype: "info";
  /** Not there; declared so that it can be asked of any frame. */
  event?: never;
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
  /** The greeting. */
  msg: string;
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

/** `on_chat_model_stream`: The model calls a tool. */
export interface OnChatModelStreamToolCallFrame {
  /** LangChain's name of the event. */
  event: "on_chat_model_stream";
  /** What the event carries: `chunk.content` is the token, `chunk.messages` the whole reply. */
  data: { chunk: ToolCallChunk };
  /** The run that the event belongs to, UUIDv4. */
  run_id: RunId;
  /** The runs around it, outermost first; empty for the graph itself. */
  parent_ids: RunId[];
  /** LangChain's tags of the run; `graph:step:N` counts over the turns of the room. */
  tags: string[];
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
  | ReceivedFrame
  | MemoryFrame
  | ThinkFrame
  | RunEventFrame
  | OnChatModelStreamFrame
  | VoiceReadyFrame
  | OnChainStreamFrame
  | EndFrame
  | ErrorFrame
  | GreetingFrame
  | GreetingVoiceReadyFrame
  | StatusFrame
  | ForbiddenFrame
  | OnChatModelStreamToolCallFrame;

/** Everything that a client may ask. */
export type ClientRequest =
  | StatusRequest
  | SendmsgRequest
  | GreetingRequest;
