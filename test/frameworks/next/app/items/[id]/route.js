import { sessions } from '../../../sessions.mjs'

export const POST = sessions.route(async (request, session, { params }) => {
  session.set('item', (await params).id)
  return new Response(null, { status: 204 })
})
