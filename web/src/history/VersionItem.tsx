import { useState } from "react";
import type { Version } from "../client";
import { EditableText } from "../ui/EditableText";
import { since } from "../ui/elapsed";
import { MenuButton } from "../ui/MenuButton";
import type { MenuItem } from "../ui/Menu";
import { isKeptForEver, titleOf } from "./words";

interface VersionItemProps {
  version: Version;
  isShown: boolean;
  mayEdit: boolean;
  onShow: () => void;
  onRename: (name: string) => void;
  onRemove: () => void;
}

const clock = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

export function VersionItem({ version, isShown, mayEdit, onShow, onRename, onRemove }: VersionItemProps) {
  const [isRenaming, setRenaming] = useState(false);
  const { author, createdAt, nodeCount, edgeCount, name } = version;
  const title = titleOf(version);
  const size = `${nodeCount} ${nodeCount === 1 ? "node" : "nodes"}, ${edgeCount} ${edgeCount === 1 ? "wire" : "wires"}`;
  const items: MenuItem[] = [
    { label: name === null ? "Give it a name" : "Rename", icon: "pencil", run: () => setRenaming(true) },
    ...(isKeptForEver(version) ? [{ label: "Delete", icon: "trash", run: onRemove } as const] : []),
  ];
  return (
    <li className="version" data-testid="version">
      {isRenaming ? (
        <EditableText label="Name of the version" value={name ?? ""} autoFocus onCommit={onRename} onDone={() => setRenaming(false)} />
      ) : (
        <button type="button" className="version__open" aria-current={isShown} onClick={onShow}>
          <span className={`version__title${name === null ? "" : " version__title--named"}`}>{title}</span>
          <span className="version__meta">
            <time dateTime={createdAt} title={clock.format(new Date(createdAt))}>
              {since(createdAt)}
            </time>
            {author !== null && ` · ${author.name}`} · {size}
          </span>
        </button>
      )}
      {mayEdit && !isRenaming && <MenuButton label={`More about “${title}”`} look="ghost" icon="more" items={items} />}
    </li>
  );
}
