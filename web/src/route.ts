import { useSyncExternalStore, type MouseEvent } from "react";

export type Route = { page: "workflows" } | { page: "canvas"; workflowId: string } | { page: "renders" } | { page: "artworks" } | { page: "runs" } | { page: "unknown" };

export function parseRoute(path: string): Route {
  if (path === "/" || path === "/signed-out") return { page: "workflows" };
  if (path === "/artworks") return { page: "artworks" };
  if (path === "/runs") return { page: "runs" };
  if (path === "/renders") return { page: "renders" };
  const id = /^\/w\/([^/]+)\/?$/.exec(path)?.[1];
  return id === undefined ? { page: "unknown" } : { page: "canvas", workflowId: decodeURIComponent(id) };
}

export function canvasPath(workflowId: string): string {
  return `/w/${encodeURIComponent(workflowId)}`;
}

export function navigate(path: string): void {
  window.history.pushState(null, "", path);
  window.dispatchEvent(new PopStateEvent("popstate"));
}

/** For links: a plain click stays in the page, a click with a modifier does what the browser does. */
export function followLink(event: MouseEvent<HTMLAnchorElement>): void {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  navigate(event.currentTarget.pathname);
}

function subscribe(listener: () => void): () => void {
  window.addEventListener("popstate", listener);
  return () => window.removeEventListener("popstate", listener);
}

export function usePath(): string {
  return useSyncExternalStore(subscribe, () => window.location.pathname);
}
