/**
 * MaLangEE real-time voice, as the service's own backend speaks.
 *
 * Frames have exactly these keys, in this order; on scenario sockets an error has no code, and a failing service
 * shows as a bare JSON string, which no schema describes. The socket stays open after `disconnected`.
 *
 * Generated from the frame classes by `chldo-emulator schema`; do not edit.
 */

/** What these types describe. */
export const REVISION = "backend";

/** `speech.started`: The user speaks; the sound of the AI is to stop. */
export interface SpeechStartedFrame {
  /** The kind. */
  type: "speech.started";
}

/** `speech.stopped`: The user has been silent for the silence window. */
export interface SpeechStoppedFrame {
  /** The kind. */
  type: "speech.stopped";
}

/** `user.transcript`: What the user has said. */
export interface UserTranscriptFrame {
  /** The kind. */
  type: "user.transcript";
  /** The text. */
  transcript: string;
}

/** `audio.delta`: A piece of the AI's speech. */
export interface AudioDeltaFrame {
  /** The kind. */
  type: "audio.delta";
  /** Base64 of PCM16 little-endian, mono, 24 kHz. */
  delta: string;
}

/** `transcript.done`: What the AI has said in the turn. */
export interface TranscriptDoneFrame {
  /** The kind. */
  type: "transcript.done";
  /** The text. */
  transcript: string;
}

/** `audio.done`: All speech of the turn has been sent. */
export interface AudioDoneFrame {
  /** The kind. */
  type: "audio.done";
}

/** `error`: Something could not be done. */
export interface ErrorFrame {
  /** The kind. */
  type: "error";
  /** What went wrong, for programs; on chat only. */
  code?: string;
  /** What went wrong. */
  message: string;
}

/** `disconnected`: The last frame of a conversation. */
export interface DisconnectedFrame {
  /** The kind. */
  type: "disconnected";
  /** Always the same. */
  reason: "Session ended";
  /** What it came to. */
  report: { session_id: string; started_at: string; ended_at: string; total_duration_sec: number; user_speech_duration_sec: number; messages: ({ role: "user" | "assistant"; content: string; timestamp: string; duration_sec: number })[] };
}

/** `ready`: The conversation may begin. */
export interface ScenarioReadyFrame {
  /** The kind. */
  type: "ready";
}

/** `input_audio.transcript`: What the user has said. */
export interface ScenarioUserTranscriptFrame {
  /** The kind. */
  type: "input_audio.transcript";
  /** The text. */
  transcript: string;
}

/** `response.audio.delta`: A piece of the AI's speech. */
export interface ScenarioAudioDeltaFrame {
  /** The kind. */
  type: "response.audio.delta";
  /** Base64 of PCM16 little-endian, mono, 24 kHz. */
  delta: string;
  /** Samples a second. */
  sample_rate: 24000;
}

/** `response.audio_transcript.done`: What the AI has said in the turn. */
export interface ScenarioTranscriptDoneFrame {
  /** The kind. */
  type: "response.audio_transcript.done";
  /** The text. */
  transcript: string;
}

/** `response.audio.done`: All speech of the turn has been sent. */
export interface ScenarioAudioDoneFrame {
  /** The kind. */
  type: "response.audio.done";
}

/** `scenario.completed`: The scenario is known, or three questions have been answered. */
export interface ScenarioScenarioCompletedFrame {
  /** The kind. */
  type: "scenario.completed";
  /** The scenario. */
  json: { place: string | null; conversation_partner: string | null; conversation_goal: string | null; sessionId: string };
  /** Always true. */
  completed: true;
}

/** `input_audio_buffer.append`: A piece of the microphone. */
export interface InputAudioBufferAppendRequest {
  /** The kind. */
  type: "input_audio_buffer.append";
  /** Base64 of PCM16 little-endian, mono, 24 kHz. */
  audio: string;
}

/** `input_audio_buffer.commit`: The user's turn ends here. */
export interface InputAudioBufferCommitRequest {
  /** The kind. */
  type: "input_audio_buffer.commit";
}

/** `response.create`: The AI is to answer. */
export interface ResponseCreateRequest {
  /** The kind. */
  type: "response.create";
}

/** `text`: A turn of the user without sound. */
export interface TextRequest {
  /** The kind. */
  type: "text";
  /** What is said. */
  text: string;
}

/** `session.update`: Changes the voice, or how the user is heard. */
export interface SessionUpdateRequest {
  /** The kind. */
  type: "session.update";
  /** What changes. */
  config: { voice?: string; turn_detection?: { threshold?: number; prefix_padding_ms?: number; silence_duration_ms?: number } };
}

/** `disconnect`: The conversation is over. */
export interface DisconnectRequest {
  /** The kind. */
  type: "disconnect";
}

/** `input_audio_chunk`: A piece of the microphone, on scenario sockets. */
export interface InputAudioChunkRequest {
  /** The kind. */
  type: "input_audio_chunk";
  /** Base64 of PCM16 little-endian, mono, 24 kHz. */
  audio: string;
  /** Samples a second. */
  sample_rate?: number;
}

/** Everything that the server sends. */
export type Frame =
  | SpeechStartedFrame
  | SpeechStoppedFrame
  | UserTranscriptFrame
  | AudioDeltaFrame
  | TranscriptDoneFrame
  | AudioDoneFrame
  | ErrorFrame
  | DisconnectedFrame
  | ScenarioReadyFrame
  | ScenarioUserTranscriptFrame
  | ScenarioAudioDeltaFrame
  | ScenarioTranscriptDoneFrame
  | ScenarioAudioDoneFrame
  | ScenarioScenarioCompletedFrame;

/** Everything that a client may ask. */
export type ClientRequest =
  | InputAudioBufferAppendRequest
  | InputAudioBufferCommitRequest
  | ResponseCreateRequest
  | TextRequest
  | SessionUpdateRequest
  | DisconnectRequest
  | InputAudioChunkRequest;
