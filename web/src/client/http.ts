/** Typed calls of Easel's REST API. Every failure is an EaselError whose message is a sentence for the person. */
import type { Door } from "./connection";
import type * as schema from "./schema";
import type { Calls } from "./schema";
import { Tokens, type GetToken } from "./tokens";
import type { EdgeRecord, NodeRecord, Viewport } from "./types";

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

export type Me = schema.Account;
export type Member = schema.Member;
export type NewShare = schema.NewShare;
export type GivenRole = NewShare["role"];
export type ShareLink = schema.ShareLink;
export type WorkflowSummary = schema.WorkflowSummary;
export type Workflow = Documented<schema.Workflow>;
export type Version = schema.Version;
export type VersionDocument = Documented<schema.VersionDocument>;
export type Comparison = schema.Comparison;
export type Page<T> = schema.Page<T>;
export type PromptSpec = schema.PromptSpec;
export type StartRun = schema.StartImageJobRequest;
export type JobRecord = schema.ImageJobRecord;
export type Render = schema.Render;
export type RenderQuery = Omit<Calls["GET /api/renders"]["query"], "limit" | "cursor">;
export type Artwork = schema.Artwork;
export type ArtworkChange = schema.ChangeArtwork;
export type NewArtwork = schema.NewArtwork;
export type UploadTarget = schema.UploadUrl;
export type Provider = schema.ListedProvider;
export type Batch = schema.Batch;
export type Usage = schema.Usage;

/** What happened to a run. */
export interface RunEvent {
  jobId: string;
  timestamp: string;
  kind: "status" | "progress" | "log" | "error" | "webhook";
  message: string;
  progress?: number | null;
  data?: Record<string, unknown> | null;
}

/** What the document says of records is what React Flow says of them. */
type Documented<T> = Omit<T, "nodes" | "edges" | "viewport"> & { nodes: NodeRecord[]; edges: EdgeRecord[]; viewport: Viewport | null };

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

/** What goes into a call; `at` are the parts of its address, in order. */
interface Ask<N extends keyof Calls> {
  at?: readonly (string | number)[];
  query?: Calls[N]["query"];
  body?: Calls[N]["body"];
  key?: string | undefined;
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
  /** One call of the REST API, as the server's document has it. */
  return async function call<N extends keyof Calls>(name: N, { at = [], query = {}, body, key }: Ask<N> = {}): Promise<Calls[N]["answer"]> {
    const [method = "", template = ""] = name.split(" ");
    let place = 0;
    const path = template.replace(/\{\w+\}/g, () => encodeURIComponent(at[place++] ?? "")) + queryOf(query);
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
    return (text === "" ? undefined : JSON.parse(text)) as Calls[N]["answer"];
  };
}

function queryOf(values: Record<string, string | number | boolean | null | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value != null && value !== "") query.set(name, String(value));
  return query.size === 0 ? "" : `?${query}`;
}

