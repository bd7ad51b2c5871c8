// Looks for the mistakes that people make. Loaded when it is asked for; costs a few requests, changes nothing.
import { type Finding, found } from './findings.ts'
import type { Patient } from './patient.ts'
import { examineServer } from './server.ts'
import { examineWorker, toSilent } from './worker.ts'

/** Errors first; empty when all is well. */
export async function diagnose(patient: Patient): Promise<readonly Finding[]> {
  if (typeof document === 'undefined') return []
  const parts = await Promise.all([examineServer(patient), examineWorker(patient)])
  const findings = [...examineBrowser(patient), ...parts.flat(), ...patient.silent.map(toSilent)]
  return findings.toSorted((a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning'))
}

function examineBrowser({ mirror }: Patient): readonly Finding[] {
  return [
    ...(isSecureContext ? [] : [found('insecure-context', `${location.origin} is no secure context.`)]),
    ...(navigator.cookieEnabled ? [] : [found('cookies-off', 'navigator.cookieEnabled is false.')]),
    ...(mirror.durability === 'disk' ? [] : [found('storage-memory', 'IndexedDB cannot be used.')]),
  ]
}
