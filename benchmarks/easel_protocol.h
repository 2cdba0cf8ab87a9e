/* What the load generator says and hears as an Easel client (canvas/protocol.py). Included by loadgen.c.
 *
 * A drag is presence: {"drag":{"n<slot>":{"x":…,"y":…}}}. It has no room for a text, so x is the intended send time in
 * steps of 10 us since the run began: seven digits or fewer, about what a coordinate has. Receivers read it back from
 * whatever follows "n<slot>": and so survive another spelling of the frame.
 * A push is a document update as the peers send theirs: position and the mark in the node's data.
 * Its result is matched by clientSeq; the time that counts is again the intended one.
 */
enum { STEP_NS = 10000, RING = 4096 };
static const char *rooms_file, *ports = "", *spread = "rooms";
static char **room_ids;
static int push;
static uint64_t base_ns, n_acked, n_rejected;
static uint32_t *acks;

static void easel_setup(void) {
  base_ns = now(); acks = calloc(NB, 4);
  if (!rooms_file) return;
  FILE *f = fopen(rooms_file, "r"); if (!f) die("rooms-file");
  room_ids = calloc(rooms, sizeof(char *));
  for (int i = 0; i < rooms; i++) {
    char id[64];
    if (fscanf(f, "%63s", id) != 1) die("rooms-file");
    room_ids[i] = strdup(id);
  }
  fclose(f);
}
/* With several servers, whole rooms or the clients of each room go round them. */
static int easel_port(int gid, int room) {
  int found[8], n = 0;
  for (const char *s = ports; *s && n < 8; s += *s == ',') found[n++] = strtol(s, (char **)&s, 10);
  if (!n) return port;
  return found[(strcmp(spread, "clients") ? room : gid / rooms) % n];
}
static void easel_open(conn *c) {
  char b[160];
  int n = snprintf(b, sizeof b, "{\"type\":\"hello\",\"protocol\":1,\"clientId\":\"%s-%d\",\"resume\":null}",
                   prefix, c->gid);
  ws_send(c, 1, (uint8_t *)b, n);
}
static void easel_move(conn *c, uint64_t ts) {
  uint32_t k = c->clock++; int slot = c->gid / rooms, n; char b[400];
  if (!push) {
    n = snprintf(b, sizeof b, "{\"type\":\"presence\",\"set\":{\"drag\":{\"n%d\":{\"x\":%lu,\"y\":%.1f}}}}", slot,
                 (ts - base_ns) / STEP_NS, (k * 53 + c->gid * 11) % 99999 / 10.0);
    ws_send(c, 1, (uint8_t *)b, n);
    return;
  }
  char m[24]; marker(m, ts, c->gid & 0xffff);
  if (!c->sent_at) c->sent_at = calloc(RING, sizeof(uint64_t));
  c->sent_at[c->clock % RING] = ts;
  n = snprintf(b, sizeof b,
               "{\"type\":\"push\",\"clientSeq\":%u,\"ops\":[{\"op\":\"update\",\"kind\":\"node\",\"id\":\"n%d\",\"set\":{\"/position\":{\"x\":%.1f,\"y\":%.1f},\"/data/t\":\"%s\"}}]}", c->clock, slot, (k * 37) % 99999 / 10.0,
               (k * 53 + c->gid * 11) % 99999 / 10.0, m);
  ws_send(c, 1, (uint8_t *)b, n);
}
/* The number after a key, in the first bytes of a message; -1 without one. */
static long after(const uint8_t *p, size_t n, const char *key) {
  const uint8_t *f = memmem(p, n < 200 ? n : 200, key, strlen(key));
  return f ? strtol((const char *)f + strlen(key), NULL, 10) : -1;
}
static void easel_result(conn *c, const uint8_t *p, size_t n, uint64_t t) {
  long seq = after(p, n, "\"clientSeq\":");
  if (!c->sent_at || seq < 1 || memmem(p, n < 200 ? n : 200, "\"reject\"", 8)) { n_rejected++; return; }
  uint64_t ts = c->sent_at[seq % RING];
  if (!in_window(ts)) return;
  n_acked++;
  count_in(acks, ts, t);
}
static void easel_message(conn *c, const uint8_t *p, size_t n, uint64_t t) {
  static const char SNAPSHOT[] = "{\"type\":\"snapshot\"", RESULT[] = "{\"type\":\"result\"";
  static const char ERROR[] = "{\"type\":\"error\"";
  if (c->st == S_PROTO && n > sizeof SNAPSHOT && !memcmp(p, SNAPSHOT, sizeof SNAPSHOT - 1)) {
    if (after(p, n, "\"part\":") == after(p, n, "\"parts\":")) ready(c);
  } else if (n > sizeof RESULT && !memcmp(p, RESULT, sizeof RESULT - 1)) easel_result(c, p, n, t);
  else if (n > sizeof ERROR && !memcmp(p, ERROR, sizeof ERROR - 1)) {
    if (getenv("LG_DEBUG")) fprintf(stderr, "%.*s\n", (int)n, p);
    nerr++;
  }
}
static void easel_scan(conn *c, const uint8_t *p, size_t n, uint64_t t) {
  const uint8_t *e = p + n; int own = c->gid / rooms;
  while (p < e && (p = memmem(p, e - p, "{\"n", 3))) {
    p += 3;
    int slot = 0, digits = 0;
    for (; p < e && *p >= '0' && *p <= '9'; p++, digits++) slot = slot * 10 + (*p - '0');
    if (!digits || e - p < 12 || p[0] != '"' || p[1] != ':') continue;
    for (int i = 0; i < 8 && (*p < '0' || *p > '9'); i++) p++;
    uint64_t x = 0;
    for (; p < e && *p >= '0' && *p <= '9'; p++) x = x * 10 + (*p - '0');
    uint64_t ts = base_ns + x * STEP_NS;
    if (!in_window(ts)) continue;
    if (slot == own) { n_own++; continue; }
    n_del++;
    count_in(hist, ts, t);
  }
}
