/** What an empty canvas can begin with. */
import type { EdgeRecord, NodeRecord } from "../client";
import type { IconName } from "../ui/Icon";
import type { Fragment } from "./fragment";

export interface Template {
  id: string;
  title: string;
  hint: string;
  icon: IconName;
  fragment: Fragment;
}

/** A model that can be drawn with here. */
export interface Drawing {
  provider: string;
  model: string;
}

const WORDS = "a lighthouse on a cliff in the fog, oil painting";
const COLUMN = 380;
const ROW = 580; // a card with its picture

function node(id: string, type: string, column: number, row: number, data: Record<string, unknown>): NodeRecord {
  return { id, type, position: { x: column * COLUMN, y: row * ROW }, data };
}

function wires(...ends: readonly (readonly [string, string])[]): EdgeRecord[] {
  return ends.map(([source, target]) => ({ id: `${source}-${target}`, source, target }));
}

function image(id: string, column: number, row: number, more: Partial<Drawing> = {}): NodeRecord {
  return node(id, "image_generation", column, row, { prompt: "", ...more });
}

/** `drawings`: what can be drawn with, the best first. */
export function templatesFor(drawings: readonly Drawing[]): Template[] {
  const [one = {}, other = one] = drawings;
  return [
    {
      id: "prompt-to-image",
      title: "Prompt to image",
      hint: "Words on one node, their picture on the next",
      icon: "pencil",
      fragment: { nodes: [node("words", "prompt", 0, 0, { prompt: WORDS }), image("image", 1, 0)], edges: wires(["words", "image"]) },
    },
    {
      id: "variations",
      title: "Variations",
      hint: "The same words drawn four times, side by side",
      icon: "gallery",
      fragment: {
        nodes: [
          node("words", "prompt", 0, 0.5, { prompt: WORDS }),
          image("a", 1, 0),
          image("b", 2, 0),
          image("c", 1, 1),
          image("d", 2, 1),
          node("all", "image_output", 3, 0.5, {}),
        ],
        edges: wires(...["a", "b", "c", "d"].flatMap((id) => [["words", id], [id, "all"]] as const)),
      },
    },
    {
      id: "two-models",
      title: "Compare two models",
      hint: drawings.length > 1 ? "The same words, drawn by each, side by side" : "Only one is set up yet: change the other when there are more",
      icon: "spread-across",
      fragment: {
        nodes: [node("words", "prompt", 0, 0.5, { prompt: WORDS }), image("one", 1, 0, one), image("other", 1, 1, other), node("both", "image_output", 2, 0.5, {})],
        edges: wires(["words", "one"], ["words", "other"], ["one", "both"], ["other", "both"]),
      },
    },
    {
      id: "from-a-picture",
      title: "Begin with a picture",
      hint: "One of yours, beside what you make after it",
      icon: "upload",
      fragment: {
        nodes: [
          node("mine", "image_upload", 0, 0, {}),
          node("words", "prompt", 0, 0.72, { prompt: "" }),
          image("image", 1, 0),
          node("both", "image_output", 2, 0, {}),
        ],
        edges: wires(["mine", "both"], ["words", "image"], ["image", "both"]),
      },
    },
    {
      id: "board",
      title: "Board for notes",
      hint: "A frame with a note and a picture, to think together",
      icon: "note",
      fragment: {
        nodes: [
          { ...node("frame", "group", 0, 0, { label: "Ideas" }), width: 700, height: 560 },
          { ...node("note", "note", 0, 0, { text: "What should it feel like?" }), parentId: "frame", position: { x: 32, y: 40 } },
          { ...image("image", 0, 0), parentId: "frame", position: { x: 380, y: 40 } },
        ],
        edges: [],
      },
    },
  ];
}
