// Hocuspocus as it comes: `node hocuspocus.mjs PORT`. SEED names a folder with the document of W5.
import fs from 'node:fs'
import { Server } from '@hocuspocus/server'
import * as Y from 'yjs'

const seed = process.env.SEED && fs.readFileSync(`${process.env.SEED}/doc.yupdate`)

const server = new Server({
  port: Number(process.argv[2]),
  address: '127.0.0.1',
  quiet: true,
  async onLoadDocument({ document }) {
    if (seed) Y.applyUpdate(document, seed)
    return document
  },
})
await server.listen()
