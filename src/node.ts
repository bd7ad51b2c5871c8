// The door `session-mirror/node`: sessions for node:http, Connect and Express.
export { sessionErrors, sessionMiddleware } from './server/node/middleware.ts'
export type { Middleware, MiddlewareOptions, Next, SessionRequest } from './server/node/middleware.ts'
// What the sessions given to it are made of.
export type * from './server.ts'
