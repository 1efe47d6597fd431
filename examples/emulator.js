// The emulator for tests in JavaScript: starts it by its command line and speaks to its control plane.
// Needs nothing but Node.js 20 or later. Copy it beside your own tests.

import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** The control plane of a running emulator; everything it can do is at `${url}/_emulator/docs`. */
export class Emulator {
  /** @param {string} url where it answers, like http://127.0.0.1:8765 */
  constructor(url) {
    this.url = url.replace(/\/$/, '')
  }

  /** Asks the control plane; throws with its own line if it does not take what it was sent. */
  async ask(method, path, body) {
    const answer = await fetch(`${this.url}/_emulator/${path}`, {
      method,
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    const text = await answer.text()
    const told = text ? JSON.parse(text) : null
    if (!answer.ok) throw new Error(`${method} /_emulator/${path}: ${answer.status} ${told?.message ?? text}`)
    return told
  }

  /** An address to connect to. */
  wsUrl(room, user = 'tester') {
    return `${this.url.replace(/^http/, 'ws')}/v3/?${new URLSearchParams({ room_uid: room, user_uid: user })}`
  }

  /** Makes everything as new: rooms, balances, replies, faults, journal. */
  reset() {
    return this.ask('POST', 'reset')
  }

  /** Scripts an answer: `reply({ when: { msg: 'hi' }, reply: 'Hello.' })`, as in a reply file. */
  async reply(entry) {
    return (await this.ask('POST', 'replies', entry)).replies[0]
  }

  /** Breaks something: `fault({ fault: 'close', after_frames: 3 })`. */
  async fault(rule) {
    return (await this.ask('POST', 'faults', rule)).faults[0]
  }

  /** What happened, oldest first: `journal({ type: 'END', room })`. */
  async journal(query = {}) {
    return (await this.ask('GET', `journal?${new URLSearchParams(query)}`)).entries
  }

  /** Waits until `count` entries are there; throws with the last frames if they do not come in time. */
  async waitFor(query, { count = 1, seconds = 5 } = {}) {
    const asked = new URLSearchParams({ ...query, count, timeout: seconds })
    const { complete, entries } = await this.ask('GET', `journal/wait?${asked}`)
    if (complete) return entries
    const last = (await this.lastFrames()).join('\n')
    throw new Error(`waited ${seconds} s for ${count} of ${JSON.stringify(query)}; ${entries.length} came\n${last}`)
  }

  /** The end of the journal, for people: `>` from the client, `<` from the server; runs of frames alike are folded. */
  async lastFrames(most = 25) {
    const lines = []
    let last = ''
    let before = {}
    for (const { kind, type, room, text, ...more } of await this.journal({ limit: 500, newest: true })) {
      const about = `${{ in: '>', out: '<' }[kind] ?? kind} ${type ?? ''}`
      const values = object(text) ?? { text, ...more }
      const news = Object.entries(values).filter(([key, value]) => JSON.stringify(before[key]) !== JSON.stringify(value))
      const line = `${about} [${room}] ${JSON.stringify(Object.fromEntries(news))}`.slice(0, 160)
      if (about === last) lines[lines.length - 1] = `${line}   (the last of several)`
      else lines.push(line)
      last = about
      before = values
    }
    return lines.slice(-most)
  }
}

/** The object that a text is in JSON; undefined where it is none. */
function object(text) {
  try {
    return Object(JSON.parse(text))
  } catch {
    return undefined
  }
}

/**
 * Starts an emulator on a free port, with a data folder of its own, and waits until it serves turns.
 * It ends with `stop()`, and with this process, however that ends.
 * @param {string[]} options more options of `chldo-emulator serve`
 */
export async function startEmulator(options = []) {
  const program = process.env.CHLDO_EMULATOR ?? 'chldo-emulator'
  const data = await mkdtemp(join(tmpdir(), 'chldo-emulator-'))
  const args = ['serve', '--port', '0', '--data', data, '--seed', '8', '--until-eof', '--log-level', 'warning', ...options]
  const server = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, CHLDO_VOICE_ENGINE: process.env.CHLDO_VOICE_ENGINE ?? 'tone', CHLDO_VOICE_WORKERS: '1' },
  })
  const ended = new Promise((resolve) => {
    server.once('error', (error) => resolve(`cannot run ${program}: ${error.message}`))
    server.once('exit', (code) => resolve(`the emulator ended with exit code ${code}`))
  })
  const stop = async () => {
    server.kill('SIGTERM')
    await ended
    await rm(data, { recursive: true, force: true })
  }
  const serving = (async () => {
    for await (const line of createInterface({ input: server.stdout })) {
      const found = line.match(/(http:\/\/\S+)\/_emulator\/health/)
      if (found) return ready(found[1])
    }
    return ended
  })()
  const url = await Promise.race([serving, ended])
  if (!url.startsWith('http')) throw new Error(url)
  return { url, stop }
}

/** Waits until an emulator serves turns (its port is open before everything is loaded), and gives its address. */
export async function ready(url, seconds = 60) {
  const deadline = Date.now() + 1000 * seconds
  for (;;) {
    const state = await fetch(`${url}/_emulator/health/ready`).then((answer) => answer.status, (error) => error.cause?.code)
    if (state === 200) return url
    if (Date.now() > deadline) throw new Error(`no emulator at ${url} after ${seconds} s (${state})`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
