import { create } from "zustand";
import type { VersionDocument } from "../client";

interface HistoryPanel {
  isOpen: boolean;
  /** The version that is shown in the place of the canvas. */
  shown: VersionDocument | null;
}

export const useHistoryPanel = create<HistoryPanel>(() => ({ isOpen: false, shown: null }));

export function openHistory(): void {
  useHistoryPanel.setState({ isOpen: true });
}

export function showVersion(shown: VersionDocument | null): void {
  useHistoryPanel.setState({ shown });
}

export function closeHistory(): void {
  useHistoryPanel.setState({ isOpen: false, shown: null });
}

/** What Escape does: first back from a version to the canvas, then back from the list. */
export function stepBack(): void {
  if (useHistoryPanel.getState().shown === null) closeHistory();
  else showVersion(null);
}
