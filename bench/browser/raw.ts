// The floor: idb with one document, one relaxed transaction over two stores, and a channel that carries the value.
import { type IDBPDatabase, openDB } from 'idb'
import { ballast, run } from './contestant.ts'

interface Document {
  readonly note: string
  readonly ballast: string
}

let database: IDBPDatabase
let document: Document = { note: '', ballast }
const channel = new BroadcastChannel('raw')
void run({
  async open() {
    database = await openDB('raw', 1, {
      upgrade(created) {
        created.createObjectStore('mirror')
        created.createObjectStore('outbox')
      },
    })
    document = ((await database.get('mirror', 'document')) as Document | undefined) ?? document // Written below.
    return document.note
  },
  async write(note) {
    document = { note, ballast }
    channel.postMessage(note)
    const transaction = database.transaction(['mirror', 'outbox'], 'readwrite', { durability: 'relaxed' })
    void transaction.objectStore('mirror').put(document, 'document')
    void transaction.objectStore('outbox').put({ note }, 'entry')
    transaction.commit()
    await transaction.done
  },
  shown: () => document.note,
  onChange: (listener) => channel.addEventListener('message', ({ data }) => listener(String(data))),
})
