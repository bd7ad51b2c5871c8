import { defineConfig } from 'vite'
import { VitePWA } from 'vite-plugin-pwa'

export default defineConfig({
  plugins: [
    VitePWA({
      strategies: 'injectManifest',
      srcDir: '.',
      filename: 'sw.ts',
      // The SDK registers the worker: by two urls each would push the other one out.
      injectRegister: false,
      manifest: { name: 'example' },
      injectManifest: { rollupFormat: 'iife', globPatterns: ['**/*.{js,html,svg}'] },
    }),
  ],
})
