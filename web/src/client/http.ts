/** Typed calls of Easel's REST API. Every failure is an EaselError whose message is a sentence for the person. */
import type { Door } from "./connection";
import { Tokens, type GetToken } from "./tokens";
import type { EdgeRecord, NodeRecord, Role, Viewport } from "./types";

export class EaselError extends Error {
  override readonly name = "EaselError";

  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
  ) {
    super(detail);
  }
}

export interface Me {
  id: string;
  name: string;
  color: string;
  /** `guest`: came through a link; at home in what was shared with them, and nowhere else. */
  role: "owner" | "member" | "guest";
}

export interface Member {
  accountId: string;
  name: string;
  color: string;
  role: Role;
  /** Whether they may spend the owner's provider money. */
  mayRun: boolean;
}

export type GivenRole = Exclude<Role, "owner">;

export interface NewShare {
  role: GivenRole;
  mayRun: boolean;
  /** ISO; null: until it is revoked. */
  expiresAt: string | null;
}

export interface ShareLink extends NewShare {
  id: string;
  url: string;
  /** How many have come in through it. */
  guests: number;
  createdAt: string;
}

export interface WorkflowSummary {
  id: string;
  name: string;
  role: Role;
  createdAt: string;
  updatedAt: string;
}

export interface Workflow extends WorkflowSummary {
  epoch: string;
  seq: number;
  nodes: NodeRecord[];
  edges: EdgeRecord[];
  viewport: Viewport | null;
  warnings?: (string | { detail: string })[];
}

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

export interface PromptSpec {
  basePrompt: string;
  size?: string;
  seed?: number;
}

export interface StartRun {
  nodeId: string;
  workflowId: string;
  provider: string;
  model: string;
  promptSpec: PromptSpec;
  replace?: boolean;
}

export interface JobRecord {
  jobId: string;
  nodeId: string;
  workflowId: string;
  status: string;
}

export interface Render {
  id: string;
  /** null of one that was imported, as are workflow and node of one that is on no canvas. */
  jobId: string | null;
  workflowId: string | null;
  nodeId: string | null;
  imageUrl: string;
  width: number;
  height: number;
  contentType: string;
  variants: { kind: "thumbnail" | "icon" | "display"; url: string; width: number; height: number; contentType: string; blur: string | null }[];
  origin: { prompt: string; seed: number | null; provider: string; model: string; parentId: string | null };
  createdAt: string;
  isFavorite: boolean;
  deletedAt: string | null;
}

export interface RenderQuery {
  q?: string;
  provider?: string;
  model?: string;
  workflowId?: string;
  parentId?: string;
  favorite?: boolean;
  deleted?: boolean;
}

export interface Artwork {
  id: string;
  slug: string;
  title: string;
  description: string | null;
  category: string;
  tags: string[];
  originalUrl: string;
  displayUrl: string;
  thumbnailUrl: string;
  iconUrl: string;
  createdAt: string;
  updatedAt: string;
  /** ThumbHashes: what to show until the pictures have come; null of artworks from before. */
  thumbnailBlur: string | null;
  displayBlur: string | null;
}

export type ArtworkChange = Partial<Pick<Artwork, "title" | "description" | "category" | "tags">>;

export interface UploadTarget {
  uploadUrl: string;
  method: string;
  headers: Record<string, string>;
  key: string;
  expiresAt: string;
}

export interface NewArtwork {
  title: string;
  originalKey: string;
  workflowId?: string;
  nodeId?: string;
}

export interface Provider {
  id: string;
  configured: boolean;
  models: { id: string; label?: string }[];
}

export interface HttpOptions {
  /** Empty for the page's own origin, which signs in with its cookie. */
  baseUrl?: string | undefined;
  /** For an Easel of another origin; asked again when a token is refused. */
  getToken?: GetToken | undefined;
  fetch?: typeof fetch;
}

export type Http = ReturnType<typeof createHttp>;

