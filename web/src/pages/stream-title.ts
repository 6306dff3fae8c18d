import { t } from '../i18n';

/** 'Main stream', 'Sub stream', or the name of another one. */
export const streamTitle = (name: string): string =>
  name === 'main' || name === 'sub' ? t(`camera.stream.${name}`) : t('camera.stream', { name });
