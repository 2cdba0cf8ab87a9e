/** A server for tests: sockets that speak when they are told to, and a helper for each thing a server says. */
import type { SocketLike } from "./connection";
import type { ClientMessage, EdgeRecord, NodeRecord, Op, Result, ServerMessage, Welcome } from "./types";

export class FakeSocket implements SocketLike {
  readyState = 0;
  onopen: SocketLike["onopen"] = null;
  onmessage: SocketLike["onmessage"] = null;
  onclose: SocketLike["onclose"] = null;
  onerror: SocketLike["onerror"] = null;
  readonly heard: ClientMessage[] = [];

  constructor(readonly url: string) {}

  send(text: string): void {
    this.heard.push(JSON.parse(text) as ClientMessage);
  }

  close(): void {
    this.readyState = 3;
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  say(message: ServerMessage): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  drop(code = 1006): void {
    this.readyState = 3;
    this.onclose?.({ code, reason: "" });
  }
}

export class FakeServer {
  readonly sockets: FakeSocket[] = [];

  readonly open = (url: string): FakeSocket => {
    const socket = new FakeSocket(url);
    this.sockets.push(socket);
    return socket;
  };

  get socket(): FakeSocket {
    const last = this.sockets.at(-1);
    if (last === undefined) throw new Error("Nobody has connected yet.");
    return last;
  }

  heard<T extends ClientMessage["type"]>(type: T): Extract<ClientMessage, { type: T }>[] {
    return this.socket.heard.filter((message) => message.type === type) as Extract<ClientMessage, { type: T }>[];
  }

  welcome(change: Partial<Welcome> = {}): void {
    this.socket.say({
      type: "welcome",
      protocol: 1,
      sessionId: "s1",
      role: "editor",
      epoch: "e1",
      seq: 10,
      mode: "snapshot",
      lastClientSeq: 0,
      results: [],
      presence: {},
      runs: [],
      name: "Canvas",
      viewport: null,
      ...change,
    });
  }

  snapshot(nodes: NodeRecord[], edges: EdgeRecord[] = [], part = 1, parts = 1): void {
    this.socket.say({ type: "snapshot", part, parts, nodes, edges });
  }

  /** Opens the socket and brings the client up to a document at seq 10. */
  admit(nodes: NodeRecord[] = [], change: Partial<Welcome> = {}): void {
    this.socket.open();
    this.welcome(change);
    this.snapshot(nodes);
  }

  ops(seq: number, ops: Op[], by: { clientId?: string; clientSeq?: number } = {}): void {
    const author = { userId: "u2", origin: "user" as const, ...by };
    this.socket.say({ type: "ops", transactions: [{ seq, by: author, at: "2026-01-01T00:00:00Z", ops }] });
  }

  result(result: Result): void {
    this.socket.say({ type: "result", ...result });
  }
}

export function node(id: string, data: Record<string, unknown> = {}, extra: Partial<NodeRecord> = {}): NodeRecord {
  return { id, type: "image_generation", position: { x: 0, y: 0 }, data, ...extra };
}

export function setPrompt(id: string, prompt: string): Op {
  return { op: "update", kind: "node", id, set: { "/data/prompt": prompt } };
}
