// A connection to a chldo server that comes back by itself. Knows no page: it tells what happens as events.
//
//   state    { state: 'open' | 'waiting' | 'closed', seconds }   seconds until the next attempt
//   token    { turn, text }        a piece of the answer
//   voice    { turn, url, text }   a sentence that can be heard
//   choices  { turn, choices }     what may be said next
//   trouble  { turn, text }        the server said no; turn is null where it names none
//   end      { turn, lost }        the turn is over; lost: its connection went away before that

const FIRST_PAUSE = 0.5
const LONGEST_PAUSE = 15

export class Chldo extends EventTarget {
  #socket
  #failures = 0
  #timer
  #turn = null
  #turns = 0
  #began = false

  /** @param {string} url with room_uid and user_uid */
  constructor(url, apiKey) {
    super()
    const query = new URL(url).searchParams
    this.url = url
    this.about = { api_key: apiKey, room_uid: query.get('room_uid'), user_id: query.get('user_uid') }
  }

  connect() {
    clearTimeout(this.#timer)
    this.#socket = new WebSocket(this.url)
    this.#socket.onopen = () => {
      this.#failures = 0
      this.#tell('state', { state: 'open' })
    }
    this.#socket.onmessage = ({ data }) => this.#take(data)
    this.#socket.onclose = () => this.#lost()
  }

  close() {
    clearTimeout(this.#timer)
    this.#socket.onclose = null
    this.#socket.close()
    this.#tell('state', { state: 'closed' })
  }

  get ready() {
    return this.#socket?.readyState === WebSocket.OPEN && this.#turn === null
  }

  /** Asks; gives the number of the turn, which the events name. */
  ask(msg, more = {}) {
    this.#turn = ++this.#turns
    this.#socket.send(JSON.stringify({ action: 'sendmsg', ...this.about, msg, ...more }))
    return this.#turn
  }

  #take(text) {
    const turn = this.#turn
    let frame
    try {
      frame = Object(JSON.parse(text))
    } catch {
      this.#tell('trouble', { turn, text: `a frame that is no JSON: ${text.slice(0, 60)}` })
      return
    }
    if (frame.msgtype === 'error') this.#tell('trouble', { turn, text: frame.msg })
    if (turn === null) return // nobody has asked
    if (frame.status === 'START') this.#began = true
    else if (frame.status === 'stream') this.#tell('token', { turn, text: frame.msg })
    else if (frame.status === 'voice_ready') this.#tell('voice', { turn, url: frame.voice_url, text: frame.msg })
    else if (frame.choices) this.#tell('choices', { turn, choices: frame.choices })
    const refused = frame.msgtype === 'error' && !this.#began
    if (frame.status === 'END' || refused) this.#over(false)
  }

  #over(lost) {
    const turn = this.#turn
    this.#turn = null
    this.#began = false
    if (turn !== null) this.#tell('end', { turn, lost })
  }

  #lost() {
    this.#over(true)
    const seconds = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#failures++)
    this.#tell('state', { state: 'waiting', seconds })
    this.#timer = setTimeout(() => this.connect(), 1000 * seconds)
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }))
  }
}