export function createHttp(options: HttpOptions = {}) {
  const tokens = options.getToken === undefined ? null : new Tokens(options.getToken);
  const call = createCall(options, tokens);
  return {
    call,
    /** What one signed in with has expired: the next call asks for another. */
    renewToken: () => tokens?.renew(),
    /** Where a picture is: in nodes and answers its URL is root-relative, so that it outlives a change of host. */
    pictureUrl: (url: string): string => (options.baseUrl ? new URL(url, options.baseUrl).href : url),

    me: () => call("GET /api/me"),
    updateMe: (change: Partial<Pick<Me, "name" | "color">>) => call("PATCH /api/me", { body: change }),
    /** A one-use secret that lets one socket in: a browser's can carry no header. */
    createTicket: () => call("POST /api/tickets"),
    logout: () => call("POST /api/logout"),
    logoutEverywhere: () => call("POST /api/logout-everywhere"),

    listWorkflows: (cursor?: string) => call("GET /api/workflows", { query: { limit: 50, cursor } }),
    getWorkflow: (id: string) => call("GET /api/workflows/{workflow_id}", { at: [id] }) as Promise<Workflow>,
    createWorkflow: (body: schema.NewWorkflow, key?: string) => call("POST /api/workflows", { body, key }) as Promise<Workflow>,
    renameWorkflow: (id: string, name: string) =>
      call("PATCH /api/workflows/{workflow_id}", { at: [id], body: { name } }) as Promise<Workflow>,
    deleteWorkflow: (id: string) => call("DELETE /api/workflows/{workflow_id}", { at: [id] }),
    restoreWorkflow: (id: string) => call("POST /api/workflows/{workflow_id}/restore", { at: [id] }) as Promise<Workflow>,
    addNode: (id: string, node: NodeRecord) =>
      call("POST /api/workflows/{workflow_id}/nodes", { at: [id], body: node as schema.Node }),

    listVersions: (id: string, cursor?: string) =>
      call("GET /api/workflows/{workflow_id}/versions", { at: [id], query: { limit: 50, cursor } }),
    getVersion: (id: string, version: number) =>
      call("GET /api/workflows/{workflow_id}/versions/{version}", { at: [id, version] }) as Promise<VersionDocument>,
    compareVersion: (id: string, version: number) => call("GET /api/workflows/{workflow_id}/versions/{version}/diff", { at: [id, version] }),
    createVersion: (id: string, name?: string) => call("POST /api/workflows/{workflow_id}/versions", { at: [id], body: { name: name ?? null } }),
    nameVersion: (id: string, version: number, name: string) =>
      call("PATCH /api/workflows/{workflow_id}/versions/{version}", { at: [id, version], body: { name } }),
    deleteVersion: (id: string, version: number) => call("DELETE /api/workflows/{workflow_id}/versions/{version}", { at: [id, version] }),
    restoreVersion: (id: string, version: number) =>
      call("POST /api/workflows/{workflow_id}/versions/{version}/restore", { at: [id, version] }),

    listMembers: (id: string) => call("GET /api/workflows/{workflow_id}/members", { at: [id] }),
    setMember: (id: string, accountId: string, role: GivenRole) =>
      call("PUT /api/workflows/{workflow_id}/members/{account_id}", { at: [id, accountId], body: { role } }),
    removeMember: (id: string, accountId: string) => call("DELETE /api/workflows/{workflow_id}/members/{account_id}", { at: [id, accountId] }),
    invite: (id: string, name: string, role: GivenRole) => call("POST /api/workflows/{workflow_id}/invites", { at: [id], body: { name, role } }),
    listShares: (id: string) => call("GET /api/workflows/{workflow_id}/shares", { at: [id] }),
    createShare: (id: string, share: NewShare) => call("POST /api/workflows/{workflow_id}/shares", { at: [id], body: share }),
    revokeShare: (id: string, shareId: string) => call("DELETE /api/workflows/{workflow_id}/shares/{share_id}", { at: [id, shareId] }),

    startRun: (body: StartRun, key?: string) => call("POST /api/runs", { body, key }),
    listRuns: (query: Omit<Calls["GET /api/runs"]["query"], "limit" | "cursor">, cursor?: string) =>
      call("GET /api/runs", { query: { ...query, limit: 50, cursor } }),
    /** Those that are stored so far. */
    listRunEvents: (jobId: string) => call("GET /api/runs/{job_id}/events", { at: [jobId] }) as Promise<unknown> as Promise<Page<RunEvent>>,
    usage: (groupBy: string) => call("GET /api/usage", { query: { groupBy } }),
    cancelRun: (jobId: string) => call("POST /api/runs/{job_id}/cancel", { at: [jobId] }),
    retryRun: (jobId: string) => call("POST /api/runs/{job_id}/retry", { at: [jobId] }),
    listProviders: () => call("GET /api/providers"),

    listRenders: (wanted: RenderQuery = {}, cursor?: string, limit = 100) => call("GET /api/renders", { query: { ...wanted, cursor, limit } }),
    getRender: (id: string) => call("GET /api/renders/{render_id}", { at: [id] }),
    changeRenders: (ids: readonly string[], change: Omit<schema.ChangeRenders, "ids">) =>
      call("PATCH /api/renders", { body: { ids: [...ids], ...change } }),

    listArtworks: (q?: string, cursor?: string, limit = 100) => call("GET /api/artworks", { query: { q, cursor, limit } }),
    requestUpload: (body: schema.NewUpload) => call("POST /api/artworks/upload-url", { body }),
    createArtwork: (body: NewArtwork, key?: string) => call("POST /api/artworks", { body, key }),
    changeArtwork: (id: string, change: ArtworkChange) => call("PATCH /api/artworks/{artwork_id}", { at: [id], body: change }),
    deleteArtwork: (id: string) => call("DELETE /api/artworks/{artwork_id}", { at: [id] }),
    restoreArtwork: (id: string) => call("POST /api/artworks/{artwork_id}/restore", { at: [id] }),
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
