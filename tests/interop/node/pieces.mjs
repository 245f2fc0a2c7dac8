// The same texts as pieces.py.

export const STREAM = ["one ", 'two "quoted" ', "drei \u2014 vier ", "\u{1f469}\u200d\u{1f680} five"];

// The secret over three events.
export function leak() {
  const secret = process.env.INTEROP_SECRET;
  return [`the token is ${secret.slice(0, 9)}`, secret.slice(9, 27), `${secret.slice(27)}, keep it safe`];
}
