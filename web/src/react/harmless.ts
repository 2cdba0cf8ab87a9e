/**
 * What others wrote into a record, as far as it can do no harm on this screen. React Flow hands attributes, styles and
 * labels straight to React, and one that React cannot draw would take the whole canvas down for everybody. The document
 * keeps what it holds, so that other products find it again: only React Flow does not get it.
 */
import type { EdgeRecord, NodeRecord } from "../client";

/** The value, or what may be shown of it; undefined: nothing. */
type Rule = (value: unknown) => unknown;
type Rules = Readonly<Record<string, Rule>>;

const text: Rule = (value) => (typeof value === "string" ? value : undefined);
const number: Rule = (value) => (typeof value === "number" && Number.isFinite(value) ? value : undefined);
const flag: Rule = (value) => (typeof value === "boolean" ? value : undefined);
const oneOf = (...words: readonly unknown[]): Rule => (value) => (words.includes(value) ? value : undefined);
const matching = (pattern: RegExp): Rule => (value) => (typeof value === "string" && pattern.test(value) ? value : undefined);
const either = (...rules: readonly Rule[]): Rule => (value) => rules.map((rule) => rule(value)).find((found) => found !== undefined);
const listOf = (count: number, rule: Rule): Rule => (value) =>
  Array.isArray(value) && value.length === count && value.every((item) => rule(item) !== undefined) ? value : undefined;
const nothing: Rule = () => undefined;

const HARMLESS_ATTRIBUTE = /^(?:data-[a-z0-9-]+|aria-[a-z]+|title|lang|dir)$/;
/** Properties that lay something over the page, and values that fetch something or run. */
const HARMFUL_PROPERTY = /^(?:position|inset.*|top|right|bottom|left|content|cursor|all|behavior)$/i;
const HARMFUL_VALUE = /url\(|image-set\(|image\(|src\(|expression\(|@import/i;

const attributes: Rule = (value) => picked(value, (key, each) => HARMLESS_ATTRIBUTE.test(key) && isPlain(each));
const style: Rule = (value) =>
  picked(value, (key, each) => !HARMFUL_PROPERTY.test(key) && isPlain(each) && !HARMFUL_VALUE.test(String(each)));
const numbers: Rule = (value) => picked(value, (_, each) => number(each) !== undefined);
const marker: Rule = either(matching(/^[\w-]{1,100}$/), (value) => {
  const type = isBag(value) ? oneOf("arrow", "arrowclosed")(value.type) : undefined;
  return type === undefined ? undefined : picked(value, (key, each) => MARKER.has(key) && isPlain(each));
});
const MARKER = new Set(["type", "color", "width", "height", "strokeWidth", "orient", "markerUnits"]);
const side = oneOf("left", "top", "right", "bottom");

const BOTH: Rules = {
  ariaLabel: text,
  ariaRole: matching(/^[a-z]+$/),
  className: text,
  deletable: flag,
  domAttributes: attributes,
  focusable: flag,
  hidden: flag,
  selectable: flag,
  style,
  zIndex: number,
};
const NODE: Rules = {
  ...BOTH,
  connectable: flag,
  dragHandle: matching(/^[.#][\w-]+$/),
  draggable: flag,
  expandParent: flag,
  extent: either(oneOf("parent"), listOf(2, listOf(2, number))),
  handles: nothing, // measured here
  height: number,
  initialHeight: number,
  initialWidth: number,
  origin: listOf(2, number),
  sourcePosition: side,
  targetPosition: side,
  type: text,
  width: number,
};
const EDGE: Rules = {
  ...BOTH,
  animated: flag,
  interactionWidth: number,
  label: either(text, number),
  labelBgBorderRadius: number,
  labelBgPadding: listOf(2, number),
  labelBgStyle: style,
  labelShowBg: flag,
  labelStyle: style,
  markerEnd: marker,
  markerStart: marker,
  pathOptions: numbers,
  reconnectable: either(flag, oneOf("source", "target")),
  sourceHandle: text,
  targetHandle: text,
  type: text,
};

/** The record itself when nothing is in the way. */
export const harmlessNode = (record: NodeRecord): NodeRecord => harmless(record, NODE);
export const harmlessEdge = (record: EdgeRecord): EdgeRecord => harmless(record, EDGE);

function harmless<T extends object>(record: T, rules: Rules): T {
  const entries: [string, unknown][] = Object.entries(record);
  const shown = entries.flatMap(([key, value]): [string, unknown][] => {
    const rule = Object.hasOwn(rules, key) && value != null ? rules[key] : undefined;
    const allowed = rule === undefined ? value : rule(value);
    return allowed === undefined && rule !== undefined ? [] : [[key, allowed]];
  });
  const isUntouched = shown.length === entries.length && shown.every(([, value], index) => value === entries[index]?.[1]);
  return isUntouched ? record : (Object.fromEntries(shown) as T);
}

/** The value itself when all of it may stay. */
function picked(value: unknown, may: (key: string, value: unknown) => boolean): unknown {
  if (!isBag(value)) return undefined;
  const entries = Object.entries(value);
  const left = entries.filter(([key, each]) => may(key, each));
  return left.length === entries.length ? value : Object.fromEntries(left);
}

function isBag(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isPlain(value: unknown): boolean {
  return typeof value === "string" || typeof value === "boolean" || number(value) !== undefined;
}
