// `npm run test:engines`: the browser tests in Chromium, Firefox ESR and WebKitGTK, one after the other.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { playwright } from '@vitest/browser-playwright'
import { defineConfig } from 'vitest/config'
import { browserProject } from '../../vite.config.ts'
import { chromiumArguments, chromiumPath } from '../support/chromium.ts'
import { firefox, spawned, webkit } from './spawn.ts'

const libraries = '/usr/lib'
const miniBrowser = (): string =>
  readdirSync(libraries)
    .map((folder) => join(libraries, folder, 'webkit2gtk-4.1/MiniBrowser'))
    .find((file) => existsSync(file)) ?? 'MiniBrowser'

const shown = { headless: false, ui: false, connectTimeout: 60_000 }
const engines = {
  chromium: {
    headless: true,
    provider: playwright({ launchOptions: { executablePath: chromiumPath, args: chromiumArguments } }),
  },
  firefox: { ...shown, provider: spawned(firefox(process.env['FIREFOX_PATH'] ?? 'firefox-esr')) },
  webkit: { ...shown, provider: spawned(webkit(process.env['WEBKIT_PATH'] ?? miniBrowser())) },
}

export default defineConfig({
  test: {
    root: join(import.meta.dirname, '../..'),
    projects: Object.entries(engines).map(([name, engine], index) => {
      const project = browserProject(name, engine)
      // Two cores: one engine at a time.
      const provide = { printsFeatures: true }
      return { ...project, test: { ...project.test, provide, sequence: { groupOrder: index } } }
    }),
  },
})
