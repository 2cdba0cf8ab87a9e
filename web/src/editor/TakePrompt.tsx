import type { NodeRecord } from "../client";
import { askingAgain, dataAsking, ownPart, wordsInto, type MadeWith } from "../nodes/madeWith";
import { ourType } from "../nodes/ours";
import { useCanvas, useCanvasState, useMayEdit } from "../react";
import { Button } from "../ui/Button";
import { say } from "../ui/toasts";
import { addCard } from "./edits";
import { placeOf, sizeOf } from "./fragment";
import { closeLightbox } from "./lightbox";

const GAP = 40;

interface TakePromptProps {
  nodeId: string;
  made: MadeWith | null;
  seed: number | null;
}

/** What made this picture, back in its node; or, where other words are wired into that by now, in a new one beside it. */
export function TakePrompt({ nodeId, made, seed }: TakePromptProps) {
  const { nodes, edges } = useCanvasState((state) => state.room.document);
  const mayEdit = useMayEdit();
  const node = nodes.find(({ id }) => id === nodeId);
  if (!mayEdit || made === null || node === undefined || ourType(node) !== "image_generation") return null;
  const own = ownPart(made.prompt, wordsInto(nodeId, nodes, edges));
  return own === null ? <TakeIntoNew node={node} made={made} seed={seed} /> : <TakeBack node={node} made={made} own={own} seed={seed} />;
}

function TakeBack({ node, made, own, seed }: { node: NodeRecord; made: MadeWith; own: string; seed: number | null }) {
  const canvas = useCanvas();
  const again = askingAgain(node.data, made, own, seed);
  if (again === null) return null;
  const take = (): void => {
    void canvas.setNode(node.id, again.set, again.unset);
    say("The node has the prompt and the settings of this picture again.", { action: { label: "Undo", run: canvas.undo } });
    closeLightbox();
  };
  return (
    <Button look="ghost" title="Puts the prompt, the settings and the seed of this picture back into its node" onClick={take}>
      Use this prompt
    </Button>
  );
}

function TakeIntoNew({ node, made, seed }: { node: NodeRecord; made: MadeWith; seed: number | null }) {
  const canvas = useCanvas();
  const take = (): void => {
    const { nodes } = canvas.room.getState().document;
    const { x, y } = placeOf(node, new Map(nodes.map((each) => [each.id, each])));
    const position = { x: x + sizeOf(node).width + GAP, y };
    canvas.select([addCard(canvas, { type: "image_generation", position, data: dataAsking(made, seed) })]);
    say("A new node has the prompt and the settings of this picture.", { action: { label: "Undo", run: canvas.undo } });
    closeLightbox();
  };
  return (
    <Button look="ghost" title="Other words are wired into its node now; they stay as they are" onClick={take}>
      New node with this prompt
    </Button>
  );
}
