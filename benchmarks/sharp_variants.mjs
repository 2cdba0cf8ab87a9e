// What sharp is asked for in W8: `node sharp_variants.mjs PHOTO MARK FORMAT ROUNDS`, in a folder where sharp is installed.
// The fastest way it has: one decode, shrunk while it is read, each size from the one before, one thread.
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const sharp = createRequire(path.join(process.cwd(), 'package.json'))('sharp')
sharp.concurrency(1)
sharp.cache(false)

const [photo, mark, format, rounds] = process.argv.slice(2)
const [data, input] = [fs.readFileSync(photo), fs.readFileSync(mark)]
const write = format === 'webp' ? image => image.webp({ quality: 82, effort: 2 }) : image => image.jpeg({ quality: 85 })
const raw = async image => {
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true })
  return [data, { raw: { width: info.width, height: info.height, channels: info.channels } }]
}

async function variants() {
  const display = await raw(sharp(data).autoOrient().resize(2000, 2000, { fit: 'inside' }))
  const square = await raw(sharp(...display).resize(300, 300, { fit: 'cover' }))
  await write(sharp(...display).composite([{ input, gravity: 'southeast' }])).toBuffer()
  await write(sharp(...square)).toBuffer()
  await write(sharp(...square).resize(128, 128)).toBuffer()
}

await variants()
const times = []
const before = process.cpuUsage()
for (let round = 0; round < Number(rounds); round++) {
  const start = performance.now()
  await variants()
  times.push(performance.now() - start)
}
const used = process.cpuUsage(before)
const peak = Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1])
console.log(JSON.stringify({ times_ms: times, cpu_ms: (used.user + used.system) / 1000 / times.length, peak_mb: peak / 1024 }))
