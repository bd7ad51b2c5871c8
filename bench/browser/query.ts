// TanStack Query with its persister on idb-keyval, as its guide has it. It has no stable way to tell other tabs.
import { QueryClient } from '@tanstack/query-core'
import { persistQueryClientRestore, persistQueryClientSave } from '@tanstack/query-persist-client-core'
import { del, get, set } from 'idb-keyval'
import { ballast, run } from './contestant.ts'

const queryClient = new QueryClient({ defaultOptions: { queries: { gcTime: Number.POSITIVE_INFINITY } } })
const persister = {
  persistClient: (client: unknown) => set('query', client),
  restoreClient: () => get('query'),
  removeClient: () => del('query'),
}
const key = ['document']
const shown = (): string | undefined => queryClient.getQueryData<{ readonly note: string }>(key)?.note
void run({
  async open() {
    await persistQueryClientRestore({ queryClient, persister })
    return shown()
  },
  async write(note) {
    queryClient.setQueryData(key, { note, ballast })
    await persistQueryClientSave({ queryClient, persister })
  },
  shown,
  onChange: undefined,
})
