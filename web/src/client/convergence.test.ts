/** Random edits, lost and doubled messages and broken sockets against a model of the server: in the end everyone agrees with its log. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { FakeSocket, node, setPrompt } from "./FakeServer";
import { apply, EMPTY_DOCUMENT } from "./ops";
import { Room } from "./room";
import type { ClientMessage, GraphDocument, Op, Result, ServerMessage, Transaction } from "./types";

function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
}

interface Member {
  socket: FakeSocket;
  clientId: string;
  inbox: ServerMessage[];
}

/** Orders pushes as CONTRACT §5 says; what it tells each member waits in an inbox until the test delivers it. */
class Sequencer {
  document: GraphDocument = { ...EMPTY_DOCUMENT, nodes: [node("n0"), node("n1")] };
  log: Transaction[] = [];
  members: Member[] = [];
  applied = 0;
  private readonly answered = new Map<string, Map<number, Result>>();

  constructor(readonly isLossy: boolean) {}


  receive(socket: FakeSocket, message: ClientMessage): void {
    if (message.type === "hello") this.admit(socket, message.clientId, message.resume?.seq ?? null, message.resume?.ackedClientSeq ?? 0);
    const member = this.members.find((each) => each.socket === socket);
    if (member && message.type === "push") this.push(member, message.clientSeq, message.ops);
    if (member && message.type === "resync") this.welcome(member, null, 0);
    if (member && message.type === "ping") member.inbox.push({ type: "pong", t: message.t, seq: this.log.length });
  }

  private results(clientId: string): Map<number, Result> {
    const known = this.answered.get(clientId) ?? new Map<number, Result>();
    this.answered.set(clientId, known);
    return known;
  }

  private admit(socket: FakeSocket, clientId: string, resume: number | null, acked: number): void {
    const member = { socket, clientId, inbox: [] };
    this.members = [...this.members.filter((each) => each.clientId !== clientId), member];
    this.welcome(member, resume, acked);
  }

  private welcome(member: Member, resume: number | null, acked: number): void {
    const mode = resume !== null && this.log.length - resume < 12 ? "resume" : "snapshot";
    const results = [...this.results(member.clientId).values()].filter((result) => result.clientSeq > acked);
    const seq = this.log.length;
    const lastClientSeq = this.results(member.clientId).size;
    member.inbox.push({ type: "welcome", protocol: 1, sessionId: member.clientId, role: "editor", epoch: "e", seq, mode, lastClientSeq, results });
    const { nodes, edges } = this.document;
    if (mode === "snapshot") member.inbox.push({ type: "snapshot", part: 1, parts: 1, nodes: [...nodes], edges: [...edges] });
    else if (resume !== null && resume < seq) member.inbox.push({ type: "ops", transactions: this.log.slice(resume) });
  }

  private push(member: Member, clientSeq: number, ops: Op[]): void {
    const results = this.results(member.clientId);
    const result = results.get(clientSeq) ?? this.commit(member, clientSeq, ops);
    results.set(clientSeq, result);
    member.inbox.push({ type: "result", ...result });
  }

  private commit(member: Member, clientSeq: number, ops: Op[]): Result {
    const seq = this.log.length;
    if (JSON.stringify(ops).includes("refuse")) {
      return { clientSeq, seq, outcome: "reject", error: { code: "FORBIDDEN", detail: "No." } };
    }
    const after = apply(this.document, ops);
    if (after === this.document) {
      // Without the empty list a lost broadcast and a push without effect look alike, so only then may one be lost.
      return { clientSeq, seq, outcome: "commit", ...(this.isLossy && { ops: [] }) };
    }
    this.document = after;
    this.applied++;
    const by = { userId: member.clientId, clientId: member.clientId, clientSeq, origin: "user" as const };
    const transaction = { seq: seq + 1, by, at: "", ops };
    this.log.push(transaction);
    for (const other of this.members) if (other !== member) other.inbox.push({ type: "ops", transactions: [transaction] });
    const isRebased = ops.some((op) => op.op === "remove");
    return { clientSeq, seq: seq + 1, outcome: isRebased ? "rebase" : "commit", ...(isRebased && { ops }) };
  }
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it.each(Array.from({ length: 120 }, (_, seed) => seed))("seed %i", (seed) => {
  const random = randomFrom(seed);
  const server = new Sequencer(seed % 2 === 1);
  const sockets: FakeSocket[] = [];
  const heard = new Map<FakeSocket, number>();
  let names = 0;
  const rooms = [0, 1, 2].map(() => {
    const open = (url: string): FakeSocket => {
      const socket = new FakeSocket(url);
      sockets.push(socket);
      return socket;
    };
    return new Room({ url: "ws://easel", open, newClientId: () => `c${++names}`, random: () => 0 });
  });

  /** One socket's next message, in one direction or the other. */
  const carry = (socket: FakeSocket): boolean => {
    if (socket.readyState === 0) {
      socket.open();
      return true;
    }
    const at = heard.get(socket) ?? 0;
    const up = socket.heard[at];
    const member = server.members.find((each) => each.socket === socket);
    if (up !== undefined && (random(2) === 0 || !member?.inbox.length)) {
      heard.set(socket, at + 1);
      server.receive(socket, up);
      return true;
    }
    const down = member?.inbox.shift();
    if (down === undefined || socket.readyState !== 1) return down !== undefined;
    const fate = down.type === "ops" ? random(12) : 1;
    if (fate > 0 || !server.isLossy) socket.say(down); // now and then a broadcast is lost, or told twice
    if (fate === 2) socket.say(down);
    return true;
  };
  const edit = (): Op[] => {
    const id = `n${random(6)}`;
    const ops: Op[] = [
      setPrompt(id, `${random(3)}`),
      setPrompt(id, `refuse ${random(9)}`),
      { op: "add", kind: "node", record: node(`n${random(6)}`) },
      { op: "remove", kind: "node", ids: [id] },
      { op: "update", kind: "node", id, set: { "/position": { x: random(4), y: 0 } } },
    ];
    return ops.slice(random(5)).slice(0, 1 + random(2));
  };

  rooms.forEach((room) => room.join());
  for (let step = 0; step < 250; step++) {
    const socket = sockets[random(sockets.length)];
    const choice = random(20);
    if (choice < 4) void rooms[random(3)]?.push(edit());
    else if (choice === 4 && socket?.readyState === 1) socket.drop();
    else if (choice === 5) vi.advanceTimersByTime(random(1500));
    else if (socket && socket.readyState < 2) carry(socket);
  }
  const isBusy = (): boolean => sockets.filter((socket) => socket.readyState < 2).map(carry).some(Boolean);
  for (let round = 0; round < 40; round++) {
    while (isBusy());
    vi.advanceTimersByTime(6_000);
  }

  expect(server.applied).toBeGreaterThan(0);
  for (const room of rooms) {
    const { document, pendingCount, connection } = room.getState();
    expect({ pendingCount, connection }).toEqual({ pendingCount: 0, connection: "live" });
    expect(document.nodes).toEqual(server.document.nodes);
    room.leave();
  }
});
