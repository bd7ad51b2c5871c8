// The door `session-mirror/fastify`: sessions for Fastify 5.
export { sessionPlugin } from './server/node/fastify.ts'
export type { SessionPlugin } from './server/node/fastify.ts'
// What the sessions given to it are made of.
export type * from './server.ts'
