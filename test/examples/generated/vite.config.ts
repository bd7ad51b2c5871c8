// A worker that Workbox's generateSW makes whole: our part comes in by importScripts.
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Plugin, defineConfig } from 'vite'
import { generateSW } from 'workbox-build'

const outDir = join(import.meta.dirname, 'dist')

const worker: Plugin = {
  name: 'generated-worker',
  async closeBundle() {
    const part = fileURLToPath(import.meta.resolve('session-mirror/imported-worker.js'))
    copyFileSync(part, join(outDir, 'imported-worker.js'))
    await generateSW({
      swDest: join(outDir, 'sw.js'),
      globDirectory: outDir,
      globIgnores: ['imported-worker.js'],
      importScripts: ['imported-worker.js'],
      inlineWorkboxRuntime: true,
      skipWaiting: true,
      clientsClaim: true,
      navigateFallback: '/index.html',
      runtimeCaching: [
        {
          urlPattern: ({ url }) => url.pathname.startsWith('/images/'),
          handler: 'CacheFirst',
          options: { cacheName: 'images' },
        },
        {
          urlPattern: ({ url }) => url.pathname === '/catalogue',
          handler: 'StaleWhileRevalidate',
          options: { cacheName: 'catalogue' },
        },
        {
          urlPattern: ({ url }) => url.pathname.startsWith('/api/'),
          handler: 'NetworkFirst',
          options: { cacheName: 'api' },
        },
      ],
    })
  },
}

export default defineConfig({ plugins: [worker] })
