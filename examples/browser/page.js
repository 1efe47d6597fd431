// The page: index.html?server=http://127.0.0.1:8765&api_key=…&room=…

import { Chldo } from './chldo.js'

const asked = new URLSearchParams(location.search)
const server = asked.get('server') ?? 'http://127.0.0.1:8765'
const apiKey = asked.get('api_key') ?? 'd4a3653a4ba72d6e04a293' // of the demo space
const room = asked.get('room') ?? (await (await fetch(`${server}/v3/room/uid/`)).json()).room_uid

const [state, log, choices, form, message, voice] = ['state', 'log', 'choices', 'ask', 'message', 'voice'].map((id) =>
  document.getElementById(id),
)
const bubbles = new Map()
const chat = new Chldo(`${server.replace(/^http/, 'ws')}/v3/?room_uid=${room}&user_uid=visitor`, apiKey)

const on = (type, react) => chat.addEventListener(type, ({ detail }) => react(detail))

on('state', ({ state: name, seconds }) => {
  state.dataset.state = name
  state.value = { open: `connected, room ${room}`, waiting: `connection lost, again in ${seconds} s`, closed: 'closed' }[name]
})
on('token', ({ turn, text }) => {
  bubbles.get(turn).querySelector('p').textContent += text
  log.scrollTop = log.scrollHeight
})
on('voice', ({ turn, url, text }) => enqueue(bubbles.get(turn), url, text))
on('choices', ({ choices: offered }) => {
  choices.replaceChildren(...offered.map(({ text }) => button(text, () => say(text))))
})
on('trouble', ({ turn, text }) => {
  const bubble = bubbles.get(turn) ?? add('theirs', '')
  bubble.dataset.state = 'failed'
  bubble.append(element('p', text, 'trouble'))
})
on('end', ({ turn, lost }) => {
  const bubble = bubbles.get(turn)
  if (lost) {
    // A turn whose connection is lost has left no trace in the room, so it may be asked for again.
    bubble.dataset.state = 'failed'
    bubble.append(element('p', 'the connection was lost', 'trouble'), button('ask again', () => say(bubble.dataset.asked)))
  } else if (bubble.dataset.state === 'streaming') bubble.dataset.state = 'done'
})

form.addEventListener('submit', (event) => {
  event.preventDefault()
  if (say(message.value.trim() || message.placeholder)) message.value = ''
})

function say(text) {
  if (!chat.ready) return false
  choices.replaceChildren()
  add('mine', text)
  const bubble = add('theirs', '')
  Object.assign(bubble.dataset, { state: 'streaming', asked: text })
  bubbles.set(chat.ask(text, { return_voice: voice.checked ? 1 : 0, use_choices: 3 }), bubble)
  return true
}

// -- voices: one after the other, each also a link

let playing = Promise.resolve()

function enqueue(bubble, url, text) {
  const list = bubble.querySelector('ul') ?? bubble.appendChild(document.createElement('ul'))
  const item = list.appendChild(element('li', '♪ '))
  const link = item.appendChild(element('a', text.trim().slice(0, 12)))
  Object.assign(link, { href: url, target: '_blank', rel: 'noreferrer' })
  playing = playing.then(() => play(item, url))
}

function play(item, url) {
  return new Promise((resolve) => {
    const sound = new Audio(url)
    const over = (outcome) => () => {
      item.dataset.state = outcome
      resolve()
    }
    sound.onplaying = () => (item.dataset.state = 'playing')
    sound.onended = over('heard')
    sound.onerror = over('failed')
    sound.play().catch(over('failed'))
  })
}

// -- elements

function element(name, text, className = '') {
  return Object.assign(document.createElement(name), { textContent: text, className })
}

function add(className, text) {
  const bubble = log.appendChild(element('article', '', className))
  bubble.append(element('p', text))
  log.scrollTop = log.scrollHeight
  return bubble
}

function button(text, act) {
  const made = element('button', text)
  made.type = 'button'
  made.addEventListener('click', act)
  return made
}

chat.connect()
