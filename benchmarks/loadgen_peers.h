/* What the peers' clients say and hear: a move of about 100 bytes with the mark in it, each in its own protocol.
 *
 * raw: our own JSON through a relay. yws, hocus: Yjs updates (y-protocols/sync; lib0 encoding; Hocuspocus puts the
 * document's name before each message and asks for sign-in first). tldraw: connect with the schema, `put`, `patch`.
 * sio: an event of Socket.IO 4 (Engine.IO 4 over WebSocket).
 */
enum proto { RAW, YWS, HOCUS, TLDRAW, SIO, EASEL, PROTOS };
static const char *const PROTO_NAMES[] = {"raw", "yws", "hocus", "tldraw", "sio", "easel"};
enum { SYNC = 0, AUTH = 2, SYNC_REPLY = 4, STEP_1 = 0, STEP_2 = 1, UPDATE = 2 };
static enum proto proto = RAW;
static char *tldraw_schema;

static uint8_t *var_uint(uint8_t *p, uint64_t v) {
  for (; v > 127; v >>= 7) *p++ = 0x80 | (v & 127);
  *p++ = v;
  return p;
}
static uint8_t *var_string(uint8_t *p, const char *s) {
  size_t n = strlen(s);
  p = var_uint(p, n);
  memcpy(p, s, n);
  return p + n;
}
static uint64_t read_var_uint(const uint8_t **p, const uint8_t *end) {
  uint64_t v = 0;
  for (int shift = 0; *p < end && shift < 64; shift += 7) {
    uint8_t b = *(*p)++;
    v |= (uint64_t)(b & 127) << shift;
    if (b < 128) break;
  }
  return v;
}
static uint8_t *any_number(uint8_t *p, const char *key, double value) {
  uint64_t bits;
  memcpy(&bits, &value, 8);
  p = var_string(p, key);
  *p++ = 123;                          /* lib0 "any": a float64, big end first */
  for (int shift = 56; shift >= 0; shift -= 8) *p++ = bits >> shift;
  return p;
}
static uint8_t *any_text(uint8_t *p, const char *key, const char *value) {
  p = var_string(p, key);
  *p++ = 119;
  return var_string(p, value);
}
static uint8_t *sync_head(uint8_t *p, const conn *c, int step) {
  if (proto == HOCUS) p = var_string(p, c->room_name);
  *p++ = SYNC;
  *p++ = step;
  return p;
}
static void yjs_say(conn *c, int step, const uint8_t *payload, size_t n) {
  uint8_t b[512], *p = sync_head(b, c, step);
  p = var_uint(p, n);
  memcpy(p, payload, n);
  ws_send(c, BINARY, b, p + n - b);
}
static void yjs_open(conn *c) {
  if (proto == HOCUS) {
    uint8_t b[128], *p = var_string(b, c->room_name);
    *p++ = AUTH;
    *p++ = 0;
    p = var_string(var_string(p, "token"), "4.7.0");
    ws_send(c, BINARY, b, p - b);
  }
  yjs_say(c, STEP_1, (const uint8_t *)"\0", 1);  /* an empty state vector: we have nothing */
}
/* nodes.set(id, {id, x, y, t}): one item, which replaces and deletes this client's one before. */
static void yjs_move(conn *c, uint32_t k, const char *id, double x, double y, const char *mark) {
  uint8_t u[320], *p = u;
  *p++ = 1;                            /* one client */
  *p++ = 1;                            /* one item */
  p = var_uint(var_uint(p, c->yjs_id), k);
  if (k) { *p++ = 0xa8; p = var_uint(var_uint(p, c->yjs_id), k - 1); }  /* a left origin, a key, any */
  else { *p++ = 0x28; *p++ = 1; p = var_string(var_string(p, "nodes"), id); }
  *p++ = 1; *p++ = 118; *p++ = 4;      /* one value: an object of four */
  p = any_text(any_number(any_number(any_text(p, "id", id), "x", x + 0.01), "y", y + 0.01), "t", mark);
  *p++ = k > 0;                        /* the delete set */
  if (k) { p = var_uint(p, c->yjs_id); *p++ = 1; p = var_uint(p, k - 1); *p++ = 1; }
  yjs_say(c, UPDATE, u, p - u);
}
static void yjs_message(conn *c, const uint8_t *p, size_t n) {
  const uint8_t *end = p + n;
  if (proto == HOCUS) {
    uint64_t name = read_var_uint(&p, end);
    if (name >= (uint64_t)(end - p)) return;
    p += name;
  }
  uint64_t type = read_var_uint(&p, end);
  if (type != SYNC && !(proto == HOCUS && type == SYNC_REPLY)) return;
  uint64_t step = read_var_uint(&p, end);
  if (step == STEP_1) yjs_say(c, STEP_2, (const uint8_t *)"\0\0", 2);  /* nothing that the server lacks */
  else if (step == STEP_2 && !ready_bytes) ready(c);
}
static void tldraw_open(conn *c) {
  static char b[1 << 15];
  int n = snprintf(b, sizeof b,
                   "{\"type\":\"connect\",\"connectRequestId\":\"r%d\",\"lastServerClock\":-1,\"protocolVersion\":8,"
                   "\"schema\":%s}", c->gid, tldraw_schema);
  ws_send(c, TEXT, (uint8_t *)b, n);
}
static int tldraw_move(char *b, size_t room, uint32_t k, const char *id, double x, double y, const char *mark) {
  if (!k)
    return snprintf(b, room,
                    "{\"type\":\"push\",\"clientClock\":0,\"diff\":{\"node:%s\":[\"put\",{\"id\":\"node:%s\","
                    "\"typeName\":\"node\",\"x\":%.1f,\"y\":%.1f,\"t\":\"%s\"}]}}", id, id, x, y, mark);
  return snprintf(b, room,
                  "{\"type\":\"push\",\"clientClock\":%u,\"diff\":{\"node:%s\":[\"patch\",{\"x\":[\"put\",%.1f],"
                  "\"y\":[\"put\",%.1f],\"t\":[\"put\",\"%s\"]}]}}", k, id, x, y, mark);
}
static void sio_message(conn *c, const uint8_t *p, size_t n) {
  if (n && p[0] == '0') ws_send(c, TEXT, (const uint8_t *)"40", 2);
  else if (n == 1 && p[0] == '2') ws_send(c, TEXT, (const uint8_t *)"3", 1);
  else if (n > 1 && p[0] == '4' && p[1] == '0') ready(c);
}

