/** What a picture was asked for with, and how its node comes to ask for the same again. Pure. */
import { isBag, type EdgeRecord, type NodeRecord } from "../client";
import { ourType } from "./ours";
import { readPicture, readResults } from "./picture";

/** Under the names that a node's own settings have; what was not said is absent. */
export interface MadeWith {
  /** All of it, also what came by wires. */
  prompt: string;
  [setting: string]: unknown;
}

const SETTINGS = ["prompt", "provider", "model", "size", "aspectRatio", "quality", "negativePrompt", "n"] as const;
/** A model has one of them or the other: the one that was not asked for says nothing. */
const SHAPES: ReadonlySet<string> = new Set(["size", "aspectRatio"]);

/** Null: nobody knows, or the node's picture is no longer one of that run. */
export function readMadeWith(data: Record<string, unknown>): MadeWith | null {
  const said = data.madeWith;
  if (!isBag(said) || typeof said.prompt !== "string" || readResults(data).length === 0) return null;
  return said as MadeWith;
}

/** What prompt nodes say, from the first to the last. */
export function wordsOf(nodes: readonly { type?: string | undefined; data: Record<string, unknown> }[]): string[] {
  return nodes.flatMap((node) => (ourType(node) === "prompt" && typeof node.data.prompt === "string" && node.data.prompt.trim() !== "" ? node.data.prompt.trim() : []));
}

/** Those of the prompt nodes that are wired into this one. */
export function wordsInto(nodeId: string, nodes: readonly NodeRecord[], edges: readonly EdgeRecord[]): string[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  return wordsOf(edges.flatMap(({ source, target }) => (target === nodeId ? (byId.get(source) ?? []) : [])));
}

/** The part of a prompt that the node itself would have to say; null when its wires say something else by now. */
export function ownPart(prompt: string, wired: readonly string[]): string | null {
  const before = wired.join(", ");
  if (before === "") return prompt;
  if (prompt === before) return "";
  return prompt.startsWith(`${before}, `) ? prompt.slice(before.length + 2) : null;
}

/** What makes a node ask for this picture again; null when it already does, but for the seed. */
export function askingAgain(
  data: Record<string, unknown>,
  made: MadeWith,
  ownPrompt: string,
  seed: number | null,
): { set: Record<string, unknown>; unset: string[] } | null {
  const now = readPicture(data);
  const then = readPicture({ ...made, prompt: ownPrompt });
  const changed = SETTINGS.filter((key) => then[key] !== now[key] && !(SHAPES.has(key) && made[key] === undefined));
  if (changed.length === 0) return null;
  const wanted: Record<string, unknown> = { ...then, seed };
  const keys = [...changed, ...(seed === now.seed ? [] : ["seed"])];
  const isGone = (key: string): boolean => wanted[key] === null;
  return {
    set: Object.fromEntries(keys.filter((key) => !isGone(key)).map((key) => [`/data/${key}`, wanted[key]])),
    unset: keys.filter(isGone).map((key) => `/data/${key}`),
  };
}

/** The data of a new node that asks for this picture by itself, without any wire. */
export function dataAsking(made: MadeWith, seed: number | null): Record<string, unknown> {
  const known = Object.fromEntries(SETTINGS.flatMap((key) => (made[key] === undefined ? [] : [[key, made[key]]])));
  return { ...known, ...(seed !== null && { seed }) };
}

/**
 * What the next picture is asked for with, so that it is this one but for what is said: its prompt goes on as long as the node's words
 * (`current`) have not become others, and its seed does where the node has none of its own.
 */
export function askingOtherwise(
  data: Record<string, unknown>,
  current: string,
  difference: string,
): { prompt: string; seed: number | null } {
  const { prompt = "" } = readMadeWith(data) ?? {};
  const goesOn = current !== "" && prompt.startsWith(`${current}, `);
  const { seed, imageUrl } = readPicture(data);
  const drawn = readResults(data).find((result) => result.imageUrl === imageUrl)?.seed ?? null;
  return { prompt: [goesOn ? prompt : current, difference].filter(Boolean).join(", "), seed: seed ?? drawn };
}
