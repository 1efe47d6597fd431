// Runs on the audio thread: gathers the microphone into pieces of 4096 samples of PCM16, as the service's front end does.

const SAMPLES = 4096;

class Capture extends AudioWorkletProcessor {
  piece = new Int16Array(SAMPLES);
  filled = 0;

  process([input]) {
    const channel = input[0];
    if (!channel) return true;
    for (const sample of channel) {
      this.piece[this.filled++] = Math.max(-1, Math.min(1, sample)) * 32767;
      if (this.filled === SAMPLES) {
        this.port.postMessage(this.piece.buffer, [this.piece.buffer]);
        this.piece = new Int16Array(SAMPLES);
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