async function problem(response: Response): Promise<EaselError> {
  const text = await response.text();
  if (!/json/.test(response.headers.get("content-type") ?? "")) {
    return new EaselError(response.status, "HTTP_ERROR", `The server answered ${response.status}. Try again in a moment.`);
  }
  const body = JSON.parse(text) as { code?: string; detail?: string; title?: string };
  const detail = body.detail ?? body.title ?? `The server answered ${response.status}.`;
  return new EaselError(response.status, body.code ?? "HTTP_ERROR", detail);
}

const SIGNED_OUT = new EaselError(401, "NOT_SIGNED_IN", "You are not signed in. Sign in, then try again.");

function createCall({ baseUrl = "", fetch: send = globalThis.fetch.bind(globalThis) }: HttpOptions, tokens: Tokens | null) {
  async function ask(path: string, init: RequestInit, headers: Headers): Promise<Response> {
    if (tokens !== null) {
      const token = await tokens.get();
      if (token === null) throw SIGNED_OUT;
      headers.set("Authorization", `Bearer ${token}`);
    }
    return send(baseUrl + path, { ...init, headers }).catch((cause: unknown) => {
      const unreachable = new EaselError(0, "UNREACHABLE", "Easel cannot be reached. Check that it is running, then try again.");
      unreachable.cause = cause;
      throw unreachable;
    });
  }
  return async function call(method: string, path: string, body?: unknown, key?: string): Promise<unknown> {
    const headers = new Headers({ Accept: "application/json" });
    if (body !== undefined) headers.set("Content-Type", "application/json");
    if (key !== undefined) headers.set("Idempotency-Key", key);
    const init: RequestInit = { method, credentials: "same-origin" };
    if (body !== undefined) init.body = JSON.stringify(body);
    let response = await ask(path, init, headers);
    if (response.status === 401 && tokens !== null) {
      tokens.renew();
      response = await ask(path, init, headers); // nobody has acted on what was refused
    }
    if (!response.ok) throw await problem(response);
    const text = await response.text();
    return text === "" ? undefined : (JSON.parse(text) as unknown);
  };
}

function queryOf(values: Record<string, string | number | boolean | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined && value !== "") query.set(name, String(value));
  return query.size === 0 ? "" : `?${query}`;
}

