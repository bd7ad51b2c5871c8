// What must be true once all is quiet.
import { isDeepStrictEqual } from 'node:util'
import type { Profile, Tab } from './browser.ts'
import type { Entry } from './ledger.ts'
import { isForeign, ownerOnDisk } from './places.ts'
import { wordsIn } from './step.ts'
import { browserSchema, visibleKeys } from './schema.ts'
import { plaintextOf } from './subtle.ts'
import type { World } from './world.ts'

const refusals: readonly unknown[] = ['conflict', 'denied', 'invalid', 'too-large', 'superseded']

export async function judge(world: World): Promise<void> {
  for (const profile of world.profiles) {
    // oxlint-disable-next-line no-await-in-loop -- one after another, so that the order is the seed's
    const server = await ask(world, profile)
    for (const tab of profile.tabs) judgeTab(world, { profile, tab, server })
    judgeDisk(world, profile)
  }
  for (const entry of world.ledger.entries) judgeWrite(world, entry)
  judgeOrder(world)
  for (const [profile, lost] of world.lost) {
    // A first batch that was doubled, and whose second answer came so late, has begun another session meanwhile: of
    // several the browser keeps the last cookie. It had left before the loss, so it is not the way to hide one.
    const { begun } = profile.line
    const isAnother = begun !== lost.begun && begun < lost.at
    if (!lost.isExcused && !isAnother)
      world.complain(`${profile.name} never said that ${lost.epoch} was lost`)
  }
}

/** A tab's write never comes out over a later one of the same tab that was acknowledged: one may have waited on a sick disk. */
function judgeOrder({ places, ledger, complain }: World): void {
  for (const { record, writes } of places.all.values()) {
    const [text] = wordsIn(record.keys['note'])
    const shown = ledger.entries.find(({ word, key }) => word === text && key === 'note')
    if (shown === undefined || shown.isRevived) continue
    const newer = ledger.entries.find(
      ({ key, tab, number, told }) =>
        key === 'note' && tab === shown.tab && number > shown.number && told === 'ok' && writes.has(number),
    )
    if (newer !== undefined)
      complain(`write ${shown.number} (${text}) came out over ${newer.number} (${newer.word})`)
  }
}

interface Shown {
  readonly owner: string | null
  readonly keys: Readonly<Record<string, unknown>>
}

