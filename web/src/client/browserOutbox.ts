/** The outbox of a browser: pushes in IndexedDB, and a Web Lock for each client that a living tab works for. */
import type { Outbox, OutboxChange, SavedPush } from "./outbox";

export interface OutboxScope {
  workflowId: string;
  accountId: string;
}

const STORE = "pushes";

/** Undefined where the browser keeps nothing. */
export function openOutbox(scope: OutboxScope): Outbox | undefined {
  return "indexedDB" in globalThis ? new BrowserOutbox(scope) : undefined;
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("The browser could not store the change."));
  });
}

function committed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("The browser could not store the change."));
  });
}

function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open("easel", 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(STORE, { keyPath: ["accountId", "workflowId", "clientId", "clientSeq"] });
  };
  return done(request);
}

class BrowserOutbox implements Outbox {
  private database: Promise<IDBDatabase> | null = null;
  /** Lets go of each client that this tab works for. */
  private readonly held = new Map<string, () => void>();

  constructor(private readonly scope: OutboxScope) {}

  async claim(): Promise<SavedPush[]> {
    const clients = new Set((await this.saved()).map(({ clientId }) => clientId));
    for (const clientId of clients) {
      if (this.held.has(clientId) || !(await this.hold(clientId, { ifAvailable: true }))) continue;
      const pushes = await this.saved(clientId); // again: its tab may have been answered until a moment ago
      if (pushes.length > 0) return pushes;
    }
    return [];
  }

  async write({ put, drop }: OutboxChange): Promise<void> {
    for (const { clientId } of put) if (!this.held.has(clientId)) await this.hold(clientId, {});
    const { accountId, workflowId } = this.scope;
    const store = await this.store("readwrite");
    for (const push of put) store.put({ ...push, ...this.scope });
    for (const { clientId, clientSeq } of drop) store.delete([accountId, workflowId, clientId, clientSeq]);
    await committed(store.transaction);
  }

  async release(): Promise<void> {
    for (const letGo of this.held.values()) letGo();
    this.held.clear();
    const database = await this.database;
    this.database = null;
    database?.close();
  }

  private async store(mode: IDBTransactionMode): Promise<IDBObjectStore> {
    this.database ??= openDatabase();
    return (await this.database).transaction(STORE, mode).objectStore(STORE);
  }

  private async saved(clientId?: string): Promise<SavedPush[]> {
    const prefix = [this.scope.accountId, this.scope.workflowId, ...(clientId === undefined ? [] : [clientId])];
    const store = await this.store("readonly");
    // An array sorts after every other key, so this bound holds whatever begins with the prefix.
    return (await done(store.getAll(IDBKeyRange.bound(prefix, [...prefix, []])))) as SavedPush[];
  }

  /** Answers once the lock is this tab's, or with false when another tab has it. */
  private hold(clientId: string, options: LockOptions): Promise<boolean> {
    const name = `easel ${clientId}`;
    if (!("locks" in navigator)) return Promise.resolve(this.holdInSession(clientId, name, options));
    return new Promise((resolve, reject) => {
      const keep = (lock: Lock | null): Promise<void> | undefined => {
        resolve(lock !== null);
        return lock === null ? undefined : new Promise((letGo) => this.held.set(clientId, letGo));
      };
      navigator.locks.request(name, options, keep).catch(reject);
    });
  }

  /** Without locks (a page over plain HTTP) a tab only goes on with what it left behind itself, over a reload. */
  private holdInSession(clientId: string, name: string, { ifAvailable }: LockOptions): boolean {
    if (ifAvailable === true && sessionStorage.getItem(name) === null) return false;
    sessionStorage.setItem(name, "held");
    this.held.set(clientId, () => undefined);
    return true;
  }
}
