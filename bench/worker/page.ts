// One page of the worker benchmark: signs in, waits until the worker that its url names is in control, and times requests.
import { createSession } from '../../src/index.ts'
import { defineSession, readable } from '../../src/schema.ts'

declare global {
  interface Window {
    ready: boolean
    /** Sends so many requests one after another, and resolves with the median milliseconds of one. */
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
  // Without the live stream, because only the worker is measured here.
  const session = createSession({ schema, worker: script, live: false })
  await session.ready
  await session.pull()
} else if (script !== 'none') await navigator.serviceWorker.register(script)
if (script !== 'none')
  while (navigator.serviceWorker.controller === null)
    // oxlint-disable-next-line no-await-in-loop -- until it is so
    await new Promise((resolve) => setTimeout(resolve, 20))
window.ready = true
