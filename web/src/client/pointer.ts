/** JSON Pointer (RFC 6901) edits that copy only the path they touch. */

type Bag = Record<string, unknown>;

const REFUSED = new Set(["__proto__", "prototype", "constructor"]);

export function parsePointer(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

export function toPointer(...path: string[]): string {
  return path.map((part) => `/${part.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

export function isBag(value: unknown): value is Bag {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function edited(target: Bag, path: readonly string[], change: (parent: Bag, key: string) => Bag): Bag {
  const [key, ...rest] = path;
  if (key === undefined || REFUSED.has(key)) return target;
  if (rest.length === 0) return change(target, key);
  const child = target[key];
  if (!isBag(child)) return target; // the server rejects such a pointer; until it says so there is nothing to show
  const next = edited(child, rest, change);
  return next === child ? target : { ...target, [key]: next };
}

/** Returns `target` itself when the value is already there. */
export function setAt<T extends Bag>(target: T, pointer: string, value: unknown): T {
  return edited(target, parsePointer(pointer), (parent, key) =>
    key in parent && isSame(parent[key], value) ? parent : { ...parent, [key]: value },
  ) as T;
}

export function unsetAt<T extends Bag>(target: T, pointer: string): T {
  return edited(target, parsePointer(pointer), (parent, key) => {
    if (!(key in parent)) return parent;
    return Object.fromEntries(Object.entries(parent).filter(([name]) => name !== key));
  }) as T;
}

/** What is at the pointer; undefined when there is nothing. */
export function valueAt(target: unknown, pointer: string): unknown {
  return parsePointer(pointer).reduce((below, key) => (isBag(below) && Object.hasOwn(below, key) ? below[key] : undefined), target);
}

/** Deep equality of JSON values. */
export function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b) || a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => isSame(item, b[index]));
  }
  if (!isBag(a) || !isBag(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && isSame(a[key], b[key]));
}
