// How often the tests repeat what they repeat. `npm test` takes the short counts, `npm run test:long` (TEST_LONG=1)
// the long ones: the same files, the same checks. A new count of more than a second's work is entered here.

/** Whether this is `npm run test:long`. */
export const isLong = process.env['TEST_LONG'] === '1'

interface Count {
  /** In `npm test`. */
  readonly short: number
  /** In `npm run test:long`. */
  readonly long: number
}

const all = {
  // Real Chromium.
  /** Tabs that crash with a pending outbox. */
  crashedTabs: { short: 4, long: 100 },
  /** Browsers that are killed with SIGKILL and started again. */
  killedBrowsers: { short: 2, long: 30 },
  /** Workers that are ended while requests are in flight. */
  workersEndedInMidFlight: { short: 20, long: 500 },
  /** Workers that are ended between and during requests, with a request after each. */
  workersEndedBetweenRequests: { short: 10, long: 200 },
  /** Refreshes that a navigation, or the end of the worker, cuts short; each waits for the end of a cookie. */
  refreshesCutShort: { short: 2, long: 5 },
  /** Sign-outs in a browser while a slow request is saving. */
  signOutsInTheBrowser: { short: 10, long: 100 },
  /** Sign-outs that are followed at once by a request through the worker. */
  requestsAfterSignOut: { short: 5, long: 30 },
  /** Sign-ins on top of an anonymous session whose event stream tells first. */
  signInsOnTop: { short: 4, long: 100 },
  /** New versions of the worker's script while pages are open. */
  scriptUpdates: { short: 2, long: 10 },
  /** Example apps that are built and used: without a library, with vite-plugin-pwa, and two more ways to use Workbox. */
  exampleApps: { short: 2, long: 4 },
  /** Seconds for which a network comes and goes. */
  unsteadyNetworkSeconds: { short: 2, long: 10 },

  // The simulation.
  /** Stories of tabs, workers, servers and a store, one for each seed. */
  simulationSeeds: { short: 60, long: 10_000 },

  // The server's routes and cookies.
  /** Requests of any kind to the session routes. */
  fuzzedRequests: { short: 10_000, long: 200_000 },
  /** Connections that break HTTP. */
  brokenConnections: { short: 400, long: 2000 },
  /** Seconds from one moment to the next at which a browser is killed after a rotation, for two minutes. */
  killedEverySeconds: { short: 6, long: 1 },
  /** Stories of browsers that are killed, and of thieves beside them, for each rule of a new session id. */
  rotationStories: { short: 20, long: 2000 },
  /** Cookies of which every change of one character or bit is tried. */
  tamperedCookies: { short: 6, long: 20 },
  /** Sign-outs on a real memcached for each kind of request that runs meanwhile. */
  signOutRaces: { short: 200, long: 1000 },
  /** Messages of many people through a shared cache, for each seed. */
  sharedCacheMessages: { short: 500, long: 1500 },
  /** Rounds of fifty writes by two processes. */
  processRounds: { short: 20, long: 100 },

  // Stores.
  /** Streams of answers for each property of a parser. */
  parsedStreams: { short: 2000, long: 20_000 },
  /** Processes that are killed in the middle of writing to a file. */
  killedWriters: { short: 4, long: 30 },
  /** Additions that each of two processes makes to one number. */
  additionsOfProcesses: { short: 100, long: 2000 },
} satisfies Record<string, Count>

/** The counts of this run. */
export const counts = Object.fromEntries(
  Object.entries(all).map(([name, { short, long }]) => [name, isLong ? long : short]),
) as Record<keyof typeof all, number> // The keys are those of `all`.
