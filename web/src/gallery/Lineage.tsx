import { useEffect, useState } from "react";
import { EaselError, type Render } from "../client";
import { http } from "../session";
import { sayError } from "../ui/toasts";
import { smallUrl } from "./RenderTile";

interface LineageProps {
  render: Render;
  onShow: (relative: Render) => void;
}

/** What a picture was made from, and what was made from it. */
export function Lineage({ render, onShow }: LineageProps) {
  const { parentId } = render.origin;
  const [parent, setParent] = useState<Render | "hidden" | null>(null);
  const [children, setChildren] = useState<readonly Render[]>([]);

  useEffect(() => {
    if (parentId !== null) {
      http.getRender(parentId).then(setParent, (reason: unknown) => {
        if (reason instanceof EaselError && reason.status === 404) setParent("hidden");
        else sayError(reason);
      });
    }
    http.listRenders({ parentId: render.id }, undefined, 24).then((page) => setChildren(page.items), sayError);
  }, [parentId, render.id]);

  if (parent === null && children.length === 0) return null;
  return (
    <section className="lineage" aria-label="Lineage">
      {parent !== null && (
        <>
          <h3>Made from</h3>
          {parent === "hidden" ? (
            <p>A picture that was deleted, or is somebody else’s.</p>
          ) : (
            <Relatives renders={[parent]} onShow={onShow} />
          )}
        </>
      )}
      {children.length > 0 && (
        <>
          <h3>Made from this one</h3>
          <Relatives renders={children} onShow={onShow} />
        </>
      )}
    </section>
  );
}

function Relatives({ renders, onShow }: { renders: readonly Render[]; onShow: (relative: Render) => void }) {
  return (
    <ul className="relatives">
      {renders.map((render) => (
        <li key={render.id}>
          <button type="button" title={render.origin.prompt} aria-label={render.origin.prompt || "No prompt"} onClick={() => onShow(render)}>
            <img src={smallUrl(render)} alt="" decoding="async" />
          </button>
        </li>
      ))}
    </ul>
  );
}
