// The door `session-mirror/vite`: the service worker in a Vite app.
export { sessionMirror } from './vite/plugin.ts'
export type { SessionMirrorOptions } from './vite/options.ts'
