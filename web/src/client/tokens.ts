/** Who one is at an Easel of another origin: a token that the app's own backend asks for (`POST …/tokens`). */

/** A token that holds now; null: nobody is signed in. Rejects when there is none to be had at the moment. */
export type GetToken = () => string | null | Promise<string | null>;

/** Keeps a token until it is refused, however many ask for it at once. */
export class Tokens {
  private kept: Promise<string | null> | null = null;

  constructor(private readonly getToken: GetToken) {}

  get(): Promise<string | null> {
    if (this.kept !== null) return this.kept;
    const asked = Promise.resolve().then(this.getToken);
    this.kept = asked;
    asked.then(
      (token) => token === null && this.forget(asked),
      () => this.forget(asked),
    );
    return asked;
  }

  /** It has expired: the next that asks gets another. */
  renew(): void {
    this.kept = null;
  }

  private forget(asked: Promise<string | null>): void {
    if (this.kept === asked) this.kept = null;
  }
}
