// The public surface: what each door exports is recorded, so that no change of it goes unseen; every type in a signature
// can be imported where the signature is; and everything is documented.
import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import { doors, exportsOf, readSource, src } from './support/sources.ts'
import { forgottenTypes, undocumented } from './support/surface.ts'

const nameOf = (door: string): string => {
  const name = basename(door, '.ts')
  return name === 'index' ? 'session-mirror' : `session-mirror/${name}`
}

/** What only comes with another door is told by that door's name. */
function listOf(door: string): readonly string[] {
  const { reexported, reexportedWhole } = readSource(door)
  const own = [...exportsOf(door)].filter(([name]) => reexported.has(name))
  const isValue = ({ isType, node }: { isType: boolean; node: { type: string } }): boolean =>
    !isType && !node.type.startsWith('TS')
  const values = own.filter(([, declaration]) => isValue(declaration)).map(([name]) => `  ${name}`)
  const types = own.filter(([, declaration]) => !isValue(declaration)).map(([name]) => `  type ${name}`)
  const [others, files] = [true, false].map((isDoor) =>
    reexportedWhole.filter((file) => doors().includes(file) === isDoor),
  )
  const whole = files?.flatMap((file) => [...exportsOf(file).keys()]).map((name) => `  type ${name}`) ?? []
  const all = others?.map((other) => `  all types of ${nameOf(other)}`) ?? []
  return [nameOf(door), ...values.toSorted(), ...[...types, ...whole].toSorted(), ...all.toSorted()]
}

// `vitest run --project node test/public-surface.test.ts -u` records a change; it belongs into the CHANGELOG.
test('the doors export what is recorded, no more and no less', async () => {
  const list = doors()
    .map((door) => listOf(door).join('\n'))
    .join('\n\n')
  await expect(`${list}\n`).toMatchFileSnapshot('recorded/public-surface.txt')
})

describe.each(doors().map((door) => [nameOf(door), door] as const))('%s', (_name, door) => {
  test('a door exports every type that its signatures name', () => {
    expect(forgottenTypes(door)).toEqual([])
  })

  test('a door has a docstring for everything that it exports, and for every member of it', () => {
    expect(undocumented(door)).toEqual([])
  })
})

test('the doors are found', () => {
  expect(doors().length).toBeGreaterThanOrEqual(13)
  expect(doors().every((door) => door.startsWith(src))).toBe(true)
})
