import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { defineConfig, type Plugin } from 'vite';

// The page goes into every case and is opened from a disk: it is one file that loads nothing,
// and its policy lets run only the very script that was built.

function oneFile(): Plugin {
  return {
    name: 'one-file',
    enforce: 'post',
    generateBundle(_, bundle) {
      const page = Object.values(bundle).find((file) => file.fileName.endsWith('.html'));
      if (page?.type !== 'asset') throw new Error('no page was built');
      let html = String(page.source).replace(/\s*<(?:script|link)\b[^>]*(?:><\/script>|\/?>)/g, '');
      let script = '';
      let style = '';
      for (const file of Object.values(bundle)) {
        if (file === page) continue;
        if (file.type === 'chunk') script += file.code;
        else style += String(file.source);
        delete bundle[file.fileName];
      }
      script = script.trim().replaceAll('</script', '<\\/script');
      style = style.trim();
      const policy = [
        "default-src 'none'",
        `script-src 'sha256-${hash(script)}'`,
        `style-src 'sha256-${hash(style)}'`,
        "base-uri 'none'",
        "form-action 'none'",
      ].join('; ');
      html = html
        .replace(
          '<!-- policy -->',
          `<meta http-equiv="Content-Security-Policy" content="${policy}" />`,
        )
        .replace('</head>', () => `  <style>${style}</style>\n  </head>`)
        .replace('</body>', () => `  <script type="module">${script}</script>\n  </body>`);
      page.source = html;
    },
  };
}

const hash = (text: string): string => createHash('sha256').update(text).digest('base64');

export default defineConfig({
  root: import.meta.dirname,
  publicDir: false,
  base: './',
  plugins: [oneFile()],
  build: {
    target: 'es2022',
    outDir: resolve(import.meta.dirname, '../dist'),
    emptyOutDir: false,
    modulePreload: false,
    rollupOptions: { input: resolve(import.meta.dirname, 'verify.html') },
  },
});
