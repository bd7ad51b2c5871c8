// A browser for vitest that is merely started with the url of its page, and ended by its process group: no driver stands
// between, so that any browser will do. Tests may use nothing but what a page has.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { defineBrowserProvider } from '@vitest/browser'
import type { BrowserProvider, BrowserProviderOption, TestProject } from 'vitest/node'

export interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** How to start a browser with a profile in `folder`, which is empty and goes when the browser goes. */
export type Launch = (folder: string, url: string) => Program

export function spawned(launch: Launch): BrowserProviderOption {
  return defineBrowserProvider({
    // "preview" would be taken for vitest's own.
    name: 'spawn',
    providerFactory: (project) => createProvider(project, launch),
  })
}

function createProvider(project: TestProject, launch: Launch): BrowserProvider {
  const running = new Map<ChildProcess, string>()
  project.browser?.registerCommand('__vitest_viewport' as never, (async () => undefined) as never)

  function end(): void {
    for (const [child, folder] of running) {
      try {
        // The whole group: a browser is many processes, and xvfb-run a shell around them.
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has ended by itself.
      }
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    }
    running.clear()
  }
  process.once('exit', end)

  return {
    name: 'spawn',
    supportsParallelism: false,
    initScripts: [],
    getCommandsContext: () => ({}),
    async openPage(_sessionId, url) {
      end()
      const folder = mkdtempSync(join(tmpdir(), 'session-mirror-engine-'))
      const { command, args, env } = launch(folder, url)
      const child = spawn(command, args, { detached: true, stdio: 'ignore', env: { ...process.env, ...env } })
      child.once('error', (error) => console.error(`${command} did not start: ${error.message}`))
      running.set(child, folder)
    },
    close: end,
  }
}

/** Without a first-run page, updates and calls home. */
const quietly = {
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.homepage_override.mstone': 'ignore',
  'browser.aboutwelcome.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'toolkit.telemetry.reportingpolicy.firstRun': false,
  'app.update.enabled': false,
  'app.normandy.enabled': false,
  'extensions.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
}

export const firefox =
  (command: string): Launch =>
  (folder, url) => {
    const lines = Object.entries(quietly).map(
      ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`,
    )
    writeFileSync(join(folder, 'user.js'), lines.join('\n'))
    return { command, args: ['--headless', '--no-remote', '--profile', folder, url], env: { HOME: folder } }
  }

/** WebKitGTK's small browser needs a display: one that nobody sees. */
export const webkit =
  (command: string): Launch =>
  (folder, url) => ({
    command: 'xvfb-run',
    args: ['-a', command, url],
    env: { HOME: folder, XDG_DATA_HOME: folder, XDG_CACHE_HOME: folder, XDG_CONFIG_HOME: folder },
  })
