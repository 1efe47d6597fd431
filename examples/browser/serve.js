// Serves the page's files: node serve.js [PORT]. Any static file server does.

import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'

const TYPES = { 'index.html': 'text/html', 'style.css': 'text/css', 'page.js': 'text/javascript', 'chldo.js': 'text/javascript' }

/** Listens on 127.0.0.1; port 0 takes a free one. */
export async function serve(port = 0) {
  const server = createServer(async (request, response) => {
    const name = new URL(request.url, 'http://localhost').pathname.slice(1) || 'index.html'
    if (!(name in TYPES)) return response.writeHead(404).end()
    const file = await readFile(new URL(name, import.meta.url))
    return response.writeHead(200, { 'Content-Type': `${TYPES[name]}; charset=utf-8` }).end(file)
  })
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => new Promise((resolve) => server.close(resolve)) }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await serve(Number(process.argv[2] ?? 8080))
  console.log(`${url}/?server=http://127.0.0.1:8765`)
}
