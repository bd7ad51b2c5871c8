// What can be wrong between this browser and the server: routes, CORS, the cookie, the clock.
import { type Diagnosis, parseDiagnosis } from '../../protocol/diagnosis.ts'
import { headers, routesOf } from '../../protocol/names.ts'
import { absolute } from '../../mirror/wire/send.ts'
import { randomToken } from '../../mirror/steps/random-token.ts'
import { type Finding, found } from './findings.ts'
import type { Patient } from './patient.ts'

/** Milliseconds beyond which a clock is wrong; an answer on a slow network is late by less. */
const tolerance = 60_000

export async function examineServer(patient: Patient): Promise<readonly Finding[]> {
  const url = `${routesOf(absolute(patient.base)).diagnosis}?probe=${randomToken()}`
  const isForeign = new URL(url).origin !== location.origin
  const first = await ask(url, patient)
  if ('finding' in first) return [first.finding]
  // The very same question again: now the probe should come along.
  const second = await ask(url, patient)
  if ('finding' in second) return [second.finding]
  const { diagnosis, response } = second
  const isHidden = isForeign && response.headers.get(headers.revision) === null
  return [
    ...(isHidden
      ? [found('headers-hidden', 'This page cannot read Session-Revision of another origin.')]
      : []),
    ...examineCookie(diagnosis, url, patient),
    ...examineScheme(diagnosis, url),
    ...examineClock(diagnosis, patient),
  ]
}

type Told = { readonly diagnosis: Diagnosis; readonly response: Response } | { readonly finding: Finding }

async function ask(url: string, { fetch, base }: Patient): Promise<Told> {
  let response: Response
  try {
    response = await fetch(new Request(url, { credentials: 'include', cache: 'no-store' }))
  } catch {
    // The session routes let nobody else even embed them, so whether anybody is there is asked of the origin.
    const { origin } = new URL(url)
    const isThere = await fetch(new Request(origin, { mode: 'no-cors', cache: 'no-store' })).then(
      () => origin !== location.origin,
      () => false,
    )
    return {
      finding: isThere
        ? found('cors-refused', `${origin} does not answer to ${location.origin}.`)
        : found('server-unreachable', `${base} cannot be reached.`),
    }
  }
  const type = response.headers.get('content-type') ?? 'nothing'
  const body: unknown = await response.json().catch(() => undefined)
  if (!type.includes('json') || body === undefined)
    return { finding: found('routes-missing', `${base} answers ${response.status} with ${type}.`) }
  if (!response.ok) return { finding: found('server-other', `${base}/diagnosis answers ${response.status}.`) }
  try {
    return { diagnosis: parseDiagnosis(body), response }
  } catch {
    return { finding: found('routes-missing', `${base} answers with JSON that is not session-mirror’s.`) }
  }
}

function examineCookie(
  { cookie, probe, session }: Diagnosis,
  url: string,
  { mirror }: Patient,
): readonly Finding[] {
  if (probe === 'missing')
    return [
      found(
        'cookie-not-stored',
        `A cookie like ${cookie.name} was set, and did not come back.`,
        causeOf(cookie, url),
      ),
    ]
  if (session === 'other')
    return [found('cookie-other', `A cookie ${cookie.name} came that this server has not signed.`)]
  return mirror.epoch !== null && session === 'none'
    ? [found('cookie-gone', `There is no valid ${cookie.name}, and the mirror shows a session.`)]
    : []
}

function causeOf({ secure, sameSite, partitioned }: Diagnosis['cookie'], url: string): string {
  const { protocol, hostname } = new URL(url)
  if (secure && protocol === 'http:')
    return 'It is Secure, and this is plain http: use https; for development on localhost leave `cookie.secure` at "auto" (Safari stores no Secure cookie on http://localhost).'
  const isOtherSite = siteOf(hostname) !== siteOf(location.hostname)
  if (isOtherSite && sameSite !== 'None')
    return `It is SameSite=${sameSite}, and the server is of another site than this page: serve both from one site, or set \`cookie: { sameSite: 'None', partitioned: true }\`.`
  if ((isOtherSite || window.top !== window) && !partitioned)
    return 'It is a third-party cookie here, which browsers block: set `cookie: { sameSite: "None", partitioned: true }`, or serve page and server from one site.'
  return 'The browser, or an extension, blocks cookies of this site.'
}

/** Close enough for advice: the last two labels. Two hosts below one public suffix look like one site. */
function siteOf(hostname: string): string {
  return /^[\d.:[\]]+$/.test(hostname) ? hostname : hostname.split('.').slice(-2).join('.')
}

function examineScheme({ secure }: Diagnosis, url: string): readonly Finding[] {
  return new URL(url).protocol === 'https:' && !secure
    ? [found('proxy-untrusted', 'The page asked by https, and the server believes that it was plain http.')]
    : []
}

function examineClock({ at }: Diagnosis, { now }: Patient): readonly Finding[] {
  const skew = now() - at * 1000
  if (Math.abs(skew) < tolerance) return []
  const [by, way] = [Math.round(Math.abs(skew) / 1000), skew > 0 ? 'ahead of' : 'behind']
  return [found('clock-skew', `This device’s clock is ${by} s ${way} the server’s.`)]
}
