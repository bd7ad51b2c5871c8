// How what is kept offline grows with the number of unsent writes: bytes, and the time of the last hundred of them. IndexedDB is
// pretended (fake-indexeddb, in Node): the growth is what counts, not the milliseconds.
import 'fake-indexeddb/auto'
import { createSession } from '../../src/index.ts'
import { defineSession, writable } from '../../src/schema.ts'

const schema = defineSession({
  visits: writable.counter(),
  list: writable<readonly string[]>({ default: [] }),
  note: writable<string>({ default: '' }),
})
const offline = (): Promise<never> => Promise.reject(new TypeError('offline'))
const counts = [200, 400, 800, 1600]

type Session = ReturnType<typeof open>
function open(name: string) {
  return createSession({ schema, url: `http://localhost/${name}`, fetch: offline })
}

const kinds: Readonly<
  Record<string, (session: Session, index: number) => { readonly stored: Promise<unknown> }>
> = {
  increments: (session) => session.increment('visits'),
  updates: (session, index) => session.update('list', (before) => [...before.slice(-1), `${index}`]),
  sets: (session, index) => session.set('note', `${index}`),
}

for (const [kind, write] of Object.entries(kinds)) {
  for (const count of counts) {
    // oxlint-disable-next-line no-await-in-loop -- one after another, so that they do not share the processor
    const { bytes, milliseconds } = await measure(`${kind}-${count}`, count, write)
    console.log(
      `${count} ${kind}`.padEnd(20),
      `${bytes} bytes`.padStart(16),
      `${milliseconds.toFixed(1)} ms for the last 100`.padStart(30),
    )
  }
}

async function measure(
  name: string,
  count: number,
  write: (session: Session, index: number) => { readonly stored: Promise<unknown> },
): Promise<{ readonly bytes: number; readonly milliseconds: number }> {
  const session = open(name)
  await session.ready
  for (let index = 0; index < count - 100; index++) void write(session, index)
  const started = performance.now()
  let last: Promise<unknown> = Promise.resolve()
  for (let index = count - 100; index < count; index++) last = write(session, index).stored
  await last
  const milliseconds = performance.now() - started
  const { open: waiting, outbox } = session.inspect().local
  session.close()
  return { bytes: JSON.stringify([waiting, outbox]).length, milliseconds }
}
