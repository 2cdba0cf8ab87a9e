import { create } from "zustand";

/** Which node's picture is shown large. */
export const useLightbox = create<{ nodeId: string | null }>(() => ({ nodeId: null }));

export function openLightbox(nodeId: string): void {
  useLightbox.setState({ nodeId });
}

export function closeLightbox(): void {
  useLightbox.setState({ nodeId: null });
}
