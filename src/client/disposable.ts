// `using session = createSession(…)` where the engine has it (ECMAScript, explicit resource management).

/** What can be closed, with `Symbol.dispose` for it. Older engines have no such symbol, and nobody there who could use it. */
export function disposable<T extends { close(): void }>(closing: T): T & Disposable {
  const symbol: symbol | undefined = Symbol.dispose
  if (symbol !== undefined) Object.defineProperty(closing, symbol, { value: () => closing.close() })
  return closing as T & Disposable // Now it has it, where anybody could ask.
}
