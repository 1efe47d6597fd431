// Before each test: the emulator is as new; a test that fails shows the last frames.

import { beforeEach, inject } from 'vitest'
import { WebSocket } from 'ws'

import { Emulator } from '../../emulator.js'

globalThis.WebSocket ??= WebSocket // Node.js has one of its own from version 22 on

export const emulator = new Emulator(inject('emulatorUrl'))

beforeEach(async ({ onTestFailed }) => {
  await emulator.reset()
  onTestFailed(async () => console.error(['last frames:', ...(await emulator.lastFrames())].join('\n')))
})
