/** What is new, before what was known: each once, as it is now. */
export function withNewest<T>(newest: readonly T[], known: readonly T[], idOf: (item: T) => unknown): readonly T[] {
  const ids = new Set(newest.map(idOf));
  return [...newest, ...known.filter((item) => !ids.has(idOf(item)))];
}
