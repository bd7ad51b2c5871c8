// What memory has, put back onto a disk that is well again, and above all what must not come back.
import { expect, test } from 'vitest'
import { emptyLocalState, pendingOf } from '../../../src/mirror/steps/local-state.ts'
import { leaverOf, mergeMemory } from '../../../src/mirror/steps/memory-merge.ts'
import { sealBatch } from '../../../src/mirror/steps/outbox.ts'
import type { LocalState, OpenMutation } from '../../../src/mirror/steps/local-state.ts'
import type { Epoch } from '../../../src/protocol/state.ts'
import { setTo } from '../fixtures.ts'

const epochs = { ada: 'ada-epoch' as Epoch, grace: 'grace-epoch' as Epoch }
function stateOf(
  owner: keyof typeof epochs | null,
  version: number,
  keys: readonly string[] = [],
): LocalState {
  const empty = emptyLocalState()
  const epoch = owner === null ? null : epochs[owner]
  const open = keys.map((key, index): OpenMutation => {
    return { stamp: `${version}${index}.tab`, mutation: setTo(key, `of ${version}`), owner, saw: [] }
  })
  return { ...empty, mirror: { ...empty.mirror, owner, epoch, version }, open }
}
const merged = (disk: LocalState, memory: LocalState): LocalState => {
  const result = mergeMemory(disk, memory, { parcel: undefined, newest: [] })
  if (result === undefined) throw new Error('It waits.')
  return result
}
const keysOf = (state: LocalState): unknown => pendingOf(state).map(({ key }) => key)

test('the newer mirror stands, and both have their unsent writes', () => {
  const [disk, memory] = [stateOf('ada', 5, ['a', 'b']), stateOf('ada', 6, ['b', 'c'])]
  const result = merged(disk, memory)
  expect(result.mirror.version).toBeGreaterThan(6)
  expect(keysOf(result)).toEqual(['a', 'b', 'c'])
  expect(pendingOf(result).find(({ key }) => key === 'b')).toMatchObject({ value: 'of 6' })
  expect(merged(memory, disk).mirror).toBe(memory.mirror)
})

test('two batches on their way do not go together; one does, under its own name', () => {
  const [disk, memory] = [sealBatch(stateOf('ada', 5, ['a'])), sealBatch(stateOf('ada', 6, ['b']))]
  expect(mergeMemory(disk, memory, { parcel: undefined, newest: [] })).toBe(undefined)
  const one = merged(stateOf('ada', 5, ['a']), memory)
  expect(one.outbox.sealed).toEqual(memory.outbox.sealed)
  expect(one.outbox.client).toBe(memory.outbox.client)
  expect(keysOf(one)).toEqual(['b', 'a'])
  expect(merged(disk, stateOf('ada', 6, ['b'])).outbox.sealed).toEqual(disk.outbox.sealed)
})

test.for([
  ['another user on the disk', stateOf('grace', 9, ['g']), ['g']],
  ['nobody on the disk', stateOf(null, 9), []],
] as const)('of a memory that is behind %s nothing is sent, sealed or not', ([, disk, expected]) => {
  for (const memory of [stateOf('ada', 6, ['a']), sealBatch(stateOf('ada', 6, ['a']))]) {
    expect(leaverOf(disk, memory)).toBe('memory')
    const result = merged(disk, memory)
    expect([result.mirror, result.outbox.sealed]).toEqual([disk.mirror, null])
    expect(keysOf(result)).toEqual(expected)
    expect(result.open.map(({ owner }) => owner)).not.toContain('ada')
  }
})

test.for([
  ['another user', stateOf('grace', 9, ['g']), ['g']],
  ['nobody', stateOf(null, 9), []],
] as const)('where memory knows of %s nothing of the disk is sent', ([, memory, expected]) => {
  for (const disk of [stateOf('ada', 6, ['a']), sealBatch(stateOf('ada', 6, ['a']))]) {
    expect(leaverOf(disk, memory)).toBe('disk')
    const result = merged(disk, memory)
    expect([result.mirror.owner, result.outbox.sealed]).toEqual([memory.mirror.owner, null])
    expect(result.mirror.life).toBeGreaterThan(disk.mirror.life)
    expect(keysOf(result)).toEqual(expected)
  }
})

test('a memory that was told nothing keeps whatever the disk knows', () => {
  const memory = {
    ...stateOf(null, 0),
    open: [{ stamp: '70.tab', mutation: setTo('x', '1'), owner: undefined, saw: [] }],
  }
  const disk = stateOf('ada', 5, ['a'])
  expect(leaverOf(disk, memory)).toBe(undefined)
  expect(merged(disk, memory).mirror).toBe(disk.mirror)
  expect(keysOf(merged(disk, memory))).toEqual(['a', 'x'])
})
