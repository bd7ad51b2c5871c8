// Which servers hold a key: rendezvous hashing (Thaler and Ravishankar, 1996). A server that joins or leaves moves
// only its own share of the keys. Its name decides, not its place in the list.

/** All servers, in the order in which they are to hold `key`. */
export function rankServers<Server extends { readonly name: string }>(
  servers: readonly Server[],
  key: string,
): readonly Server[] {
  const scored = servers.map((server) => ({ server, score: hash(`${server.name}\n${key}`) }))
  // The same score by the name, so that every process sorts alike.
  scored.sort((a, b) => b.score - a.score || (a.server.name < b.server.name ? -1 : 1))
  return scored.map(({ server }) => server)
}

/** FNV-1a with the finalizer of MurmurHash3: names and keys are ASCII, and nobody outside chooses a key. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}
