// What a browser test asks of its backend, and the pages that it opens.
import { type Session, type SessionOptions, createSession } from 'session-mirror'
import type { Control, Seen } from './backend.ts'
import { type Schema, schema } from './schema.ts'
import { until } from '../support/waiting.ts'
import type { Tab } from './tab.ts'

type Options = Partial<Omit<SessionOptions<Schema>, 'schema' | 'url'>>

export interface App {
  readonly base: string
  open(options?: Options): Promise<Session<Schema>>
  /** The same session in another page of the app. */
  openTab(options?: Options): Promise<Session<Schema>>
  fetch(path: string, init?: RequestInit): Promise<Response>
  json(path: string, init?: RequestInit): Promise<Record<string, unknown>>
  signIn(owner: string): Promise<void>
  control(control: Control): Promise<void>
  seen(path?: string): Promise<readonly Seen[]>
  /**
   * Gives the session a cookie that serves for a second, and lets that pass in all its pages. The cookies before and
   * after it serve for long: however slow the machine is, a test meets one end of a cookie.
   */
  outliveCookie(session: Session<Schema>, ...others: readonly Session<Schema>[]): Promise<void>
  /** Closes what was opened. */
  close(): void
}

/** The app of that name; give each test file its own. */
export function createApp(name: string): App {
  const base = `/backend/${name}`
  const url = `${base}/session`
  const sessions: Session<Schema>[] = []
  const frames: HTMLIFrameElement[] = []
  const keep = async (session: Session<Schema>): Promise<Session<Schema>> => {
    sessions.push(session)
    await session.ready
    return session
  }
  const app: App = {
    base,
    open: (options) => keep(createSession({ schema, url, live: false, ...options })),
    async openTab(options) {
      const frame = document.createElement('iframe')
      frame.src = `${base}/tab`
      frames.push(frame)
      document.body.append(frame)
      const tab = (): Partial<Tab> => frame.contentWindow as unknown as Partial<Tab>
      await until('the page can open a session', () => tab().openSession !== undefined)
      return keep((tab() as Tab).openSession({ url, live: false, ...options }))
    },
    fetch: (path, init) => fetch(base + path, init),
    json: async (path, init) => (await app.fetch(path, init)).json(),
    async signIn(owner) {
      await app.fetch(`/api/sign-in?as=${owner}`, { method: 'POST' })
    },
    async control(control) {
      await fetch(`${base}/control`, { method: 'POST', body: JSON.stringify(control) })
    },
    async seen(path) {
      const all = (await (await fetch(`${base}/seen`)).json()) as Seen[] // The backend wrote it.
      return path === undefined ? all : all.filter((entry) => entry.path === path)
    },
    async outliveCookie(session, ...others) {
      const pages = [session, ...others]
      await app.control({ freshSeconds: 1 })
      await session.fetch(`${base}/api/sign-in?as=ada`, { method: 'POST' })
      // Nobody has anything left to ask: an answer that came later would bring a cookie that serves for long.
      await Promise.all(pages.map((page) => page.pull()))
      const isOver = (page: Session<Schema>): boolean => page.inspect().local.mirror.freshUntil < Date.now()
      await until('the cookie’s fresh time is over in all pages', () => pages.every(isOver))
      await app.control({})
    },
    close() {
      for (const session of sessions) session.close()
      for (const frame of frames) frame.remove()
    },
  }
  return app
}
