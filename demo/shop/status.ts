// Tells the user in words when the session's state changes.
import { session } from '../session.ts'
import { tell } from './banner.ts'

export function watchStatus(): void {
  session.on('status', (status) => {
    if (status.state === 'lost')
      tell(
        `The store lost this session (${status.keys.join(', ') || 'it was empty'}). Nothing was hidden; a new one begins with your next change.`,
        'warning',
      )
    if (status.state === 'signed-out' && status.reason === 'expired')
      tell('Your session has expired. Sign in again; what you had not sent is kept.', 'warning')
    if (status.state === 'signed-out' && status.reason === 'ended') tell('You were signed out.', 'warning')
    if (status.state === 'stale' && status.reason === 'unavailable')
      tell('The store does not answer. You can go on; your changes are kept and sent later.', 'warning')
  })
  session.on('owner', ({ owner, previous }) => {
    if (previous !== null && owner !== null)
      tell('Somebody else signed in here. What was shown of the other person is gone.')
  })
  session.on('conflict', ({ key }) =>
    tell(`“${key}” was changed elsewhere; the server’s value stands.`, 'warning'),
  )
  session.on('expiring', ({ secondsLeft }) => {
    const minutes = Math.ceil(secondsLeft / 60)
    tell(
      `Your session ends in ${minutes === 1 ? 'a minute' : `${minutes} minutes`}: do something here to stay.`,
      'warning',
    )
  })
  session.on('outdated', () =>
    tell('There is a newer version of this page: load it again when it suits you.'),
  )
  session.on('parked', () => tell('Unsent changes are kept, encrypted, until their owner is back.'))
}
