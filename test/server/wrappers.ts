// What middleware of others does to an answer: each wraps methods of the response in the way of a package that is
// used a lot, before or after ours.
import type { ServerResponse } from 'node:http'
import { createGzip } from 'node:zlib'

export type Wrapper = (response: ServerResponse) => void

/** As `on-headers` does it: `listener` runs once, just before the head goes out, with all headers set. */
function onHeaders(response: ServerResponse, listener: () => void): void {
  const { writeHead } = response
  let hasFired = false
  response.writeHead = function wrapped(this: ServerResponse, ...parameters: unknown[]) {
    if (hasFired) return Reflect.apply(writeHead, this, parameters)
    hasFired = true
    const [status, ...rest] = parameters
    for (const [name, value] of Object.entries((rest.at(-1) ?? {}) as Record<string, string>))
      this.setHeader(name, value)
    listener()
    return Reflect.apply(writeHead, this, [status, ...rest.filter((one) => typeof one === 'string')])
  }
}

/** As `compression` does it: chunks go through zlib, so that they leave later than they were written. */
const compressing: Wrapper = (response) => {
  const { write, end } = response
  let hasEnded = false
  let zipper: ReturnType<typeof createGzip> | undefined
  onHeaders(response, () => {
    if (response.getHeader('content-encoding') !== undefined) return
    zipper = createGzip()
    response.setHeader('content-encoding', 'gzip')
    response.removeHeader('content-length')
    zipper.on('data', (chunk) => {
      if (Reflect.apply(write, response, [chunk]) === false) zipper?.pause()
    })
    zipper.on('end', () => Reflect.apply(end, response, []))
    response.on('drain', () => zipper?.resume())
  })
  Object.assign(response, {
    write(this: ServerResponse, ...parameters: unknown[]) {
      if (hasEnded) return false
      if (!this.headersSent) this.writeHead(this.statusCode)
      return zipper === undefined
        ? Reflect.apply(write, this, parameters)
        : zipper.write(Buffer.from(parameters[0] as string))
    },
    end(this: ServerResponse, ...parameters: unknown[]) {
      if (hasEnded) return this
      if (!this.headersSent) this.writeHead(this.statusCode)
      if (zipper === undefined) return Reflect.apply(end, this, parameters)
      hasEnded = true
      const [chunk] = parameters
      if (typeof chunk === 'string' || chunk instanceof Uint8Array) zipper.end(chunk)
      else zipper.end()
      return this
    },
  })
}

/** `end` calls `this.write`, as in Node's own answers of HTTP/2 and in light-my-request. */
const endingByWrite: Wrapper = (response) => {
  const { write, end } = response
  Object.assign(response, {
    write(this: ServerResponse, ...parameters: unknown[]) {
      return Reflect.apply(write, this, parameters)
    },
    end(this: ServerResponse, chunk?: unknown, ...rest: unknown[]) {
      if (typeof chunk === 'string' || chunk instanceof Uint8Array) this.write(chunk)
      return Reflect.apply(end, this, typeof chunk === 'function' ? [chunk] : rest.slice(-1))
    },
  })
}

/** As `express-session` does it: the last of the answer waits until something is stored. */
const endingLater: Wrapper = (response) => {
  const { end } = response
  let hasEnded = false
  onHeaders(response, () => response.setHeader('x-wrapped', '1'))
  Object.assign(response, {
    end(this: ServerResponse, ...parameters: unknown[]) {
      if (hasEnded) return false
      hasEnded = true
      setImmediate(() => Reflect.apply(end, this, parameters))
      return this
    },
  })
}

/** `end` calls `this.write` in a later turn. */
const endingByLateWrite: Wrapper = (response) => {
  const { end } = response
  let hasEnded = false
  Object.assign(response, {
    end(this: ServerResponse, chunk?: unknown) {
      if (hasEnded) return this
      hasEnded = true
      setImmediate(() => {
        if (typeof chunk === 'string' || chunk instanceof Uint8Array) this.write(chunk)
        Reflect.apply(end, this, [])
      })
      return this
    },
  })
}

export const wrappers: Readonly<Record<string, Wrapper>> = {
  'a wrapper that compresses': compressing,
  'a wrapper whose end calls write': endingByWrite,
  'a wrapper that ends later': endingLater,
  'a wrapper whose end calls write later': endingByLateWrite,
}
