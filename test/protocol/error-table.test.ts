import { expect, test } from 'vitest'
import { errorTable } from '../../src/protocol/error-table.ts'

test.each(Object.entries(errorTable))(
  'the code %s says what happened, what it means and what to do, each in sentences',
  (_code, { title, meaning, action }) => {
    for (const sentences of [title, meaning, action]) expect(sentences).toMatch(/^[A-Z`].+\.$/s)
  },
)
