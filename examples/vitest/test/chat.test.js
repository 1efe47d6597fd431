import { afterEach, beforeEach, expect, test } from 'vitest'

import { Chat, ChldoError } from '../client.js'
import { emulator } from './setup.js'

const KEY = 'd4a3653a4ba72d6e04a293' // of the demo space
const room = 'VitestRoom01'
let chat

beforeEach(() => {
  chat = new Chat(emulator.wsUrl(room), { apiKey: KEY })
})
afterEach(() => chat.close())

test('streams the tokens of a reply', async () => {
  await emulator.reply({ when: { msg: 'hi' }, tokens: ['Hello', ',', ' you', '.'] })
  const seen = []
  const answer = await chat.ask('hi', { onToken: (token) => seen.push(token) })
  expect(seen).toEqual(['Hello', ',', ' you', '.'])
  expect(answer.text).toBe('Hello, you.')
})

test('gives a voice for each sentence, and the choices', async () => {
  await emulator.reply({
    when: { msg: 'hi' },
    reply: 'This is the first sentence. And here is the second one.',
    choices: [{ text: 'Go on.' }],
  })
  const { voices, choices } = await chat.ask('hi', { return_voice: 1, use_choices: 2 })
  expect(voices).toHaveLength(2)
  expect(choices).toEqual([{ text: 'Go on.', tone: expect.any(String) }])
  const voice = await fetch(voices[0])
  expect(voice.headers.get('content-type')).toBe('audio/mpeg')
})

test('asks again when the connection is lost in the middle of a turn', async () => {
  await emulator.fault({ fault: 'close', code: 1011, after_frames: 6, count: 1, when: { room } })
  const { text } = await chat.ask('안녕하세요')
  expect(text).not.toBe('')
  await emulator.waitFor({ type: 'sendmsg', room }, { count: 2 })
  expect(await emulator.journal({ kind: 'open', room })).toHaveLength(2)
})

test('gives up when the connection is lost every time', async () => {
  await emulator.fault({ fault: 'reset', after_frames: 2, when: { room } })
  await expect(chat.ask('안녕하세요')).rejects.toThrow('the connection was lost')
  await emulator.waitFor({ type: 'sendmsg', room }, { count: 3 })
})

test('tells what the server said when a turn fails', async () => {
  await emulator.reply({ when: { msg: 'hi' }, error: { status: 429, body: { message: 'slow down' } } })
  await expect(chat.ask('hi')).rejects.toThrow(/429.*slow down/)
})

test('tells that a key is wrong, and does not ask again', async () => {
  chat = new Chat(emulator.wsUrl(room), { apiKey: 'nobody' })
  await expect(chat.ask('hi')).rejects.toThrow(new ChldoError('api_key is not exist'))
  expect(await emulator.journal({ type: 'sendmsg', room })).toHaveLength(1)
})

test('ignores frames that it does not know, and frames that are broken', async () => {
  await emulator.reply({ when: { msg: 'hi' }, reply: 'Still here.' })
  await emulator.fault({ fault: 'foreign', when: { frame: 'START' } })
  await emulator.fault({ fault: 'truncate', when: { frame: 'memory' } })
  expect((await chat.ask('hi')).text).toBe('Still here.')
})

test('gives up on a model that hangs', async () => {
  chat = new Chat(emulator.wsUrl(room), { apiKey: KEY, patience: 200 })
  await emulator.fault({ fault: 'hang', after_tokens: 2 })
  await expect(chat.ask('안녕하세요')).rejects.toThrow('no frame for 200 ms')
})
