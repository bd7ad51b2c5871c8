// `test` for what runs on a real memcached: one for each file, a proxy before it, and stores that are closed when the
// test is over.
import { AsyncLocalStorage } from 'node:async_hooks'
import { test as base } from 'vitest'
import { type MemcachedStore, type MemcachedStoreOptions, memcachedStore } from '../../src/memcached.ts'
import type { Store } from '../../src/stores/store.ts'
import { storeContract } from '../../src/testing/store-contract.ts'
import { type Memcached, startMemcached } from './memcached.ts'
import { type Proxy, startProxy } from './proxy.ts'

/**
 * The deadline of a store whose deadline is not what is tested: a busy machine must not be taken for a memcached that
 * does not answer.
 */
export const patientMilliseconds = 30_000

export interface MemcachedFixtures {
  /** One for the whole file. */
  readonly memcached: Memcached
  /** Before that memcached; it passes everything on when a test begins. */
  readonly proxy: Proxy
  /** Opens a store, by default on `memcached` and patient; it is closed when the test is over. */
  readonly open: (options?: Partial<MemcachedStoreOptions>) => MemcachedStore
}

interface FileFixtures {
  readonly fileProxy: Proxy
}

export const test = base.extend<MemcachedFixtures & FileFixtures>({
  memcached: [
    // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern which fixtures are needed
    async ({}, use) => {
      const memcached = await startMemcached()
      await use(memcached)
      await memcached.kill()
    },
    { scope: 'file' },
  ],
  fileProxy: [
    async ({ memcached }, use) => {
      const proxy = await startProxy(memcached.address)
      await use(proxy)
      await proxy.close()
    },
    { scope: 'file' },
  ],
  proxy: async ({ fileProxy }, use) => {
    await use(fileProxy)
    fileProxy.rewrite = (chunk) => chunk
  },
  open: async ({ memcached }, use) => {
    const stores: Store[] = []
    await use((options = {}) => {
      const store = memcachedStore({
        servers: memcached.address,
        timeoutMilliseconds: patientMilliseconds,
        ...options,
      })
      stores.push(store)
      return store
    })
    await Promise.all(stores.map((store) => store.close()))
  },
})

/**
 * Declares the contract's tests for a store at addresses that a fixture gives.
 * @param options are asked for when a store is made
 * @param declare declares one test, and runs it with the addresses: `(name, run) => test(name, ({ memcached }) => run(memcached.address))`
 */
export function contractTestsAt(
  declare: (name: string, run: (servers: MemcachedStoreOptions['servers']) => Promise<void>) => void,
  options: () => Partial<MemcachedStoreOptions>,
): void {
  // The contract makes its store without a fixture at hand, while its test runs.
  const running = new AsyncLocalStorage<MemcachedStoreOptions['servers']>()
  storeContract({ test: (name, run) => declare(name, (servers) => running.run(servers, run)) }, () =>
    memcachedStore({
      servers: running.getStore() ?? [],
      timeoutMilliseconds: patientMilliseconds,
      ...options(),
    }),
  )
}

/** Declares the contract's tests for a store on the memcached of the file. */
export function contractTests(options: Partial<MemcachedStoreOptions>): void {
  contractTestsAt(
    (name, run) => test(name, ({ memcached }) => run(memcached.address), 60_000),
    () => options,
  )
}