/** What the server has for this profile's cookie, as a page that is opened would find it. */
async function ask({ scheduler, servers, complain }: World, { name, line }: Profile): Promise<Shown> {
  const [server] = servers
  let shown: Shown = { owner: null, keys: {} }
  const run = async (): Promise<void> => {
    const headers = new Headers({ 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' })
    const wire = { method: 'GET', url: '/api/whole', headers, cookie: line.jar.header(), body: undefined }
    const answer = await server?.handle(wire)
    if (answer?.status === 200) shown = JSON.parse(answer.body) as Shown
    else complain(`${name} is answered ${answer?.status}: ${answer?.body}`)
  }
  scheduler.after(0, server?.context, { label: 'ask', run: () => void run() })
  await scheduler.settle(1000)
  return shown
}

function judgeTab(
  { complain }: World,
  { profile, tab, server }: { readonly profile: Profile; readonly tab: Tab; readonly server: Shown },
): void {
  const { session, context } = tab
  if (session === undefined) return complain(`${context.name} has no session`)
  if (session.pending > 0) complain(`${context.name} still has ${session.pending} unsent changes`)
  if (session.owner !== server.owner)
    complain(`${context.name} belongs to ${session.owner}, not ${server.owner}`)
  for (const key of visibleKeys) {
    const expected = server.keys[key] ?? browserSchema.keys[key].default
    const actual = session.get(key)
    if (!isDeepStrictEqual(actual, expected))
      complain(
        `${context.name} shows ${key} as ${JSON.stringify(actual)}, the server has ${JSON.stringify(expected)}`,
      )
  }
  const { state } = session.status
  if (state === 'starting' || state === 'stale') complain(`${context.name} of ${profile.name} is ${state}`)
}

interface Outbox {
  readonly sealed: object | null
}

function judgeDisk({ complain }: World, profile: Profile): void {
  const {
    name,
    realm: { disk },
  } = profile
  const outbox = disk.tables.get('outbox') ?? new Map<string, unknown>()
  if ((outbox.get('outbox') as Outbox | undefined)?.sealed) complain(`${name} still has a batch on disk`)
  const open = [...outbox.keys()].filter((key) => key.startsWith('open:'))
  if (open.length > 0) complain(`${name} still has ${open.length} open changes on disk`)
  // Nobody's outbox is parked in the clear (docs/decisions.md, "Another owner's unsent changes are parked").
  for (const text of wordsIn([...outbox.values()]))
    if (isForeign(text, ownerOnDisk(profile)) && !text.startsWith('anon'))
      complain(`${text} can be read on the disk of ${name}`)
}

function judgeWrite(world: World, entry: Entry): void {
  const { places, complain } = world
  const { number, told, stored, tab, key, word } = entry
  const what = `write ${number} (${word} to ${key}, ${tab.context.name})`
  const isApplied = places.applied.has(number)
  if (told === 'ok' && !isApplied && !places.undone.has(number))
    complain(`${what} was acknowledged, and nobody applied it`)
  // A session that has ended since may have taken what the next one refused.
  const isLive = [...places.all.values()].some(({ writes }) => writes.has(number))
  const isThere = world.profiles.some(({ tabs }) => tabs.includes(tab))
  // A tab that died before the later write was on disk: nobody is left who was told.
  const isForgotten =
    entry.isRevived || (told === 'superseded' && (!isThere || isReplacedInVain(world, entry)))
  if (refusals.includes(told) && isLive && !isForgotten) complain(`${what} was told ${told}, and was applied`)
  if (isThere && told === undefined) complain(`${what} never heard what became of it`)
  const isKept = stored === 'disk' && (told === undefined || told === 'parked')
  if (isKept && entry.excuse === undefined && !isApplied && !isAccounted(world, entry))
    complain(`${what} was ${told ?? 'stored'}, and is nowhere`)
}

/**
 * By a later write that came too late to be parked with it; or by one of another tab, which tells of it before it is on
 * disk, and may take long to get it there or die before: then a batch is sealed without it. Stamps, not numbers, say which
 * of two tabs' writes is the later one.
 */
function isReplacedInVain({ ledger }: World, { profile, tab, key, number }: Entry): boolean {
  return ledger.entries.some((other) => {
    if (other.profile !== profile || other.key !== key) return false
    if (other.tab !== tab) return true
    return other.number > number && (other.told === 'parked' || other.told === 'discarded')
  })
}

/**
 * Stamps, not numbers, say which of two tabs' writes is the later one. Of the same millisecond the tab's name decides; and a burst's
 * stamps run ahead of the clock, one millisecond for each write.
 */
const aheadMilliseconds = 10

/** Refused, replaced by a later write of its key, part of one, or parked. */
function isAccounted(world: World, { number, key, word, profile, tab, at }: Entry): boolean {
  const { places, ledger } = world
  if (places.refused.has(number) || places.wasSeen(word)) return true
  const isPlain = key === 'note' || key === 'picky' || key === 'gone' || key === 'strict'
  const isReplaced = ledger.entries.some(
    (other) =>
      other.profile === profile &&
      other.key === key &&
      (other.number > number || (other.tab !== tab && at - other.at < aheadMilliseconds)),
  )
  if (isPlain && isReplaced) return true
  const sign = key === 'count' ? `"by":${number}}` : `${word}"`
  return parcelsOf(world, profile).some((text) => text.includes(sign))
}

function parcelsOf({ plaintexts }: World, { realm: { disk } }: Profile): readonly string[] {
  const outbox = [...(disk.tables.get('outbox') ?? [])]
  const parcels = outbox.flatMap(([key, value]) => (key.startsWith('parked:') ? [value] : []))
  return (parcels as readonly { data: ArrayBuffer | string }[]).map(({ data }) =>
    plaintextOf(plaintexts, data),
  ) // The SDK's.
}
