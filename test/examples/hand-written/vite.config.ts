import { defineConfig } from 'vite'
import { sessionMirror } from 'session-mirror/vite'

export default defineConfig({ plugins: [sessionMirror({ worker: 'worker.ts', path: '/sw.js' })] })
