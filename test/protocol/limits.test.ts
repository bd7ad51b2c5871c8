// The Limits table of docs/protocol.md says what the code does.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import * as limits from '../../src/protocol/limits.ts'

const rows: Readonly<Record<string, readonly (keyof typeof limits)[]>> = {
  'depth of JSON': ['bodyDepthLevels'],
  'depth of one value': ['valueDepthLevels'],
  'keys in a session': ['sessionKeys'],
  'characters in a key’s name': ['keyNameCharacters'],
  'a record': ['recordBytes'],
  'a request body': ['bodyBytes', 'bodySeconds'],
  'a batch': ['batchMutations', 'batchBytes'],
  'one change, as it is sent': ['changeBytes'],
  'what a validator says, kept with the record': ['validatorMessageCharacters', 'validatorMessagesBytes'],
  'unsent changes in a browser': ['outboxBytes'],
  'browsers remembered for exactly-once': ['rememberedBrowsers', 'browserBusySeconds'],
  'cookies of our name looked at': ['candidateCookies'],
  'a browser that comes with a cookie has it on its disk': ['keptSeconds'],
  'ids that a session is followed through': ['followedIds'],
  'removal marks': ['removalMarks'],
  'sessions in an owner’s list': ['ownerSessions'],
  'between entering a session in the list and its beginning': ['beginSeconds'],
  'a label; an owner': ['labelCharacters', 'ownerCharacters'],
  'event streams of one session': ['sessionStreams'],
  'the copy for the first paint': ['bootCopyCharacters'],
  'parked changes': ['parkedSeconds'],
  'a request that goes on when its page closes': ['keepaliveBytes'],
  'tries of a commit against other processes': ['commitAttempts'],
  'batches that merge, committed at once': ['mergingWriters'],
}

const inCode: Readonly<Record<string, number>> = { ...limits }
const units: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 ** 2, minutes: 60, days: 86_400 }

/** Every number of the text in its smallest unit: `320 KiB, within 10 s` is [327680, 10]. */
function numbersIn(text: string): readonly number[] {
  return [...text.matchAll(/(\d[\d,]*)(?: (\w+))?/g)].map(
    ([, digits = '', unit = '']) => Number(digits.replaceAll(',', '')) * (units[unit] ?? 1),
  )
}

const documented = (
  /## Limits\n([\s\S]*?)\n## /.exec(
    readFileSync(join(import.meta.dirname, '../../docs/protocol.md'), 'utf8'),
  )?.[1] ?? ''
)
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| what |'))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, what = '', number = '']) => ({ what: what.replaceAll("'", '’'), number }))

test.each(documented)('the limit “$what” is $number, as docs/protocol.md says', ({ what, number }) => {
  expect(numbersIn(number)).toEqual(rows[what]?.map((name) => inCode[name]))
})

test('every limit of the code stands in docs/protocol.md', () => {
  const named = documented.flatMap(({ what }) => rows[what] ?? [])
  expect(named.toSorted()).toEqual(Object.keys(inCode).toSorted())
})
