// The page in a real browser: CHROMIUM names it, /usr/bin/chromium by default. A picture is saved as SCREENSHOT.

import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'

import { chromium } from 'playwright-core'

import { Emulator, startEmulator } from '../../emulator.js'
import { serve } from '../serve.js'

const ROOM = 'BrowserRoom1'
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
]

let server, site, browser, emulator, page, problems

before(async () => {
  server = await startEmulator()
  emulator = new Emulator(server.url)
  site = await serve()
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS, timeout: 120_000 })
})
after(async () => {
  await browser?.close()
  await site?.stop()
  await server?.stop()
})

beforeEach(async () => {
  await emulator.reset()
  page = await browser.newPage({ viewport: { width: 760, height: 640 } })
  page.setDefaultTimeout(30_000)
  problems = []
  page.on('pageerror', (error) => problems.push(String(error)))
})
afterEach(async () => {
  await page.close()
  assert.deepEqual(problems, [])
})

const open = async () => {
  await page.goto(`${site.url}/?server=${server.url}&room=${ROOM}`)
  await page.locator('#state[data-state=open]').waitFor()
}
const say = async (text) => {
  await page.fill('#message', text)
  await page.press('#message', 'Enter')
}
const last = () => page.locator('article.theirs').last()
const becomes = (state) => page.locator(`article.theirs[data-state=${state}]`).last().waitFor()

test('shows tokens as they come', async () => {
  await emulator.reply({ when: { msg: 'hi' }, tokens: ['One', ' two', ' three.'], pace: { per_second: 1 } })
  await open()
  await page.uncheck('#voice')
  await emulator.ask('POST', 'clock/freeze')
  await say('hi')
  await page.getByText('One', { exact: true }).waitFor()
  assert.equal(await last().getAttribute('data-state'), 'streaming')
  await emulator.ask('POST', 'clock/advance', { seconds: 1 })
  await page.getByText('One two', { exact: true }).waitFor()
  await emulator.ask('POST', 'clock/run')
  await becomes('done')
  assert.equal(await last().locator('p').textContent(), 'One two three.')
})

test('plays the voice of each sentence, and links to it', async () => {
  await emulator.reply({ when: { msg: 'hi' }, reply: 'This is a sentence. This is one more.' })
  await open()
  await say('hi')
  await page.locator('li[data-state=playing]').waitFor()
  await page.locator('li[data-state=heard]').nth(1).waitFor()
  const urls = await last().locator('li a').evaluateAll((links) => links.map((link) => link.href))
  assert.equal(urls.length, 2)
  for (const url of urls) assert.equal((await fetch(url)).headers.get('content-type'), 'audio/mpeg')
})

test('marks a voice that cannot be had', async () => {
  await emulator.fault({ fault: 'voice-missing' })
  await open()
  await say('안녕하세요')
  await page.locator('li[data-state=failed]').first().waitFor()
  await becomes('done')
})

test('offers the choices as buttons', async () => {
  await emulator.reply({ when: { msg: 'hi' }, reply: 'Where to?', choices: [{ text: 'To the sea.' }] })
  await emulator.reply({ when: { msg: 'To the sea.' }, reply: 'A fine day for it.' })
  await open()
  await say('hi')
  await page.getByRole('button', { name: 'To the sea.' }).click()
  await page.getByText('A fine day for it.').waitFor()
})

test('shows what the server says when a turn fails', async () => {
  await emulator.fault({ fault: 'llm-error', status: 500, body: { message: 'overloaded' }, after_tokens: 2 })
  await open()
  await say('안녕하세요')
  await becomes('failed')
  assert.match(await last().locator('.trouble').textContent(), /Error code: 500.*overloaded/)
})

test('comes back when the connection is lost, and asks again', async () => {
  await emulator.fault({ fault: 'reset', after_frames: 7, count: 1, when: { room: ROOM } })
  await emulator.fault({ fault: 'refuse', status: 503, skip: 1, count: 1, when: { room: ROOM } })
  await emulator.reply({ when: { msg: '안녕' }, reply: '안녕하세요! 다시 만나서 정말 반가워요.' })
  await open()
  await say('안녕')
  await becomes('failed')
  await page.locator('#state[data-state=waiting]').waitFor()
  await page.locator('#state[data-state=open]').waitFor()
  await page.getByRole('button', { name: 'ask again' }).click()
  await becomes('done')
  await emulator.waitFor({ kind: 'refused', room: ROOM })
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT })
})
