/**
 * Bugs for the simulator to find: each one puts a real mistake into the client. None of this is part of the product;
 * `tests/simulation/test_typescript.py` plants them one at a time and has to turn red.
 */
import { apply, Room } from "../client";
import { Keeper } from "../client/outbox";
import { Replica } from "../client/replica";

const hello = Room.prototype["hello"];
const { result, transactions, snapshotPart, renew } = Replica.prototype;

export const BUGS: Record<string, () => void> = {
  "the server's rebase is not believed": () => {
    Replica.prototype.result = function (told) {
      return result.call(this, told.outcome === "rebase" ? { ...told, outcome: "commit", ops: null } : told);
    };
  },
  "a push is applied by its answer and again by its echo": () => {
    Replica.prototype.transactions = function (list) {
      const verdict = transactions.call(this, list);
      for (const { by, ops } of list) if (by.clientId === this.clientId) this.confirmed = apply(this.confirmed, ops);
      return verdict;
    };
    Replica.prototype.result = function (told) {
      const own = this.pending.find(({ clientSeq }) => clientSeq === told.clientSeq);
      const verdict = result.call(this, told);
      if (own !== undefined && told.outcome === "commit") this.confirmed = apply(this.confirmed, own.ops);
      return verdict;
    };
  },
  "what is pushed again gets a new number": () => {
    Room.prototype["hello"] = function () {
      if (this["replica"].pending.length > 0) this["replica"].renew();
      hello.call(this);
    };
  },
  "a copy is taken for one transaction newer than it is": () => {
    Replica.prototype.snapshotPart = function (part) {
      const isWhole = snapshotPart.call(this, part);
      if (isWhole) this.seq++;
      return isWhole;
    };
  },
  "a gap in the order is passed over": () => {
    Replica.prototype.transactions = function (list) {
      const first = list.find(({ seq }) => seq > this.seq);
      if (first !== undefined && !this.isBehind) this.seq = first.seq - 1;
      return transactions.call(this, list);
    };
    Replica.prototype.resume = function () {
      return this.epoch === null ? null : { epoch: this.epoch, seq: this.seq + 1, ackedClientSeq: this["ackedClientSeq"] };
    };
  },
  "what was refused stays on screen": () => {
    Replica.prototype.result = function (told) {
      const own = this.pending.find(({ clientSeq }) => clientSeq === told.clientSeq);
      const verdict = result.call(this, told);
      if (own !== undefined && told.outcome === "reject") this.confirmed = apply(this.confirmed, own.ops);
      return verdict;
    };
  },
  "a new client id forgets what was waiting": () => {
    Replica.prototype.renew = function () {
      this.pending = [];
      renew.call(this);
    };
  },
  "what a closed tab left behind is not taken up": () => {
    Keeper.prototype.claim = () => Promise.resolve([]);
  },
};
