// What each page of the benchmark must be able to do. All do the same small job.

export interface Contestant {
  /** Opens what is stored, as this library's guide says, and resolves with the stored note. */
  open(): Promise<string | undefined>
  /** Shows a new note, and resolves when this library says that it is kept. */
  write(note: string): Promise<unknown>
  /** The note as it is shown now, without waiting. */
  shown(): string | undefined
  /** Called with the note when it changes in any tab. Undefined when the library has nothing for this. */
  readonly onChange: ((listener: (note: string) => void) => void) | undefined
}

declare global {
  interface Window {
    bench: Contestant
    /** Milliseconds from the start of the script to the first read; undefined until then. */
    booted: number | undefined
    first: string | undefined
    /** When this tab saw each note, by the clock that all tabs share. */
    seen: Record<string, number>
  }
}

/** A kilobyte that is written with each note. */
export const ballast: string = 'x'.repeat(1000)
export const url = '/session'

export async function run(contestant: Contestant): Promise<void> {
  const started = performance.now()
  window.bench = contestant
  window.seen = {}
  window.first = await contestant.open()
  window.booted = performance.now() - started
  contestant.onChange?.((note) => {
    window.seen[note] ??= performance.timeOrigin + performance.now()
  })
}
