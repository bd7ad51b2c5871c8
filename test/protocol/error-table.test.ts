// The error table of the code, and the Errors table of docs/protocol.md.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { errorTable } from '../../src/protocol/error-table.ts'

const documented = (
  /## Errors\n([\s\S]*?)\n## /.exec(
    readFileSync(join(import.meta.dirname, '../../docs/protocol.md'), 'utf8'),
  )?.[1] ?? ''
)
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .flatMap((line) => {
    const [, codes = '', statuses = ''] = line.split('|')
    const numbers = statuses.split(',').map(Number)
    return [...codes.matchAll(/`([a-z-]+)`/g)].map(([, code = ''], index) => ({
      code,
      status: numbers[index] ?? numbers[0],
    }))
  })
const byCode = Object.fromEntries(documented.map(({ code, status }) => [code, status]))

test('each code that crosses the wire stands in docs/protocol.md with its status', () => {
  const answered = Object.entries(errorTable).filter(([, { status }]) => status > 0)
  expect(byCode).toEqual(Object.fromEntries(answered.map(([code, { status }]) => [code, status])))
})

test.each(Object.entries(errorTable))(
  'the code %s says what happened, what it means and what to do, each in sentences',
  (_code, { title, meaning, action }) => {
    for (const sentences of [title, meaning, action]) expect(sentences).toMatch(/^[A-Z`].+\.$/s)
  },
)
