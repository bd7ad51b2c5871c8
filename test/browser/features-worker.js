// Says what a service worker of this engine has. A classic script, served as it is.
let routes = 'no addRoutes'
addEventListener('install', (event) => {
  skipWaiting()
  if (event.addRoutes === undefined) return
  const condition = { not: { or: [{ urlPattern: `${location.origin}/backend/features/api/*` }] } }
  event.waitUntil(
    event.addRoutes({ condition, source: 'network' }).then(
      () => (routes = 'accepted'),
      (error) => (routes = String(error)),
    ),
  )
})
addEventListener('activate', (event) => event.waitUntil(clients.claim()))
let passed = 0
addEventListener('fetch', () => passed++)
addEventListener('message', (event) => {
  event.waitUntil(
    answer().then(
      (found) => event.ports[0].postMessage(found),
      (error) => event.ports[0].postMessage({ error: String(error) }),
    ),
  )
})
async function answer() {
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt'])
  const opening = indexedDB.open('features-of-the-worker', 1)
  opening.addEventListener('upgradeneeded', () => opening.result.createObjectStore('keys'))
  const database = await done(opening)
  const put = database.transaction('keys', 'readwrite').objectStore('keys').put(key, 'key')
  await done(put)
  database.close()
  const held = await navigator.locks?.request('features', () => true)
  let cookie = 'forbidden'
  const own = new Request('/', { headers: { cookie: 'a=b' } })
  if (own.headers.has('cookie')) cookie = 'may be set'
  return {
    passed,
    indexedDbWithKey: true,
    locks: held === true,
    broadcastChannel: 'BroadcastChannel' in self,
    backgroundSync: 'sync' in registration,
    staticRoutes: routes,
    navigationPreload: 'navigationPreload' in registration,
    cookieStore: 'cookieStore' in self,
    cookieHeader: cookie,
    urlParse: 'parse' in URL,
    withResolvers: 'withResolvers' in Promise,
  }
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', () => reject(request.error))
  })
}
