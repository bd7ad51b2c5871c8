import { redirect } from 'next/navigation'
import { sessions } from '../../../sessions.mjs'

export const POST = sessions.route(async (request, session) => {
  session.signIn('grace')
  await session.save()
  redirect('/')
})
