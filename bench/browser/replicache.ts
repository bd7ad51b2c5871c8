// Replicache without a server. A mutator's promise resolves when the change is in memory; the disk has it later.
import { Replicache } from 'replicache'
import { ballast, run } from './contestant.ts'

interface Transaction {
  get(key: string): Promise<{ readonly note: string } | undefined>
  set(key: string, value: object): Promise<void>
}
const replicache = new Replicache({
  name: 'bench',
  mutators: { setNote: (tx: Transaction, note: string) => tx.set('document', { note, ballast }) },
})
const read = async (tx: Transaction): Promise<string | undefined> => (await tx.get('document'))?.note
let shown: string | undefined
void run({
  open: async () => (shown = await replicache.query(read)),
  write(note) {
    shown = note
    return replicache.mutate['setNote']?.(note) ?? Promise.resolve()
  },
  shown: () => shown,
  onChange: (listener) => replicache.subscribe(read, (note) => note !== undefined && listener(note)),
})
