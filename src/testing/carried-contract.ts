// The contract of `CarriedStore`, as tests that any test runner can run: that of `Store` within one request, and what
// holds between two. What does not hold is among them, so that nobody takes it for granted.
import type { CarriedStore, OpenedStore } from '../stores/store.ts'
import { wrapStore } from '../stores/wrapped-store.ts'
import { type ContractRunner, storeContract } from './store-contract.ts'

/**
 * Declares the contract's tests. `makeStore` is called once for each.
 * @example carriedStoreContract({ test }, () => cookieStore())
 */
export function carriedStoreContract(
  runner: ContractRunner,
  makeStore: () => CarriedStore | Promise<CarriedStore>,
  { maxBytes }: { readonly maxBytes: number },
): void {
  storeContract(runner, async () => closing(await makeStore()), { maxBytes })
  for (const [name, run] of Object.entries(cases)) {
    runner.test(name, async () => {
      const store = await makeStore()
      try {
        await run(store, `contract:${Math.random().toString(36).slice(2)}`)
      } finally {
        await store.close()
      }
    })
  }
}

/** One request, with whose end the whole store is closed. */
function closing(store: CarriedStore): OpenedStore {
  const opened = store.open(() => undefined)
  return {
    ...wrapStore(opened, (_call, run) => run()),
    carriedFor: (key) => opened.carriedFor(key),
    close: () => store.close(),
    isChanged: false,
  }
}

const minute = 60
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const [first, second, third] = [bytesOf('first'), bytesOf('second'), bytesOf('third')]

/** The request after this one, with what its answer carried. */
function next(store: CarriedStore, before: OpenedStore, key: string): OpenedStore {
  const carried = before.carriedFor(key)
  return store.open((asked) => (asked === key ? carried : undefined))
}

async function textIn(opened: OpenedStore, key: string): Promise<string> {
  const read = await opened.read(key, minute)
  return read.kind === 'hit' ? new TextDecoder().decode(read.value) : read.kind
}

async function change(opened: OpenedStore, key: string, value: Uint8Array): Promise<string> {
  const read = await opened.read(key, minute)
  if (read.kind !== 'hit') return read.kind
  return (await opened.replace(key, value, { token: read.token, ttlSeconds: minute })).kind
}

const cases: Readonly<Record<string, (store: CarriedStore, key: string) => Promise<void>>> = {
  'what one request stored the next one reads': async (store, key) => {
    const one = store.open(() => undefined)
    await one.create(key, first, minute)
    equal(one.isChanged, true)
    const two = next(store, one, key)
    equal(await textIn(two, key), 'first')
    equal(await change(two, key, second), 'stored')
    equal(await textIn(next(store, two, key), key), 'second')
  },
  'reading leaves the cookie as it is until a share of the lifetime is over': async (store, key) => {
    const one = store.open(() => undefined)
    await one.create(key, first, minute)
    const two = next(store, one, key)
    await two.read(key, minute)
    equal(two.isChanged, false)
    await two.read(key, null)
    equal(two.isChanged, false)
    await two.read(key, minute * 2)
    equal(two.isChanged, true)
  },
  'a lifetime goes along with what is carried': async (store, key) => {
    const one = store.open(() => undefined)
    await one.create(key, first, 1)
    const carried = one.carriedFor(key)
    await new Promise((resolve) => setTimeout(resolve, 2200))
    const two = store.open(() => carried)
    equal((await two.read(key, minute)).kind, 'miss')
  },
  'nothing is carried for another key': async (store, key) => {
    const one = store.open(() => undefined)
    await one.create(key, first, minute)
    equal(one.carriedFor(`${key}:other`), undefined)
    equal(await textIn(next(store, one, key), `${key}:other`), 'miss')
  },
  'bytes that are too short are nothing': async (store, key) => {
    equal(
      await textIn(
        store.open(() => new Uint8Array(3)),
        key,
      ),
      'miss',
    )
  },
  'of two requests that change the same the later answer counts': async (store, key) => {
    const one = store.open(() => undefined)
    await one.create(key, first, minute)
    const [two, three] = [next(store, one, key), next(store, one, key)]
    equal(await change(two, key, second), 'stored')
    equal(await change(three, key, third), 'stored')
    equal(await textIn(next(store, three, key), key), 'third')
  },
  'what has ended is over for the browser that was told': async (store, key) => {
    const one = store.open(() => undefined)
    await one.create(key, first, minute)
    const two = next(store, one, key)
    await two.end(key, second, minute)
    equal(await textIn(next(store, two, key), key), 'second')
  },
  'a copy from before the end works again, or does not, as the guarantees say': async (store, key) => {
    const one = store.open(() => undefined)
    await one.create(key, first, minute)
    const two = next(store, one, key)
    await two.end(key, second, minute)
    const copy = next(store, one, key)
    equal(await textIn(copy, key), store.guarantees.revocation === 'none' ? 'first' : 'second')
  },
}

function equal(actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`Expected ${String(expected)}, got ${String(actual)}.`)
}
