// The door `session-mirror/node`: sessions for node:http, Connect and Express.
export { sessionErrors, sessionMiddleware } from './server/node/middleware.ts'
export type { Middleware, Next, SessionRequest } from './server/node/middleware.ts'
