import { redirect } from 'next/navigation'
import { sessions } from '../../../sessions.mjs'

export const POST = sessions.route((request, session) => {
  session.signIn('ada')
  redirect('/')
})
