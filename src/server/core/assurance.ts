// How long sessions live: the defaults, and presets of NIST SP 800-63B, whose times also keep the final
// SP 800-63B-4 (AAL2: a day and an hour; AAL3: 12 hours and 15 minutes).
import { SessionError } from '../../protocol/errors.ts'

/** All in seconds. */
export interface Times {
  readonly idleTimeoutSeconds: number
  readonly absoluteTimeoutSeconds: number
  readonly freshSeconds: number
  readonly rotateSeconds: number
  readonly rotateGraceSeconds: number
}

export type Assurance = 'aal1' | 'aal2' | 'aal3'

/** The longest times that each level allows. */
export const assuranceLevels: Readonly<
  Record<Assurance, Pick<Times, 'idleTimeoutSeconds' | 'absoluteTimeoutSeconds'>>
> = {
  aal1: { idleTimeoutSeconds: 2_592_000, absoluteTimeoutSeconds: 2_592_000 },
  aal2: { idleTimeoutSeconds: 1800, absoluteTimeoutSeconds: 43_200 },
  aal3: { idleTimeoutSeconds: 900, absoluteTimeoutSeconds: 43_200 },
}

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
    // A third of the idle time, where that is short: a browser that is used must refresh before it is idle.
    freshSeconds:
      given.freshSeconds ?? Math.min(defaults.freshSeconds, Math.max(1, Math.floor(idleTimeoutSeconds / 3))),
    rotateSeconds: given.rotateSeconds ?? defaults.rotateSeconds,
    rotateGraceSeconds: given.rotateGraceSeconds ?? defaults.rotateGraceSeconds,
  }
  check(times)
  if (level === undefined) return times
  for (const name of ['idleTimeoutSeconds', 'absoluteTimeoutSeconds'] as const) {
    if (times[name] > level[name])
      throw invalid(`${name} is at most ${level[name]} with assurance ${given.assurance}.`)
  }
  return times
}

function levelOf(assurance: Assurance | undefined): (typeof assuranceLevels)[Assurance] | undefined {
  if (assurance === undefined) return undefined
  if (!Object.hasOwn(assuranceLevels, assurance)) throw invalid("assurance must be 'aal1', 'aal2' or 'aal3'.")
  return assuranceLevels[assurance]
}

function check(times: Times): void {
  for (const [name, value] of Object.entries(times)) {
    if (!Number.isSafeInteger(value) || value < 1 || value > 1_000_000_000) {
      throw invalid(`${name} must be a whole number of seconds from 1, not ${String(value)}.`)
    }
  }
  const { freshSeconds, idleTimeoutSeconds, absoluteTimeoutSeconds } = times
  if (freshSeconds > idleTimeoutSeconds)
    throw invalid('freshSeconds must not be more than idleTimeoutSeconds.')
  if (idleTimeoutSeconds > absoluteTimeoutSeconds) {
    throw invalid('idleTimeoutSeconds must not be more than absoluteTimeoutSeconds.')
  }
}

function invalid(message: string): SessionError {
  return new SessionError('invalid-option', message)
}
