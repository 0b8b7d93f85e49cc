const KEY_MAX = 100;
const utf8 = new TextDecoder('utf-8', { fatal: true });
const CONTROL = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u;

/** A record's key for people, cut after a hundred bytes: what is no text as hexadecimal digits. */
export function keyText(key: Uint8Array | null): string | null {
  if (key === null) return null;
  const text = textOf(key);
  if (text === null) return `0x${Buffer.from(key.subarray(0, KEY_MAX)).toString('hex')}${cut(key.length)}`;
  return `${text.slice(0, KEY_MAX)}${cut(text.length)}`;
}

function textOf(key: Uint8Array): string | null {
  try {
    const text = utf8.decode(key);
    return CONTROL.test(text) ? null : text;
  } catch {
    return null;
  }
}

function cut(length: number): string {
  return length > KEY_MAX ? '…' : '';
}
