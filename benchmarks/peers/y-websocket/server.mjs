// @y/websocket-server, wired as its own program does it: `node server.mjs PORT`. SEED names a folder with the document of W5.
import fs from 'node:fs'
import http from 'node:http'
import { setPersistence, setupWSConnection } from '@y/websocket-server/utils'
import WebSocket from 'ws'
import * as Y from 'yjs'

if (process.env.SEED) {
  const seed = fs.readFileSync(`${process.env.SEED}/doc.yupdate`)
  setPersistence({ provider: null, bindState: (_, document) => Y.applyUpdate(document, seed), writeState: async () => {} })
}

const sockets = new WebSocket.Server({ noServer: true })
sockets.on('connection', setupWSConnection)
const server = http.createServer((_, response) => response.end('okay'))
server.on('upgrade', (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, opened => sockets.emit('connection', opened, request))
})
server.listen(Number(process.argv[2]), '127.0.0.1')
