/** Small choices remembered on this device. Never holds secrets. */

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`vms.${key}`, value);
  } catch {
    // Private windows may forbid it: the choice then lasts as long as the page.
  }
}

export function recall(key: string): string | undefined {
  try {
    return localStorage.getItem(`vms.${key}`) ?? undefined;
  } catch {
    return undefined;
  }
}
