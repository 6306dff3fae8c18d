// What people hand to the page: a ZIP, the files of a folder, or what they drop on it.

import { openFolder, openZip, type Source, type Unpacked } from './source';
import { MAX_ENTRIES } from './zip_layout';

/** A case that is to be opened, and what it is called. */
export interface Handed {
  readonly name: string;
  open(): Promise<Source>;
}

const MOST_DEEP = 20;

export function fromZip(file: File): Handed {
  return { name: file.name, open: () => openZip(file) };
}

function fromUnpacked(name: string, files: readonly Unpacked[]): Handed {
  return { name, open: async () => openFolder(files) };
}

/** Files chosen as a folder: their paths begin with its name. */
export function fromFolder(files: readonly File[]): Handed {
  const first = files[0]?.webkitRelativePath.split('/')[0] ?? '';
  const inside = files.map((file) => ({
    path: file.webkitRelativePath.slice(first.length + 1) || file.name,
    file,
  }));
  return fromUnpacked(first, inside);
}

/** What was dropped; null: nothing of use. Call it while the drop event lasts. */
export function fromDrop(transfer: DataTransfer): Promise<Handed> | null {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  const [entry] = entries;
  if (entries.length === 1 && entry?.isDirectory) {
    return collect(entry, entry.fullPath.length + 1, 0, []).then((files) =>
      fromUnpacked(entry.name, files),
    );
  }
  const files = [...transfer.files];
  const [file] = files;
  if (!file) return null;
  if (files.length === 1) return Promise.resolve(fromZip(file));
  // What stood at the top of an unpacked case, files and folders.
  const found: Unpacked[] = [];
  return entries
    .reduce(
      (before, one) => before.then(() => (one ? collect(one, 1, 0, found) : found)),
      Promise.resolve(found),
    )
    .then((all) => fromUnpacked('', all));
}

async function collect(
  entry: FileSystemEntry,
  strip: number,
  depth: number,
  found: Unpacked[],
): Promise<Unpacked[]> {
  // One more than a case may have is enough to refuse it.
  if (found.length > MAX_ENTRIES) return found;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    found.push({ path: entry.fullPath.slice(strip), file });
    return found;
  }
  if (depth > MOST_DEEP) throw new Error('folders in it are too deep');
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A part of them at a time, until none come.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (!some.length) return found;
    for (const one of some) await collect(one, strip, depth + 1, found);
  }
}
