import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeServer } from "./FakeServer";
import { createHttp, EaselError, ticketDoor } from "./http";
import { Room } from "./room";

/** Answers as Easel does to whoever brings `good`. */
function site(good: () => string) {
  const asked: { path: string; token: string | null }[] = [];
  const answer = (path: string, init?: RequestInit): Promise<Response> => {
    const token = new Headers(init?.headers).get("Authorization")?.replace("Bearer ", "") ?? null;
    asked.push({ path, token });
    const isKnown = token === good();
    const body = isKnown ? { ticket: `for ${token}`, id: token } : { code: "NOT_SIGNED_IN", detail: "Expired." };
    return Promise.resolve(Response.json(body, { status: isKnown ? 201 : 401 }));
  };
  return { asked, fetch: answer as typeof fetch };
}

describe("calls", () => {
  it("ask for a token once, and for another when it is refused", async () => {
    let good = "t1";
    const { asked, fetch } = site(() => good);
    const getToken = vi.fn(() => Promise.resolve(good));
    const http = createHttp({ baseUrl: "https://easel.example", getToken, fetch });

    await Promise.all([http.me(), http.me()]);
    expect(getToken).toHaveBeenCalledTimes(1);
    good = "t2";
    expect(await http.me()).toMatchObject({ id: "t2" });

    expect(getToken).toHaveBeenCalledTimes(2);
    expect(asked.map(({ token }) => token)).toEqual(["t1", "t1", "t1", "t2"]);
  });

  it("do not go round in circles with a token that stays refused, and say who is nobody", async () => {
    const { asked, fetch } = site(() => "another");
    const refused = createHttp({ getToken: () => "old", fetch });
    await expect(refused.me()).rejects.toMatchObject({ status: 401, detail: "Expired." });
    expect(asked).toHaveLength(2);
    const nobody = createHttp({ getToken: () => null, fetch });
    await expect(nobody.me()).rejects.toBeInstanceOf(EaselError);
    expect(asked).toHaveLength(2);
  });

  it("ask again after the app's backend had none", async () => {
    const { fetch } = site(() => "t1");
    const getToken = vi.fn<() => Promise<string>>().mockRejectedValueOnce(new Error("The backend is away.")).mockResolvedValue("t1");
    const http = createHttp({ getToken, fetch });
    await expect(http.me()).rejects.toThrow("The backend is away.");
    expect(await http.me()).toMatchObject({ id: "t1" });
  });
});

describe("a room of another origin", () => {
  let good: string | null;
  let given: string | null;
  let server: FakeServer;
  let room: Room;
  const URL = "wss://easel.example/ws/workflows/w1";
  const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

  beforeEach(async () => {
    vi.useFakeTimers();
    good = given = "t1";
    server = new FakeServer();
    const http = createHttp({ baseUrl: "https://easel.example", getToken: () => given, fetch: site(() => good ?? "").fetch });
    room = new Room({ url: URL, open: server.open, door: ticketDoor(URL, http), newClientId: () => "c1", random: () => 1 });
    room.join();
    await settle();
  });

  afterEach(() => {
    room.leave();
    vi.useRealTimers();
  });

  it("takes a ticket along, each time a new socket opens", async () => {
    expect(server.socket.url).toBe(`${URL}?ticket=for%20t1`);
    server.admit();
    server.socket.drop(1006);
    await settle(400);
    expect(server.sockets).toHaveLength(2);
  });

  it("comes back with a fresh token when its own has expired", async () => {
    server.admit();
    good = given = "t2";
    server.socket.drop(4100);
    expect(room.getState().connection).toBe("reconnecting");
    await settle(400);
    expect(server.socket.url).toBe(`${URL}?ticket=for%20t2`);
    server.admit();
    good = given = "t3";
    server.socket.drop(4100);
    await settle(400);
    expect(server.socket.url).toBe(`${URL}?ticket=for%20t3`);
  });

  it("says that one is signed out when the fresh token is refused as well, or there is none", async () => {
    server.admit();
    good = "t2";
    server.socket.drop(4100);
    await settle(60_000);
    expect(room.getState()).toMatchObject({ connection: "signed-out", closeCode: 4100 });
    expect(server.sockets).toHaveLength(1);
    room.leave();
    given = null;
    room.join();
    await settle(60_000);
    expect(room.getState().connection).toBe("signed-out");
    expect(server.sockets).toHaveLength(1);
  });

  it("opens nothing with a ticket that comes after it has left", async () => {
    server.admit();
    server.socket.drop(1006);
    vi.advanceTimersByTime(400);
    room.leave();
    await settle();
    expect(server.sockets).toHaveLength(1);
  });
});
