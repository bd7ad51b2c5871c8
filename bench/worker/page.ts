// One page of the worker benchmark: signs in, waits until it is controlled as its url says, and times requests.
import { createSession } from '../../src/index.ts'
import { defineSession, readable } from '../../src/schema.ts'

declare global {
  interface Window {
    ready: boolean
    /** Median milliseconds of so many requests, one after another. */
    time(url: string, count: number): Promise<number>
  }
}

window.time = async (url, count) => {
  const times: number[] = []
  for (let index = 0; index < count; index++) {
    const started = performance.now()
    // oxlint-disable-next-line no-await-in-loop -- one at a time is the point
    const response = await fetch(url)
    // oxlint-disable-next-line no-await-in-loop -- as above
    await response.text()
    if (!response.ok) throw new Error(`${url} answered ${response.status}.`)
    times.push(performance.now() - started)
  }
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN
}

const script = new URLSearchParams(location.search).get('worker') ?? 'none'
const schema = defineSession({ user: readable<string>() })
await fetch('/api/sign-in', { method: 'POST' })
if (script === '/session-worker.js') {
  // The live stream is a request of its own kind: here only the worker is measured.
  const session = createSession({ schema, worker: script, live: false })
  await session.ready
  await session.pull()
} else if (script !== 'none') await navigator.serviceWorker.register(script)
if (script !== 'none')
  while (navigator.serviceWorker.controller === null)
    // oxlint-disable-next-line no-await-in-loop -- until it is so
    await new Promise((resolve) => setTimeout(resolve, 20))
window.ready = true