static void peer_open(conn *c) {
  if (proto == YWS || proto == HOCUS) yjs_open(c);
  else if (proto == TLDRAW) tldraw_open(c);
  else if (proto == RAW && !ready_bytes) ready(c);
}
static void peer_move(conn *c, uint64_t intended) {
  char mark[MARK + 1], id[16], b[400];
  uint32_t k = c->clock++;
  double x = (k * 37) % 99999 / 10.0, y = (k * 53 + c->gid * 11) % 99999 / 10.0;
  marker(mark, intended, c->gid);
  snprintf(id, sizeof id, "n%d", c->gid);
  if (proto == YWS || proto == HOCUS) { yjs_move(c, k, id, x, y, mark); return; }
  int n = proto == TLDRAW ? tldraw_move(b, sizeof b, k, id, x, y, mark)
                          : snprintf(b, sizeof b,
                                     "%s{\"op\":\"move\",\"id\":\"%s\",\"x\":%.1f,\"y\":%.1f,\"t\":\"%s\","
                                     "\"by\":\"client-%05d\"}%s",
                                     proto == SIO ? "42[\"move\"," : "", id, x, y, mark, c->gid,
                                     proto == SIO ? "]" : "");
  ws_send(c, TEXT, (uint8_t *)b, n);
}
static void peer_message(conn *c, int op, const uint8_t *p, size_t n) {
  if (proto == YWS || proto == HOCUS) yjs_message(c, p, n);
  else if (proto == SIO && op == TEXT) sio_message(c, p, n);
  else if (proto == TLDRAW && c->st == S_PROTO && !ready_bytes && memmem(p, n, "hydrationType", 13)) ready(c);
}
