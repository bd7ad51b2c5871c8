// The door `session-mirror/testing`: a session server for tests, and what to test with.
export { createTestServer } from './testing/handlers.ts'
export type { TestRoute, TestServer, TestServerOptions } from './testing/handlers.ts'
export { createTestClock } from './testing/clock.ts'
export type { TestClock } from './testing/clock.ts'
export type { FaultyStore } from './testing/faults.ts'
export { storeContract } from './testing/store-contract.ts'
export type { ContractOptions, ContractRunner } from './testing/store-contract.ts'
export { carriedStoreContract } from './testing/carried-contract.ts'
export { mockWorkerScript, mockedWorker } from './testing/mock-worker.ts'
export type { MockedWorker } from './testing/mock-worker.ts'
export type { WorkerOptions } from './client/worker-options.ts'
// What the sessions given to it are made of.
export type * from './server.ts'
