import { sessions } from '../../../sessions.mjs'

const answer = (request) => sessions.handleRequest(request)
export { answer as DELETE, answer as GET, answer as POST }
