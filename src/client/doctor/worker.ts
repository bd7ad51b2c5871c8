// What can be wrong with the service worker: its script, its scope, who controls the page, and what that says of itself.
import { format } from '../../protocol/names.ts'
import type { WorkerAnswer } from '../../protocol/worker-messages.ts'
import { askWorker } from '../ask-worker.ts'
import { type ResolvedWorker, workerUrl } from '../worker-options.ts'
import { type Finding, found } from './findings.ts'
import type { Patient } from './patient.ts'

export async function examineWorker(patient: Patient): Promise<readonly Finding[]> {
  const { worker: wanted, base } = patient
  if (wanted === undefined) return []
  if (!navigator.serviceWorker) return [found('worker-unsupported', 'There is no navigator.serviceWorker.')]
  const script = new URL(String(workerUrl(wanted, base)), location.href)
  const ofScript = await examineScript(script, wanted)
  // Without a script nothing else can be right.
  if (ofScript.some(({ severity }) => severity === 'error')) return ofScript
  return [...ofScript, ...(await examineControl(script, wanted, patient))]
}

async function examineScript(script: URL, { scope }: ResolvedWorker): Promise<readonly Finding[]> {
  const { pathname } = script
  let response: Response
  try {
    response = await fetch(script, { cache: 'no-store', redirect: 'manual' })
  } catch {
    return [found('worker-unreachable', `${pathname} cannot be fetched.`)]
  }
  if (response.type === 'opaqueredirect') return [found('worker-redirected', `${pathname} is redirected.`)]
  if (!response.ok) return [found('worker-missing', `${pathname} answers ${response.status}.`)]
  const type = response.headers.get('content-type') ?? ''
  if (!/^(text|application)\/(x-)?(java|ecma)script\b/i.test(type))
    return [found('worker-type', `${pathname} is served as ${type || 'nothing'}.`)]
  return [...examineScope(script, scope, response), ...examineCaching(pathname, response)]
}

function examineScope(script: URL, scope: string | undefined, { headers }: Response): readonly Finding[] {
  const allowed = headers.get('service-worker-allowed')
  const folder = new URL(allowed ?? './', script).pathname
  const wanted = new URL(scope ?? './', scope === undefined ? script : location.href).pathname
  if (!wanted.startsWith(folder)) {
    const said =
      allowed === null ? 'without Service-Worker-Allowed' : `with Service-Worker-Allowed: ${allowed}`
    return [found('worker-scope', `The scope ${wanted} is refused for ${script.pathname}, served ${said}.`)]
  }
  if (location.pathname.startsWith(wanted)) return []
  const hint = allowed === null ? '' : `The server allows ${folder}: give \`worker.scope\`.`
  return [
    found(
      'worker-scope',
      `This page, ${location.pathname}, is outside of the worker’s scope ${wanted}.`,
      hint,
    ),
  ]
}

function examineCaching(pathname: string, { headers }: Response): readonly Finding[] {
  const caching = headers.get('cache-control') ?? ''
  const isKept = /max-age=[1-9]|immutable/.test(caching) && !/no-cache|no-store/.test(caching)
  return isKept ? [found('worker-cached', `${pathname} is served with Cache-Control: ${caching}.`)] : []
}

async function examineControl(
  script: URL,
  wanted: ResolvedWorker,
  patient: Patient,
): Promise<readonly Finding[]> {
  const { controller } = navigator.serviceWorker
  if (controller === null) {
    if (patient.workerState === 'failed')
      return [found('worker-failed', 'The browser refused to register the worker, or its script throws.')]
    const registration = await navigator.serviceWorker.getRegistration()
    // One that is being installed is on its way.
    return registration?.active ? [found('worker-not-controlling', 'No worker controls this page.')] : []
  }
  const actual = new URL(controller.scriptURL)
  if (actual.pathname !== script.pathname)
    return [found('worker-other', `${actual.pathname} controls this page, not ${script.pathname}.`)]
  const answer = await askWorker(controller)
  if (answer === undefined) return [found('worker-silent', `${actual.pathname} does not answer.`)]
  const findings = examineAnswer(answer, wanted, patient.base)
  // All is well by now; but the browser keeps a page to the list of the worker under which it was loaded.
  return findings.length === 0 && patient.workerState === 'different'
    ? [found('worker-api', 'The worker listed other requests when this page was loaded: load it again.')]
    : findings
}

function examineAnswer(answer: WorkerAnswer, wanted: ResolvedWorker, base: string): readonly Finding[] {
  if (answer.kind === 'other-format')
    return [found('worker-version', `The worker speaks format ${answer.format}, this page ${format}.`)]
  const { session, api, silent, isRetired } = answer.report
  return [
    ...(isRetired ? [found('worker-retired', 'The worker is retired.')] : []),
    ...(session === base
      ? []
      : [found('worker-session', `The worker’s routes are ${session}, the page’s ${base}.`)]),
    ...(list(api) === list(wanted.api)
      ? []
      : [found('worker-api', `The worker lists ${list(api)}, the page ${list(wanted.api)}.`)]),
    ...silent.map(toSilent),
  ]
}

export function toSilent(url: string): Finding {
  return found('api-silent', `The answer of ${url} has no Session-Revision.`)
}

function list(entries: readonly string[]): string {
  return entries.toSorted().join(', ')
}
