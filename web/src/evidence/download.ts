/**
 * Saves an export to a file. Browsers that can write to a file as bytes come do so; others keep
 * the whole in a Blob, which the browser puts on disk when it is large.
 */

import { type ExportModel, exportFilePath } from '../api/exports';
import { api } from '../state/session';

const HOURS_MS = 6 * 3_600_000;

interface SaveTarget {
  createWritable(): Promise<WritableStream<Uint8Array>>;
}
type Picker = (options: { suggestedName: string }) => Promise<SaveTarget>;

export function fileName(header: string | null, job: ExportModel): string {
  const found = /filename="?([^";]+)"?/i.exec(header ?? '')?.[1];
  const ending = job.spec.format === 'case' ? 'zip' : (job.spec.format ?? 'bin');
  return found ?? `export-${job.id}.${ending}`;
}

export async function saveExport(job: ExportModel): Promise<void> {
  const picker = (globalThis as { showSaveFilePicker?: Picker }).showSaveFilePicker;
  // Small files need no question where they should go.
  const large = job.size > 500_000_000;
  let target: SaveTarget | undefined;
  if (picker && large) {
    try {
      target = await picker({ suggestedName: fileName(null, job) });
    } catch (error) {
      if (error instanceof DOMException && error.name === 'AbortError') return;
    }
  }
  const response = await api.raw('GET', exportFilePath(job.id), {
    headers: { Accept: '*/*' },
    timeoutMs: HOURS_MS,
  });
  if (target && response.body) {
    await response.body.pipeTo(await target.createWritable());
    return;
  }
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await response.blob());
  link.download = fileName(response.headers.get('Content-Disposition'), job);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
