import { api } from '../state/session';
import type { SystemInfo } from './types';

export const getSystem = (): Promise<SystemInfo> => api.get('/system');
