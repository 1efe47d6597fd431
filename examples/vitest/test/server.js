// Once for the whole run: an emulator of our own, or the one that EMULATOR_URL names.

import { ready, startEmulator } from '../../emulator.js'

export default async function setup(project) {
  if (process.env.EMULATOR_URL) {
    await ready(process.env.EMULATOR_URL)
    project.provide('emulatorUrl', process.env.EMULATOR_URL)
    return undefined
  }
  const { url, stop } = await startEmulator()
  project.provide('emulatorUrl', url)
  return stop
}
