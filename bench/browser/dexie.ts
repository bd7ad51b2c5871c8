import { Dexie, liveQuery } from 'dexie'
import { ballast, run } from './contestant.ts'

const database = new Dexie('bench')
database.version(1).stores({ documents: 'id' })
const documents = database.table<{ readonly id: string; readonly note: string; readonly ballast: string }>(
  'documents',
)
let shown: string | undefined
void run({
  open: async () => (shown = (await documents.get('document'))?.note),
  async write(note) {
    shown = note
    await documents.put({ id: 'document', note, ballast })
  },
  shown: () => shown,
  onChange: (listener) =>
    void liveQuery(() => documents.get('document')).subscribe((found) => found && listener(found.note)),
})
