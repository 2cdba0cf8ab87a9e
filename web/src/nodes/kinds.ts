/** What can be put on a canvas here. The search, the tools and the cards are made of this list. */
import type { NodeRecord } from "../client";
import type { IconName } from "../ui/Icon";
import { PORTS, portsOf, type DataType, type PortRules } from "./ports";

export interface Kind {
  type: string;
  label: string;
  hint: string;
  icon: IconName;
  /** Other words that somebody may look for. */
  words: string;
  /** What a new one is made of. */
  record: Omit<NodeRecord, "id" | "position" | "type">;
  ports: PortRules;
}

export const KINDS: readonly Kind[] = [
  { type: "image_generation", label: "Image", hint: "Describe it, and it is painted", icon: "image", words: "picture generate render ai", record: { data: { prompt: "" } }, ports: PORTS.image_generation },
  { type: "prompt", label: "Prompt", hint: "Words for every image it is wired to", icon: "pencil", words: "text style", record: { data: { prompt: "" } }, ports: PORTS.prompt },
  { type: "image_upload", label: "Upload", hint: "A picture from your files", icon: "upload", words: "photo file image", record: { data: {} }, ports: PORTS.image_upload },
  { type: "image_output", label: "Output", hint: "Collects the pictures wired into it", icon: "result", words: "result collect end compare", record: { data: {} }, ports: PORTS.image_output },
  { type: "note", label: "Note", hint: "A remark for everybody here", icon: "note", words: "comment text sticky", record: { data: { text: "" } }, ports: PORTS.note },
  { type: "group", label: "Group", hint: "A frame to keep things together", icon: "frame", words: "frame section area", record: { data: { label: "Group" }, width: 640, height: 420 }, ports: PORTS.group },
];

/** Those that have every word in their name, hint or other words; the ones whose name begins with it first. */
export function kindsFor(search: string, kinds: readonly Kind[] = KINDS): Kind[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = kinds.filter(({ label, hint, words: others }) => {
    const text = `${label} ${hint} ${others}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const begins = ({ label }: Kind): boolean => words.length > 0 && label.toLowerCase().startsWith(words[0] ?? "");
  return [...found.filter(begins), ...found.filter((kind) => !begins(kind))];
}

/** Those that can be at the other end of a wire that comes out of a node of this type, or goes into it. */
export function kindsAtEnd(wire: "into" | "out of", type: string | undefined): Kind[] {
  const here = portsOf(type);
  const takes = ({ ports }: Kind, given: DataType | null | undefined): boolean => (given ? ports.takes.includes(given) : ports.takes.length > 0);
  const gives = ({ ports }: Kind): boolean => ports.gives !== null && (here?.takes.includes(ports.gives) ?? true);
  return KINDS.filter((kind) => (wire === "into" ? takes(kind, here?.gives) : gives(kind)));
}
