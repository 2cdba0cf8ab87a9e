// tldraw sync: a TLSocketRoom per path, in memory, with records of our own: `node tldraw.mjs PORT`.
// A client must say the schema when it connects: it is written to SCHEMA_OUT for the generator.
import fs from 'node:fs'
import { createRecordType, StoreSchema } from '@tldraw/store'
import { InMemorySyncStorage, TLSocketRoom } from '@tldraw/sync-core'
import { WebSocketServer } from 'ws'

const NEVER_MS = 1e9
const validator = { validate: record => record, validateUsingKnownGoodVersion: (_, record) => record }
const schema = StoreSchema.create({ node: createRecordType('node', { scope: 'document', validator }) })
fs.writeFileSync(process.env.SCHEMA_OUT, JSON.stringify(schema.serialize()))

const seed = process.env.SEED ? JSON.parse(fs.readFileSync(`${process.env.SEED}/nodes.json`)) : []
const record = node => ({ typeName: 'node', x: 0, y: 0, t: '', ...node, id: `node:${node.id}` })

function newRoom() {
  const documents = seed.map(node => ({ lastChangedClock: 0, state: record(node) }))
  const snapshot = { clock: 0, documentClock: 0, tombstones: {}, schema: schema.serialize(), documents }
  return new TLSocketRoom({ schema, clientTimeout: NEVER_MS, storage: new InMemorySyncStorage({ snapshot }) })
}

const rooms = new Map()
let sessions = 0
new WebSocketServer({ port: Number(process.argv[2]), host: '127.0.0.1' }).on('connection', (socket, request) => {
  if (!rooms.has(request.url)) rooms.set(request.url, newRoom())
  rooms.get(request.url).handleSocketConnect({ sessionId: `s${sessions++}`, socket })
})
