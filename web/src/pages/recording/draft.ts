/** How the streams of a camera are recorded, while it is edited. Pure. */

import type { RecordingMode, StreamConfig, StreamInput } from '../../api/types';
import type { ScheduleDraft } from './schedule-editor';
import { parseHolidays, wholeWeek } from './week';

export const MOST_BEFORE_S = 60;
export const MOST_AFTER_S = 600;

export interface RollDraft {
  name: string;
  recording: RecordingMode;
  audio: boolean;
  before: string;
  after: string;
  calendar: ScheduleDraft;
}

export function draftOfStream(stream: StreamConfig, zone: string): RollDraft {
  const schedule = stream.schedule ?? wholeWeek(zone);
  return {
    name: stream.name,
    recording: stream.recording,
    audio: stream.audio ?? true,
    before: String(stream.pre_roll_s ?? 5),
    after: String(stream.post_roll_s ?? 10),
    calendar: { schedule, holidays: schedule.holidays.join(', ') },
  };
}

/** Whether anything of it is recorded by events, so that the rolls matter. */
export const byEvents = (draft: RollDraft): boolean =>
  draft.recording === 'event' ||
  (draft.recording === 'schedule' &&
    draft.calendar.schedule.slots.some((one) => one.mode === 'event'));

export type DraftFault = 'before' | 'after' | 'holidays';

export function faultOf(draft: RollDraft): DraftFault | undefined {
  if (!within(draft.before, MOST_BEFORE_S)) return 'before';
  if (!within(draft.after, MOST_AFTER_S)) return 'after';
  const calendar = draft.recording === 'schedule';
  return calendar && !parseHolidays(draft.calendar.holidays) ? 'holidays' : undefined;
}

/** The stream as it is saved. A calendar that is not in use is kept as it was. */
export function streamOf(draft: RollDraft, old: StreamConfig): StreamInput {
  const { schedule, holidays } = draft.calendar;
  return {
    ...old,
    recording: draft.recording,
    audio: draft.audio,
    pre_roll_s: seconds(draft.before),
    post_roll_s: seconds(draft.after),
    schedule:
      draft.recording === 'schedule'
        ? { ...schedule, holidays: parseHolidays(holidays) ?? [] }
        : old.schedule,
  };
}

const seconds = (text: string): number => Number(text.trim().replace(',', '.'));

const within = (text: string, most: number): boolean => {
  const value = seconds(text);
  return text.trim() !== '' && value >= 0 && value <= most;
};
