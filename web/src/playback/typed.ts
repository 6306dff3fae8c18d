/** Understands a time that a person typed: '14:05', '14:05:30,5', '23/11 9:00', '2026-11-23 14:05'. */

/** Epoch milliseconds, or undefined. `day0`: any moment of the day that is meant without a date. */
export function parseTyped(text: string, day0: number, now: number): number | undefined {
  const found =
    /^(?:(\d{4})-(\d{1,2})-(\d{1,2})[ T]+|(\d{1,2})[/.](\d{1,2})(?:[/.](\d{4}))?\s+)?(\d{1,2})(?::|h)(\d{2})(?::(\d{2})(?:[.,](\d{1,3}))?)?$/.exec(
      text.trim(),
    );
  if (!found) return undefined;
  const part = (at: number) => (found[at] === undefined ? undefined : Number(found[at]));
  const base = new Date(day0);
  const year = part(1) ?? part(6) ?? base.getFullYear();
  const month = part(2) ?? part(5) ?? base.getMonth() + 1;
  const day = part(3) ?? part(4) ?? base.getDate();
  const [hour, minute, second] = [part(7) ?? 0, part(8) ?? 0, part(9) ?? 0];
  const millis = Number((found[10] ?? '').padEnd(3, '0') || 0);
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const date = new Date(year, month - 1, day, hour, minute, second, millis);
  if (date.getMonth() !== month - 1 || date.getDate() !== day) return undefined;
  // '31/12 23:00' typed in January is last year's.
  if (found[4] && !found[6] && date.getTime() > now) date.setFullYear(year - 1);
  return date.getTime();
}
