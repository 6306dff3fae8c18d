/** Play, stop, faster, backwards, one picture on: what moves the clock. */

import { createSignal, Show } from 'solid-js';
import { clock, number, day as sayDay, t } from '../i18n';
import { Icon } from '../ui/icon';
import { toast } from '../ui/toast';
import type { Playback } from './controller';
import { SPEEDS, type Speed } from './follow';
import { ToolButton } from './parts';
import { parseTyped } from './typed';

export function Transport(props: { play: Playback }) {
  const { play } = props;
  const { players } = play;
  return (
    <div class="transport">
      <TimeField play={play} />
      <div class="transport-buttons">
        <ToolButton
          icon="previous"
          label={t('playback.previousSpan')}
          keys="["
          onClick={() => void play.toSpan('previous')}
        />
        <ToolButton
          icon="back10"
          label={t('playback.back10')}
          keys="←"
          onClick={() => play.jump(-10_000)}
        />
        <ToolButton
          icon="frameBack"
          label={t('playback.frameBack')}
          keys=","
          onClick={() => void players.step(-1)}
        />
        <button
          type="button"
          class="btn primary play-button"
          aria-label={players.playing() ? t('playback.pause') : t('playback.play')}
          title={`${players.playing() ? t('playback.pause') : t('playback.play')} (Space)`}
          onClick={() => players.toggle()}
        >
          <Icon name={players.playing() ? 'pause' : 'play'} />
        </button>
        <ToolButton
          icon="frameOn"
          label={t('playback.frameOn')}
          keys="."
          onClick={() => void players.step(1)}
        />
        <ToolButton
          icon="forward10"
          label={t('playback.forward10')}
          keys="→"
          onClick={() => play.jump(10_000)}
        />
        <ToolButton
          icon="next"
          label={t('playback.nextSpan')}
          keys="]"
          onClick={() => void play.toSpan('next')}
        />
      </div>
      <div class="transport-end">
        <Show when={players.hasSound()}>
          <ToolButton
            icon={players.sound() ? 'sound' : 'soundOff'}
            label={players.sound() ? t('playback.mute') : t('playback.unmute')}
            keys="M"
            onClick={() => players.toggleSound()}
          />
        </Show>
        <button
          type="button"
          class="btn quiet icon"
          classList={{ 'is-on': players.backwards() }}
          aria-pressed={players.backwards()}
          aria-label={t('playback.reverse')}
          title={`${t('playback.reverse')} (R)`}
          onClick={() => players.reverse()}
        >
          <Icon name="reverse" />
        </button>
        <button
          type="button"
          class="btn quiet icon"
          classList={{ 'is-on': play.skip() }}
          aria-pressed={play.skip()}
          aria-label={t('playback.skip')}
          title={`${t('playback.skip')} (G)`}
          onClick={() => play.setSkip(!play.skip())}
        >
          <Icon name="skip" />
        </button>
        <select
          class="select speed"
          aria-label={t('playback.speed')}
          value={String(players.speed())}
          onChange={(event) => players.setSpeed(Number(event.currentTarget.value) as Speed)}
        >
          {SPEEDS.map((value) => (
            <option value={String(value)}>{speedWord(value)}</option>
          ))}
        </select>
      </div>
    </div>
  );
}

const speedWord = (value: Speed): string =>
  value < 1 ? `1/${number(1 / value)}×` : `${number(value)}×`;

/** The time; pressed, it takes another one by the keyboard. */
function TimeField(props: { play: Playback }) {
  const { play } = props;
  const [typing, setTyping] = createSignal(false);
  const shown = () => play.scrubbing() ?? play.head();
  const go = (text: string) => {
    const now = Date.now();
    const to = text.trim() ? parseTyped(text, shown() ?? play.view().start, now) : undefined;
    if (text.trim() && to === undefined) {
      toast(t('playback.typed.bad'), 'bad');
      return;
    }
    setTyping(false);
    if (to !== undefined) {
      play.look({ start: to - 5 * 60_000, end: to + 5 * 60_000 });
      play.seek(to);
    }
  };
  return (
    <div class="transport-time">
      <Show
        when={typing()}
        fallback={
          <button
            type="button"
            class="time-button"
            title={t('playback.typed')}
            aria-label={t('playback.typed')}
            onClick={() => setTyping(true)}
          >
            <strong class="num">{shown() === undefined ? '--:--:--' : clock(shown() ?? 0)}</strong>
          </button>
        }
      >
        <input
          class="input time-input num"
          aria-label={t('playback.typed')}
          placeholder={t('playback.typed.hint')}
          ref={(element) => setTimeout(() => element.focus())}
          onKeyDown={(event) => {
            event.stopPropagation();
            if (event.key === 'Enter') go(event.currentTarget.value);
            else if (event.key === 'Escape') setTyping(false);
          }}
          onBlur={() => setTyping(false)}
        />
      </Show>
      <span class="faint">{sayDay(shown() ?? play.view().start, 'short')}</span>
    </div>
  );
}
