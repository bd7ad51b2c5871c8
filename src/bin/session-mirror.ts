#!/usr/bin/env node
// `npx session-mirror secret`: prints a secret for `createSessions` and nothing else, so that scripts can read it.
import { randomBytes } from 'node:crypto'
import process from 'node:process'

const usage = `Usage: session-mirror secret

  secret   prints a new secret of 256 random bits for the option \`secrets\`, which takes the newest first.
           Keep it out of the repository: SESSION_SECRET=$(npx session-mirror secret)
`

const [command, ...rest] = process.argv.slice(2)
if (command === 'secret' && rest.length === 0) {
  process.stdout.write(`${randomBytes(32).toString('base64url')}\n`)
} else {
  const isHelp = command === '--help' || command === '-h'
  const stream = isHelp ? process.stdout : process.stderr
  stream.write(usage)
  process.exitCode = isHelp ? 0 : 2
}
