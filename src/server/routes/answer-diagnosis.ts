// `GET /session/diagnosis`: says how a request of this browser arrives. Reads no session, and changes nothing but a
// cookie of its own.
import type { Diagnosis } from '../../protocol/diagnosis.ts'
import { SessionError } from '../../protocol/errors.ts'
import { headers } from '../../protocol/names.ts'
import { cookieValues } from '../codec/cookie.ts'
import { type Core, now } from '../core/core.ts'
import { type CoreAnswer, jsonAnswer } from '../http/core-answer.ts'
import type { CoreRequest } from '../http/request.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import { cookiesOf } from '../lifecycle/load.ts'

/** @throws SessionError `malformed` without a probe of 16 characters */
export async function answerDiagnosis({ core }: Lifecycle, request: CoreRequest): Promise<CoreAnswer> {
  const probe = parseProbe(request.url)
  const { name, ...attributes } = core.jar.describe(request)
  // The name has it, too: two tabs that ask at once do not take each other's away.
  const isThere = (request.header('cookie') ?? '').split(/;\s*/).includes(`${name}-probe-${probe}=1`)
  const diagnosis: Diagnosis = {
    at: now(core),
    secure: request.secure,
    cookie: { name, ...attributes },
    probe: isThere ? 'arrived' : 'missing',
    session: sessionOf(core, request, name),
  }
  return jsonAnswer(diagnosis, [
    // As on an answer without a session: a page of another origin that cannot read it knows why.
    [headers.revision, 'none'],
    ['set-cookie', core.jar.probe(request, probe, !isThere)],
  ])
}

function sessionOf(core: Core, request: CoreRequest, name: string): Diagnosis['session'] {
  if (cookiesOf(core, request).length > 0) return 'sent'
  return cookieValues(request.header('cookie') ?? '', name).length > 0 ? 'other' : 'none'
}

/** @throws SessionError `malformed` */
function parseProbe(url: string): string {
  const [, probe] = /[?&]probe=([\w-]{16})(?:&|$)/.exec(url) ?? []
  if (probe !== undefined) return probe
  const message = 'A diagnosis needs ?probe= with 16 characters of A-Z a-z 0-9 - _: the SDK makes them up.'
  throw new SessionError('malformed', message)
}
