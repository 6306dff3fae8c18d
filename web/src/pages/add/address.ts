/** Taking apart the addresses that people type or paste. Pure. */

/** The host of an address of any form. */
export function hostOf(address: string): string {
  const bare = address.replace(/^[a-z0-9]+:\/\//i, '').replace(/^[^/@]*@/, '');
  return bare.split(/[/:?]/)[0] ?? bare;
}

/** Credentials inside an address belong into the fields, never into a stored address. */
export function splitCredentials(url: string): {
  clean: string;
  username: string;
  password: string;
} {
  const found = /^([a-z0-9]+:\/\/)([^/@]*)@(.*)$/i.exec(url);
  if (!found) return { clean: url, username: '', password: '' };
  const [, scheme = '', credentials = '', rest = ''] = found;
  const colon = credentials.indexOf(':');
  const decode = (text: string) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  return {
    clean: scheme + rest,
    username: decode(colon < 0 ? credentials : credentials.slice(0, colon)),
    password: colon < 0 ? '' : decode(credentials.slice(colon + 1)),
  };
}
