/** A socket that comes back: opens, watches, closes and reopens it. What is said over it is the room's business. */
import { EaselError } from "./http";
import type { ClientMessage, ServerMessage } from "./types";

/** The part of WebSocket that a connection needs, so that tests can bring their own. */
export interface SocketLike {
  readonly readyState: number;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: (() => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

export interface ConnectionEvents {
  opened(): void;
  message(message: ServerMessage): void;
  /** The connection is down; `action` says whether it will try again by itself. */
  down(action: CloseAction, code: number, reason: string): void;
}

/** How a socket is let in where no cookie does it. */
export interface Door {
  /** The address with a ticket, good for one socket. Rejects: with status 401 when one has to sign in. */
  address(): Promise<string>;
  /** What the last address was had with has expired. */
  renew(): void;
}

export type CloseAction = "retry" | "sign-in" | "stop";

const OPEN = 1;
const SIGN_IN = 4100;
const UNREACHABLE = 1006; // what a browser calls a socket that never opened
const FIRST_RETRY_MS = 400;
const LAST_RETRY_MS = 10_000;
const PING_EVERY_MS = 10_000;
const UNANSWERED_PINGS = 2; // counted, not timed: a browser lets a hidden tab's clock tick once a minute
const REPLACED = 4000; // a code a browser may send, and one that asks the server for nothing

export function closeAction(code: number): CloseAction {
  if (code >= 4100 && code < 4200) return "sign-in";
  if (code >= 4500 && code < 4600) return "stop";
  return "retry";
}

/** Doubles up to ten seconds; the random half keeps a thousand tabs from coming back in step after a restart. */
export function retryDelay(attempt: number, random: () => number): number {
  const ceiling = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt);
  return ceiling / 2 + (ceiling / 2) * random();
}

export class Connection {
  private socket: SocketLike | null = null;
  private attempt = 0;
  private retryTimer: ReturnType<typeof setTimeout> | null = null;
  private pingTimer: ReturnType<typeof setInterval> | null = null;
  private unanswered = 0;
  private isOver = false;
  /** Counts the ways to the door, so that a late ticket opens nothing. */
  private way = 0;
  private isOnTheWay = false;
  private hasRenewed = false;

  constructor(
    private readonly url: string,
    private readonly open: (url: string) => SocketLike,
    private readonly events: ConnectionEvents,
    private readonly random: () => number = Math.random,
    private readonly door: Door | null = null,
  ) {}

  start(): void {
    this.isOver = false;
    this.connect();
  }

  private connect(): void {
    if (this.isOver || this.socket !== null || this.isOnTheWay) return;
    this.cancelRetry();
    if (this.door === null) return this.enter(this.url);
    const way = ++this.way;
    this.isOnTheWay = true;
    this.door.address().then(
      (url) => {
        if (way !== this.way) return;
        this.isOnTheWay = false;
        this.enter(url);
      },
      (reason: unknown) => {
        if (way !== this.way) return;
        const isSignedOut = reason instanceof EaselError && reason.status === 401;
        this.hasRenewed ||= isSignedOut; // another token was asked for already
        this.onDown(isSignedOut ? SIGN_IN : UNREACHABLE, reason instanceof Error ? reason.message : "");
      },
    );
  }

  private enter(url: string): void {
    const socket = this.open(url);
    this.socket = socket;
    socket.onopen = () => this.onOpen();
    socket.onmessage = (event) => {
      this.unanswered = 0;
      this.events.message(JSON.parse(String(event.data)) as ServerMessage);
    };
    socket.onclose = (event) => this.onDown(event.code, event.reason);
    socket.onerror = null; // a close event always follows, and knows more
  }

  /** False when the message could not leave; after the next welcome the room says again what matters. */
  send(message: ClientMessage): boolean {
    if (this.socket?.readyState !== OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** The server said welcome: the next break starts again with a short wait. */
  settled(): void {
    this.attempt = 0;
    this.hasRenewed = false;
  }

  /** Try at once instead of waiting, say when the network is back. */
  retryNow(): void {
    if (this.retryTimer !== null) this.connect();
  }

  /** Drops the socket and opens another without a wait. */
  restart(): void {
    this.release();
    this.connect();
  }

  stop(): void {
    this.isOver = true;
    this.cancelRetry();
    this.release();
  }

  private onOpen(): void {
    this.unanswered = 0;
    this.pingTimer = setInterval(() => this.ping(), PING_EVERY_MS);
    this.events.opened();
  }

  private ping(): void {
    if (this.unanswered++ === UNANSWERED_PINGS) {
      this.onDown(4009, "The server has not answered for a while.");
      return;
    }
    this.send({ type: "ping", t: Date.now() });
  }

  private onDown(code: number, reason: string): void {
    this.release();
    const action = this.mayRenew(code) ? "retry" : closeAction(code);
    if (action === "retry") {
      this.retryTimer = setTimeout(() => this.connect(), retryDelay(this.attempt++, this.random));
    } else {
      this.isOver = true;
    }
    this.events.down(action, code, reason);
  }

  /** An expired token is replaced, once: a fresh one that is refused as well says that one has to sign in. */
  private mayRenew(code: number): boolean {
    if (this.door === null || this.hasRenewed || closeAction(code) !== "sign-in") return false;
    this.door.renew();
    this.hasRenewed = true;
    return true;
  }

  /** Lets go of the socket, so that its late events cannot touch its successor. */
  private release(): void {
    if (this.pingTimer !== null) clearInterval(this.pingTimer);
    this.pingTimer = null;
    const socket = this.socket;
    this.socket = null;
    this.way++;
    this.isOnTheWay = false;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(REPLACED);
  }

  private cancelRetry(): void {
    if (this.retryTimer !== null) clearTimeout(this.retryTimer);
    this.retryTimer = null;
  }
}
