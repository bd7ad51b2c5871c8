// How the worker's requests leave.

/** Sends a request on; `event` is there when a page's request caused it, and names that page. */
export type Upstream = (request: Request, event?: { readonly clientId: string }) => Promise<Response>
