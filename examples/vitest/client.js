// A small client of the chldo API for programs: ask, and get the whole answer.

/** The server said no: to the request, or in the middle of a turn. */
export class ChldoError extends Error {}

export class Chat {
  #socket
  #turn

  /**
   * @param {string} url with room_uid and user_uid
   * @param {object} options
   * @param {string} options.apiKey
   * @param {number} options.attempts how often a turn is asked for again when the connection is lost
   * @param {number} options.patience milliseconds without a frame before a turn is given up
   */
  constructor(url, { apiKey, attempts = 3, patience = 10_000 }) {
    const query = new URL(url).searchParams
    this.url = url
    this.about = { api_key: apiKey, room_uid: query.get('room_uid'), user_id: query.get('user_uid') }
    this.attempts = attempts
    this.patience = patience
  }

  /** The answer to a message: its text, its voices and the choices that were offered. */
  async ask(msg, { onToken = () => {}, ...more } = {}) {
    for (let left = this.attempts; ; left--) {
      try {
        return await this.#try({ action: 'sendmsg', ...this.about, msg, ...more }, onToken)
      } catch (error) {
        // A turn whose connection is lost has left no trace, so it may be asked for again.
        if (error instanceof ChldoError || left <= 1) throw error
      }
    }
  }

  close() {
    this.#socket?.close()
  }

  async #try(request, onToken) {
    const socket = await this.#open()
    return new Promise((resolve, reject) => {
      const answer = { text: '', voices: [], choices: [] }
      const late = () => {
        reject(new ChldoError(`no frame for ${this.patience} ms`))
        socket.close()
      }
      let timer = setTimeout(late, this.patience)
      const done = (settle, value) => {
        clearTimeout(timer)
        this.#turn = undefined
        settle(value)
      }
      this.#turn = {
        lost: (code) => done(reject, new Error(`the connection was lost (${code})`)),
        frame: (text) => {
          clearTimeout(timer)
          timer = setTimeout(late, this.patience)
          const frame = parse(text)
          if (frame.msgtype === 'error') done(reject, new ChldoError(frame.msg))
          else if (frame.status === 'stream') onToken(frame.msg, (answer.text += frame.msg))
          else if (frame.status === 'voice_ready') answer.voices.push(frame.voice_url)
          else if (frame.choices) answer.choices = frame.choices
          else if (frame.status === 'END') done(resolve, answer)
        },
      }
      socket.send(JSON.stringify(request))
    })
  }

  async #open() {
    if (this.#socket?.readyState === WebSocket.OPEN) return this.#socket
    const socket = new WebSocket(this.url)
    this.#socket = socket
    await new Promise((resolve, reject) => {
      socket.onopen = resolve
      socket.onerror = () => reject(new Error(`cannot connect to ${this.url}`))
    })
    socket.onerror = () => {} // a close follows
    socket.onmessage = ({ data }) => this.#turn?.frame(data)
    socket.onclose = ({ code }) => this.#turn?.lost(code)
    return socket
  }
}

/** A frame; an empty one for text that is no JSON object, which no part of an answer is. */
function parse(text) {
  try {
    return Object(JSON.parse(text))
  } catch (error) {
    if (error instanceof SyntaxError) return {}
    throw error
  }
}
