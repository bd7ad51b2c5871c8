// How long sessions live: the defaults, and the presets of NIST SP 800-63B. They also keep the times of the final
// SP 800-63B-4 (AAL2: a day in all and an hour idle; AAL3: 12 hours and 15 minutes).
import { checkWholeNumber } from '../../protocol/whole-number.ts'
import { invalidOption } from './refusal.ts'

/** The times of a server's sessions. `CoreOptions` says what each means. */
export interface Times {
  readonly idleTimeoutSeconds: number
  readonly absoluteTimeoutSeconds: number
  readonly freshSeconds: number
  readonly rotateSeconds: number
  readonly rotateGraceSeconds: number
}

/** An authenticator assurance level of NIST SP 800-63B. */
export type Assurance = 'aal1' | 'aal2' | 'aal3'

/** The longest times that each level allows. */
export const assuranceLevels: Readonly<
  Record<Assurance, Pick<Times, 'idleTimeoutSeconds' | 'absoluteTimeoutSeconds'>>
> = {
  aal1: { idleTimeoutSeconds: 2_592_000, absoluteTimeoutSeconds: 2_592_000 },
  aal2: { idleTimeoutSeconds: 1800, absoluteTimeoutSeconds: 43_200 },
  aal3: { idleTimeoutSeconds: 900, absoluteTimeoutSeconds: 43_200 },
}

/** About 31 years. A longer time is a mistake of units. */
const longestSeconds = 1_000_000_000

const defaults: Times = {
  idleTimeoutSeconds: 86_400,
  absoluteTimeoutSeconds: 2_592_000,
  freshSeconds: 900,
  rotateSeconds: 3600,
  rotateGraceSeconds: 60,
}

/**
 * The times of `given`, with defaults. A level of assurance is a promise: its times may be shortened, never
 * lengthened.
 * @throws SessionError `invalid-option`
 */
export function timesOf(given: Partial<Times> & { readonly assurance?: Assurance | undefined }): Times {
  const level = levelOf(given.assurance)
  const idleTimeoutSeconds =
    given.idleTimeoutSeconds ?? level?.idleTimeoutSeconds ?? defaults.idleTimeoutSeconds
  const times: Times = {
    idleTimeoutSeconds,
    absoluteTimeoutSeconds:
      given.absoluteTimeoutSeconds ?? level?.absoluteTimeoutSeconds ?? defaults.absoluteTimeoutSeconds,
    // A third of a short idle time: a browser that is in use must refresh before its session is idle for too long.
    freshSeconds:
      given.freshSeconds ?? Math.min(defaults.freshSeconds, Math.max(1, Math.floor(idleTimeoutSeconds / 3))),
    rotateSeconds: given.rotateSeconds ?? defaults.rotateSeconds,
    rotateGraceSeconds: given.rotateGraceSeconds ?? defaults.rotateGraceSeconds,
  }
  check(times)
  if (level === undefined) return times
  for (const name of ['idleTimeoutSeconds', 'absoluteTimeoutSeconds'] as const) {
    if (times[name] > level[name])
      throw invalidOption(
        `${name} is at most ${level[name]} with assurance '${given.assurance}', not ${times[name]}.`,
      )
  }
  return times
}

function levelOf(assurance: Assurance | undefined): (typeof assuranceLevels)[Assurance] | undefined {
  if (assurance === undefined) return undefined
  if (!Object.hasOwn(assuranceLevels, assurance))
    throw invalidOption(`assurance must be 'aal1', 'aal2' or 'aal3', not ${JSON.stringify(assurance)}.`)
  return assuranceLevels[assurance]
}

function check(times: Times): void {
  for (const [name, value] of Object.entries(times))
    checkWholeNumber(name, value, { from: 1, to: longestSeconds })
  const { freshSeconds, idleTimeoutSeconds, absoluteTimeoutSeconds } = times
  if (freshSeconds > idleTimeoutSeconds)
    throw invalidOption(
      `freshSeconds (${freshSeconds}) must not be more than idleTimeoutSeconds (${idleTimeoutSeconds}).`,
    )
  if (idleTimeoutSeconds > absoluteTimeoutSeconds) {
    throw invalidOption(
      `idleTimeoutSeconds (${idleTimeoutSeconds}) must not be more than absoluteTimeoutSeconds (${absoluteTimeoutSeconds}).`,
    )
  }
}
