import { sessions } from '../../../sessions.mjs'

export const GET = sessions.route((request, session) =>
  Response.json({ owner: session.owner, item: session.get('item') ?? null }),
)
