// What happened, as one number that two runs of a seed must agree on, and as lines for whoever replays one.

export interface Trace {
  /** Of everything so far. */
  readonly hash: string
  readonly lines: readonly string[]
  /** Takes part in the hash alone. */
  fold(text: string): void
  /** A line. `tell` is called only when somebody reads lines or `fold`s them. */
  note(text: string): void
}

export function createTrace(isVerbose: boolean, prefix: () => string): Trace {
  const lines: string[] = []
  let [low, high] = [0x811c9dc5, 0x01000193]

  function fold(text: string): void {
    for (let index = 0; index < text.length; index++) {
      low = Math.imul(low ^ text.charCodeAt(index), 0x01000193)
      high = Math.imul(high + low, 0x85ebca6b) ^ (high >>> 13)
    }
  }

  return {
    get hash() {
      return [low, high].map((part) => (part >>> 0).toString(16).padStart(8, '0')).join('')
    },
    lines,
    fold,
    note(text) {
      const line = `${prefix()} ${text}`
      fold(line)
      if (isVerbose) lines.push(line)
    },
  }
}
