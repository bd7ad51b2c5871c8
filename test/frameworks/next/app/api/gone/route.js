import { notFound } from 'next/navigation'
import { sessions } from '../../../sessions.mjs'

export const POST = sessions.route((request, session) => {
  session.set('item', 'before it was gone')
  notFound()
})
