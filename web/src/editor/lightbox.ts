import { create } from "zustand";

interface Shown {
  nodeId: string | null;
  /** One of several pictures of the node; null for the node's own. */
  imageUrl: string | null;
}

/** Which node's picture is shown large. */
export const useLightbox = create<Shown>(() => ({ nodeId: null, imageUrl: null }));

export function openLightbox(nodeId: string, imageUrl: string | null = null): void {
  useLightbox.setState({ nodeId, imageUrl });
}

export function closeLightbox(): void {
  useLightbox.setState({ nodeId: null, imageUrl: null });
}
