import solid from 'vite-plugin-solid';
import { defineConfig } from 'vitest/config';

// `npm run dev` serves the client and passes everything under /api to a running server.
const server = process.env.VMS_SERVER ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [solid()],
  server: { proxy: { '/api': { target: server, ws: true } } },
  build: {
    target: 'es2022',
    // The Content-Security-Policy allows no data: fonts or scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.ts', 'src/**/*.test.tsx', 'verify/**/*.test.ts'],
    testTimeout: 4000,
  },
});
