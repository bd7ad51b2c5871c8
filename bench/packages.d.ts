// The used parts of packages that are installed only for comparison.
declare module 'dexie' {
  interface Table<T> {
    get(key: string): Promise<T | undefined>
    put(value: T): Promise<unknown>
  }
  export class Dexie {
    constructor(name: string)
    version(number: number): { stores(schema: Readonly<Record<string, string>>): unknown }
    table<T>(name: string): Table<T>
  }
  export function liveQuery<T>(query: () => Promise<T>): { subscribe(next: (value: T) => void): unknown }
}
declare module '@tanstack/query-core' {
  export class QueryClient {
    constructor(options: object)
    getQueryData<T>(key: readonly string[]): T | undefined
    setQueryData(key: readonly string[], value: object): void
  }
}
declare module '@tanstack/query-persist-client-core' {
  interface Persisting {
    readonly queryClient: object
    readonly persister: object
  }
  export function persistQueryClientRestore(options: Persisting): Promise<void>
  export function persistQueryClientSave(options: Persisting): Promise<void>
}
declare module 'idb-keyval' {
  export function get(key: string): Promise<unknown>
  export function set(key: string, value: unknown): Promise<void>
  export function del(key: string): Promise<void>
}
declare module 'replicache' {
  export class Replicache {
    constructor(options: { readonly name: string; readonly mutators: Readonly<Record<string, unknown>> })
    readonly mutate: Readonly<Record<string, ((value: string) => Promise<void>) | undefined>>
    query<T, Tx>(body: (tx: Tx) => Promise<T>): Promise<T>
    subscribe<T, Tx>(body: (tx: Tx) => Promise<T>, listener: (value: T) => void): void
  }
}
declare module 'workbox-background-sync' {
  export class Queue {
    constructor(name: string, options?: object)
    pushRequest(entry: { readonly request: Request }): Promise<void>
    replayRequests(): Promise<void>
    size(): Promise<number>
  }
}
declare module 'express-session' {
  import type { IncomingMessage, ServerResponse } from 'node:http'
  type SessionModule = (
    options: object,
  ) => (request: IncomingMessage, response: ServerResponse, next: () => void) => void
  const session: SessionModule
  export default session
}
declare module 'connect-memcached' {
  import type session from 'express-session'
  const connect: (module: typeof session) => new (options: { readonly hosts: readonly string[] }) => object
  export default connect
}
declare module '@fastify/cookie' {
  import type { FastifyPluginCallback } from 'fastify'
  const plugin: FastifyPluginCallback
  export default plugin
}
declare module '@fastify/session' {
  import type { FastifyPluginCallback } from 'fastify'
  const plugin: FastifyPluginCallback<Readonly<Record<string, unknown>>>
  export default plugin
}
