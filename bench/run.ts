// `npm run bench -- <name>`: runs one of the benchmarks in this folder, or lists them. The libraries for comparison are
// installed first, from this folder's own lockfile.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const here = import.meta.dirname
const benchmarks = readdirSync(here, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(here, entry.name, 'main.ts')))
  .map((entry) => entry.name)
const [name = '', ...rest] = process.argv.slice(2)

if (benchmarks.includes(name)) {
  install()
  process.argv.splice(2, process.argv.length, ...rest)
  await import(`./${name}/main.ts`)
} else {
  console.log(`npm run bench -- ${benchmarks.join(' | ')}`)
  process.exitCode = 1
}

function install(): void {
  const stamp = join(here, 'node_modules/.bench')
  const lock = readFileSync(join(here, 'package-lock.json'), 'utf8')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  const options = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
  const { status } = spawnSync('npm', options, { cwd: here, stdio: 'inherit' })
  if (status !== 0) throw new Error('npm ci failed in bench/.')
  writeFileSync(stamp, lock)
}
