import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    globalSetup: './test/server.js',
    setupFiles: './test/setup.js',
    fileParallelism: false, // each test resets the one emulator
    testTimeout: 20_000,
  },
})
