// What each page does, and how the benchmark drives it: the same small job for all.

export interface Contestant {
  /** Opens what is kept and resolves with the note as it was stored, read as this library's guide says. */
  open(): Promise<string | undefined>
  /** Shows a new note, and resolves when this library says that it is kept. */
  write(note: string): Promise<unknown>
  /** The note as it is shown now, without waiting. */
  shown(): string | undefined
  /** Called with the note whenever it changes, in whichever tab. Undefined where this is no part of the library. */
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

/** A kilobyte that goes along with each note. */
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
