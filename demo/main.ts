// The shop's page: the shop, and the inspector beside it.
import { find, setText } from './dom.ts'
import { showInspector } from './inspector/inspector.ts'
import { session } from './session.ts'
import { showAccount } from './shop/account.ts'
import { showCart, showShelf } from './shop/cart.ts'
import { showDevices } from './shop/devices.ts'
import { showNote } from './shop/note.ts'
import { watchStatus } from './shop/status.ts'

showShelf()
showAccount()
showCart()
showNote()
showDevices()
watchStatus()
showInspector()

function showGreeting(): void {
  const user = session.get('user')
  const words =
    user === undefined
      ? 'A small shop whose session lives on the server and is mirrored in your browser.'
      : `Good to see you, ${user}. Your cart is as you left it, in every tab.`
  setText(find('#greeting', HTMLElement), words)
  setText(find('#visits', HTMLElement), String(session.get('visits')))
  setText(find('#stamps', HTMLElement), String(session.get('stamps')))
}

session.subscribe(showGreeting)
await session.ready
showGreeting()
// Counts each page view, in any tab, online or offline: increments of a counter are added up.
session.increment('visits')
