// One listener behind each transport that Node serves: HTTP/1.1, and HTTP/2 with and without TLS. The client says
// what really came, and how it ended.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type IncomingHttpHeaders, type RequestListener, createServer, request } from 'node:http'
import {
  type ClientHttp2Session,
  type Http2Server,
  type IncomingHttpHeaders as Http2Headers,
  connect,
  createServer as createHttp2Server,
  createSecureServer,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { test } from 'vitest'

export interface TransportReply {
  readonly status: number
  readonly headers: IncomingHttpHeaders | Http2Headers
  /** The body, unpacked. */
  readonly text: string
  /** The code of RST_STREAM with HTTP/2, `aborted` with HTTP/1.1; undefined for an answer that ended as whole. */
  readonly cut: number | 'aborted' | undefined
}

export interface TransportServer {
  send(path?: string, headers?: Readonly<Record<string, string>>): Promise<TransportReply>
  close(): Promise<void>
}

/** A key and its certificate for localhost, as PEM. */
export interface Certificate {
  readonly key: Buffer
  readonly cert: Buffer
}

export type Transport = (listener: RequestListener, certificate: Certificate) => Promise<TransportServer>

/** With a certificate for the test file. */
export const transportTest = test.extend('certificate', { scope: 'file' }, createCertificate)

export const transportsWithoutTls: Readonly<
  Record<'HTTP/1.1' | 'HTTP/2', (listener: RequestListener) => Promise<TransportServer>>
> = {
  'HTTP/1.1': serveHttp1,
  'HTTP/2': (listener) => serveHttp2(createHttp2Server(listener as never), 'http'),
}

export const transports: Readonly<Record<string, Transport>> = {
  ...transportsWithoutTls,
  'HTTP/2 over TLS': (listener, certificate) =>
    serveHttp2(createSecureServer({ ...certificate }, listener as never), 'https'),
}

async function serveHttp1(listener: RequestListener): Promise<TransportServer> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    async send(path = '/', headers = {}) {
      const outgoing = request({ port, path, headers, host: '127.0.0.1', agent: false }).end()
      const [incoming] = await once(outgoing, 'response')
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', () => undefined)
      await new Promise((resolve) => incoming.once('close', resolve))
      const text = unpacked(Buffer.concat(chunks), incoming.headers)
      const cut = incoming.complete === true ? undefined : 'aborted'
      return { status: incoming.statusCode, headers: incoming.headers, text, cut }
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function serveHttp2(server: Http2Server, scheme: 'http' | 'https'): Promise<TransportServer> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const session = connect(`${scheme}://localhost:${port}`, { rejectUnauthorized: false })
  session.on('error', () => undefined)
  return {
    send: (path = '/', headers = {}) => sendHttp2(session, { ':path': path, ...headers }),
    async close() {
      session.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

async function sendHttp2(
  session: ClientHttp2Session,
  sent: Readonly<Record<string, string>>,
): Promise<TransportReply> {
  const stream = session.request(sent)
  const chunks: Buffer[] = []
  let headers: Http2Headers = {}
  stream.on('response', (received) => (headers = received))
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('error', () => undefined)
  await new Promise((resolve) => stream.once('close', resolve))
  const code = stream.rstCode ?? 0
  const cut = code === 0 ? undefined : code
  const text = cut === undefined ? unpacked(Buffer.concat(chunks), headers) : Buffer.concat(chunks).toString()
  return { status: Number(headers[':status'] ?? 0), headers, text, cut }
}

function unpacked(body: Buffer, headers: IncomingHttpHeaders | Http2Headers): string {
  return headers['content-encoding'] === 'gzip' ? gunzipSync(body).toString() : body.toString()
}

/** Makes a key and a certificate for a day. */
function createCertificate(): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'session-mirror-tls-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
  const names = ['-subj', '/CN=localhost', '-keyout', key, '-out', cert]
  execFileSync('openssl', ['req', '-x509', ...kind, ...names], { stdio: 'pipe' })
  const made = { key: readFileSync(key), cert: readFileSync(cert) }
  rmSync(folder, { recursive: true })
  return made
}