export function createHttp(options: HttpOptions = {}) {
  const tokens = options.getToken === undefined ? null : new Tokens(options.getToken);
  const call = createCall(options, tokens);
  const workflow = (id: string): string => `/api/workflows/${encodeURIComponent(id)}`;
  const run = (jobId: string): string => `/api/runs/${encodeURIComponent(jobId)}`;
  return {
    me: () => call("GET", "/api/me") as Promise<Me>,
    updateMe: (change: Partial<Pick<Me, "name" | "color">>) => call("PATCH", "/api/me", change) as Promise<Me>,
    /** A one-use secret that lets one socket in: a browser's can carry no header. */
    createTicket: () => call("POST", "/api/tickets") as Promise<{ ticket: string; expiresAt: string }>,
    /** What one signed in with has expired: the next call asks for another. */
    renewToken: () => tokens?.renew(),
    logout: () => call("POST", "/api/logout"),
    /** Where a picture is: in nodes and answers its URL is root-relative, so that it outlives a change of host. */
    pictureUrl: (url: string): string => (options.baseUrl ? new URL(url, options.baseUrl).href : url),

    listWorkflows: (cursor?: string) =>
      call("GET", `/api/workflows?limit=50${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`) as Promise<
        Page<WorkflowSummary>
      >,
    getWorkflow: (id: string) => call("GET", workflow(id)) as Promise<Workflow>,
    createWorkflow: (body: Record<string, unknown> & { name: string }, key?: string) =>
      call("POST", "/api/workflows", body, key) as Promise<Workflow>,
    renameWorkflow: (id: string, name: string) => call("PATCH", workflow(id), { name }) as Promise<Workflow>,
    deleteWorkflow: (id: string) => call("DELETE", workflow(id)),
    restoreWorkflow: (id: string) => call("POST", `${workflow(id)}/restore`),

    listMembers: (id: string) => call("GET", `${workflow(id)}/members`) as Promise<Page<Member>>,
    setMember: (id: string, accountId: string, role: GivenRole) =>
      call("PUT", `${workflow(id)}/members/${encodeURIComponent(accountId)}`, { role }),
    removeMember: (id: string, accountId: string) => call("DELETE", `${workflow(id)}/members/${encodeURIComponent(accountId)}`),
    invite: (id: string, name: string, role: GivenRole) =>
      call("POST", `${workflow(id)}/invites`, { name, role }) as Promise<{ accountId: string; url: string }>,
    listShares: (id: string) => call("GET", `${workflow(id)}/shares`) as Promise<Page<ShareLink>>,
    createShare: (id: string, share: NewShare) => call("POST", `${workflow(id)}/shares`, share) as Promise<ShareLink>,
    revokeShare: (id: string, shareId: string) => call("DELETE", `${workflow(id)}/shares/${encodeURIComponent(shareId)}`),

    startRun: (body: StartRun, key?: string) => call("POST", "/api/runs", body, key) as Promise<JobRecord>,
    cancelRun: (jobId: string) => call("POST", `${run(jobId)}/cancel`) as Promise<JobRecord>,
    listProviders: () => call("GET", "/api/providers") as Promise<Provider[]>,

    listRenders: (wanted: RenderQuery = {}, cursor?: string, limit = 100) =>
      call("GET", `/api/renders${queryOf({ ...wanted, cursor, limit })}`) as Promise<Page<Render>>,
    getRender: (id: string) => call("GET", `/api/renders/${encodeURIComponent(id)}`) as Promise<Render>,
    changeRenders: (ids: readonly string[], change: { isFavorite?: boolean; isDeleted?: boolean }) =>
      call("PATCH", "/api/renders", { ids, ...change }) as Promise<{ ids: string[] }>,

    listArtworks: (q?: string, cursor?: string, limit = 100) =>
      call("GET", `/api/artworks${queryOf({ q, cursor, limit })}`) as Promise<Page<Artwork>>,
    requestUpload: (file: { filename: string; contentType: string; sizeBytes: number }) =>
      call("POST", "/api/artworks/upload-url", file) as Promise<UploadTarget>,
    createArtwork: (body: NewArtwork, key?: string) => call("POST", "/api/artworks", body, key) as Promise<{ data: Artwork }>,
    changeArtwork: (id: string, change: ArtworkChange) =>
      call("PATCH", `/api/artworks/${encodeURIComponent(id)}`, change) as Promise<{ data: Artwork }>,
    deleteArtwork: (id: string) => call("DELETE", `/api/artworks/${encodeURIComponent(id)}`),

    restoreArtwork: (id: string) => call("POST", `/api/artworks/${encodeURIComponent(id)}/restore`) as Promise<{ data: Artwork }>,

    addNode: (workflowId: string, node: NodeRecord) => call("POST", `${workflow(workflowId)}/nodes`, node) as Promise<NodeRecord>,

    retryRun: (jobId: string) => call("POST", `${run(jobId)}/retry`) as Promise<JobRecord>,
  };
}

/** The room's socket address beside the page, or beside `baseUrl`. */
export function roomUrl(workflowId: string, baseUrl: string): string {
  const url = new URL(`/ws/workflows/${encodeURIComponent(workflowId)}`, baseUrl);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** Lets a room's sockets in with one ticket each. */
export function ticketDoor(url: string, http: Pick<Http, "createTicket" | "renewToken">): Door {
  return {
    address: async () => `${url}?ticket=${encodeURIComponent((await http.createTicket()).ticket)}`,
    renew: http.renewToken,
  };
}
