// Which names the demo answers to. A page of another site can give its own name the address 127.0.0.1 (DNS rebinding);
// its requests then come from "the same origin", and only the Host header tells.
import type { IncomingMessage, ServerResponse } from 'node:http'

const ownNames = new Set(['localhost', '127.0.0.1', '[::1]'])

/** Whether a Host header, with any port, names this machine. */
export function isOwnHost(host: string | undefined): boolean {
  return host !== undefined && ownNames.has(host.toLowerCase().replace(/:\d+$/, ''))
}

/** Answers 403 to a request for another name; true when it did. */
export function refuseForeignHost(request: IncomingMessage, response: ServerResponse): boolean {
  if (isOwnHost(request.headers.host)) return false
  response.statusCode = 403
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  response.end('The demo answers at localhost alone: open the address that it printed.\n')
  return true
}
