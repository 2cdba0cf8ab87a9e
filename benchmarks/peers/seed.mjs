// The document of W5: 5,000 nodes as JSON, and the same as a Yjs update. `node seed.mjs FOLDER`.
import fs from 'node:fs'
import * as Y from 'yjs'

const NODES = 5000
const TYPES = ['image', 'text', 'llm', 'group']

const node = i => ({
  id: `n${i}`,
  type: TYPES[i % TYPES.length],
  position: { x: ((i * 37) % 10000) + 0.5, y: ((i * 91) % 10000) + 0.25 },
  data: {
    label: `Node number ${i}`,
    prompt: `lorem ipsum dolor sit amet ${(i * 7919) % 100003} consectetur adipiscing elit `.repeat(2),
    status: 'idle',
    v: i % 17,
  },
})

const folder = process.argv[2]
const nodes = Array.from({ length: NODES }, (_, i) => node(i))
const document = new Y.Doc()
document.transact(() => nodes.forEach(each => document.getMap('nodes').set(each.id, each)))
fs.mkdirSync(folder, { recursive: true })
fs.writeFileSync(`${folder}/doc.yupdate`, Y.encodeStateAsUpdate(document))
fs.writeFileSync(`${folder}/nodes.json`, JSON.stringify(nodes))
