/** What goes in and out of the nodes that are known here, and why a wire between two of them would mean nothing. */

export type DataType = "words" | "picture";

export interface PortRules {
  takes: readonly DataType[];
  /** Null: nothing comes out. */
  gives: DataType | null;
  /** Said to whoever wires something into a node that takes nothing. */
  closedIn?: string;
  /** Said to whoever wires something out of a node that gives nothing. */
  closedOut?: string;
}

export const PORTS = {
  image_generation: { takes: ["words", "picture"], gives: "picture" },
  prompt: { takes: [], gives: "words", closedIn: "A prompt takes nothing in: write its words into it." },
  image_upload: { takes: [], gives: "picture", closedIn: "An upload takes nothing in: its picture comes from a file." },
  image_output: { takes: ["picture"], gives: null, closedOut: "Nothing comes out of an output: it is where pictures end up." },
  note: {
    takes: [],
    gives: null,
    closedIn: "A note is for people: it takes nothing in.",
    closedOut: "A note is for people: no picture is made of it. Use a prompt.",
  },
  group: {
    takes: [],
    gives: null,
    closedIn: "A group only keeps things together. Wire to what is in it.",
    closedOut: "A group only keeps things together. Wire what is in it.",
  },
} as const satisfies Record<string, PortRules>;

/** Undefined for what other products have put there: nobody here knows what it takes. */
export function portsOf(type: string | undefined): PortRules | undefined {
  return type !== undefined && Object.hasOwn(PORTS, type) ? PORTS[type as keyof typeof PORTS] : undefined;
}

interface End {
  id: string;
  type?: string | undefined;
}

/** Why there can be no wire from one node to another, in a sentence; null when there can. */
export function refusal(source: End, target: End): string | null {
  if (source.id === target.id) return "A node cannot be wired to itself.";
  const [from, to] = [portsOf(source.type), portsOf(target.type)];
  if (from?.gives === null) return from.closedOut ?? null;
  if (to?.takes.length === 0) return to.closedIn ?? null;
  if (from === undefined || to === undefined || to.takes.includes(from.gives)) return null;
  return `This takes ${to.takes.map(plural).join(" or ")}, and ${plural(from.gives)} come out of the other. Wire an image node between them.`;
}

function plural(type: DataType): string {
  return { words: "words", picture: "pictures" }[type];
}
