// The diagnosis route: says how a request of this browser arrives. Reads no session, changes nothing but a cookie of its own.
import type { Diagnosis } from '../../protocol/diagnosis.ts'
import { SessionError } from '../../protocol/errors.ts'
import { headers } from '../../protocol/names.ts'
import { type Core, now } from '../core/core.ts'
import { cookieOf } from '../lifecycle/load.ts'
import type { CoreRequest } from '../http/request.ts'
import { type CoreAnswer, jsonAnswer } from '../http/core-answer.ts'

/** @throws SessionError `malformed` without a probe of 16 characters; `ambiguous-cookie` */
export function diagnose(core: Core, request: CoreRequest): CoreAnswer {
  const [, probe] = /[?&]probe=([\w-]{16})(?:&|$)/.exec(request.url) ?? []
  if (probe === undefined) throw new SessionError('malformed', 'The probe is missing: 16 characters.')
  const { name, ...attributes } = core.jar.describe(request)
  // The name has it, too: two tabs that ask at once do not take each other's away.
  const isThere = (request.header('cookie') ?? '').split(/;\s*/).includes(`${name}-probe-${probe}=1`)
  const diagnosis: Diagnosis = {
    at: now(core),
    secure: request.secure,
    cookie: { name, ...attributes },
    probe: isThere ? 'arrived' : 'missing',
    session: cookieOf(core, request) === undefined ? 'none' : 'sent',
  }
  return jsonAnswer(diagnosis, [
    // As on an answer without a session: a page of another origin that cannot read it knows why.
    [headers.revision, 'none'],
    ['set-cookie', core.jar.probe(request, probe, !isThere)],
  ])
}
