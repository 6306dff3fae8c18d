/** Lets the browser save an export: it goes to the disk as it comes, and can go on after a break. */

import { type ExportModel, exportAddress } from '../api/exports';

export async function saveExport(job: ExportModel): Promise<void> {
  const link = document.createElement('a');
  link.href = await exportAddress(job.id);
  // The server names the file.
  link.download = job.name;
  document.body.append(link);
  link.click();
  link.remove();
}
