import { api } from '../state/session';
import type { NewUser, User, UserChange } from './types';

const one = (id: string): string => `/users/${encodeURIComponent(id)}`;

export const listUsers = (): Promise<User[]> => api.get('/users');
export const addUser = (user: NewUser): Promise<User> =>
  api.request('POST', '/users', { body: user });
export const changeUser = (id: string, change: UserChange): Promise<User> =>
  api.request('PATCH', one(id), { body: change });
export const deleteUser = (id: string): Promise<void> => api.request('DELETE', one(id));

export const changePassword = (current: string, next: string): Promise<void> =>
  api.request('POST', '/auth/password', {
    body: { current_password: current, new_password: next },
  });
