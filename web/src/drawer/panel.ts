import { create } from "zustand";
import { closeHistory, useHistoryPanel } from "../history/panel";

/** Whether the drawer with one's own pictures is open beside the canvas. */
export const useDrawer = create<{ isOpen: boolean }>(() => ({ isOpen: false }));

export function closeDrawer(): void {
  useDrawer.setState({ isOpen: false });
}

export function toggleDrawer(): void {
  const isOpen = !useDrawer.getState().isOpen;
  if (isOpen) closeHistory(); // there is room for one of them
  useDrawer.setState({ isOpen });
}

useHistoryPanel.subscribe(({ isOpen }) => {
  if (isOpen) closeDrawer();
});
