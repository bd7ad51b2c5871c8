// The inspector: shows the session as it is now, in every place that holds a part of it.
import { find, make } from '../dom.ts'
import { session } from '../session.ts'
import { controls } from './controls.ts'
import { doctor } from './doctor.ts'
import { type Panel, panel } from './panel.ts'
import { readIndexedDb, readServer, readWorker } from './sources.ts'
import { statusLine } from './status-line.ts'
import { startTimeline } from './timeline.ts'
import {
  type ServerReport,
  cookieRows,
  memoryRows,
  outboxRows,
  serverRows,
  storeRows,
  workerRows,
} from './rows.ts'

/** Milliseconds between two questions to the server when nothing happens. After an event it is asked at once. */
const every = 2000

export function showInspector(): void {
  // On a narrow screen the shop comes first, and the panels stay folded below it.
  const isWide = matchMedia('(min-width: 1080px)').matches
  const panels = {
    memory: panel('In memory', 'What this tab shows, with unsent changes on top', true),
    outbox: panel('Outbox', 'Changes the server has not acknowledged', true),
    indexedDb: panel('IndexedDB', 'Read straight from the database', false),
    worker: panel('Service worker', 'Asked by message', isWide),
    cookie: panel('Cookie', 'Its age and floor, never its value', isWide),
    server: panel('Server record', 'Names and revisions, as the server says', isWide),
    store: panel('Store', 'As the store itself says', isWide),
  }
  const timeline = startTimeline()
  const heading = make(
    'div',
    { class: 'heading' },
    make('h2', { id: 'inspector-title' }, 'Inspector'),
    statusLine(),
  )
  find('#inspector', HTMLElement).append(
    heading,
    controls(),
    timeline,
    ...Object.values(panels).map((shown) => shown.element),
    doctor(isWide).element,
  )
  watch(panels)
}

type Panels = Readonly<
  Record<'memory' | 'outbox' | 'indexedDb' | 'worker' | 'cookie' | 'server' | 'store', Panel>
>

function watch(panels: Panels): void {
  let isAsking = false
  let isWanted = false

  function showLocal(): void {
    panels.memory.show(memoryRows(session))
    panels.outbox.show(outboxRows(session.inspect().local))
  }

  async function showRest(): Promise<void> {
    if (isAsking) {
      isWanted = true
      return
    }
    isAsking = true
    const [indexedDb, worker, server] = await Promise.all([readIndexedDb(), readWorker(), readServer()])
    panels.indexedDb.show(indexedDb)
    panels.worker.show(workerRows(worker))
    showServer(panels, server)
    isAsking = false
    if (isWanted) {
      isWanted = false
      setTimeout(() => void showRest(), 200)
    }
  }

  const showAll = (): void => {
    showLocal()
    void showRest()
  }
  session.subscribe(showAll)
  for (const name of ['status', 'owner', 'exchange', 'parked', 'durability'] as const)
    session.on(name, showAll)
  void session.ready.then(showAll)
  setInterval(() => {
    if (document.visibilityState === 'visible') showAll()
  }, every)
}

function showServer(panels: Panels, report: ServerReport | undefined): void {
  panels.cookie.show(cookieRows(report))
  panels.server.show(serverRows(report))
  panels.store.show(storeRows(report))
}
