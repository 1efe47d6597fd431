// Plays PCM16 pieces one behind the other, and forgets them at once when the user interrupts.

export class Player {
  constructor(context, onChange) {
    this.context = context;
    this.onChange = onChange;
    this.sources = new Set();
    this.until = 0;
    this.seconds = 0;
  }

  play(bytes) {
    const samples = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 1);
    if (!samples.length) return;
    const buffer = this.context.createBuffer(1, samples.length, 24000);
    const channel = buffer.getChannelData(0);
    for (let at = 0; at < samples.length; at++) channel[at] = samples[at] / 32768;
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    this.until = Math.max(this.until, this.context.currentTime + 0.05);
    source.start(this.until);
    this.until += buffer.duration;
    this.seconds += buffer.duration;
    this.sources.add(source);
    this.onChange(true);
    source.onended = () => {
      this.sources.delete(source);
      if (!this.sources.size) this.onChange(false);
    };
  }

  flush() {
    for (const source of this.sources) source.stop();
    this.sources.clear();
    this.until = 0;
    this.onChange(false);
  }
}
