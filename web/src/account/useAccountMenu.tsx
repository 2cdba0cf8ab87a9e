import { useState, type ReactNode } from "react";
import { YourName } from "../sharing/YourName";
import type { MenuItem } from "../ui/Menu";
import "./account.css";
import { SignOut } from "./SignOut";

type Asking = "name" | "sign-out" | "sign-out-everywhere" | null;

interface AccountMenu {
  items: readonly (MenuItem | null)[];
  rename: () => void;
  /** What the menu has opened. */
  dialog: ReactNode;
}

/** What one can do as oneself: say one's name, and go. */
export function useAccountMenu(onRenamed?: () => void): AccountMenu {
  const [asking, ask] = useState<Asking>(null);
  const close = (): void => ask(null);
  const items: (MenuItem | null)[] = [
    { label: "Your name…", icon: "pencil", run: () => ask("name") },
    null,
    { label: "Sign out…", icon: "sign-out", run: () => ask("sign-out") },
    { label: "Sign out everywhere…", run: () => ask("sign-out-everywhere") },
  ];
  const dialog =
    asking === "name" ? (
      <YourName onClose={close} {...(onRenamed && { onRenamed })} />
    ) : asking !== null ? (
      <SignOut isEverywhere={asking === "sign-out-everywhere"} onClose={close} />
    ) : null;
  return { items, rename: () => ask("name"), dialog };
}
