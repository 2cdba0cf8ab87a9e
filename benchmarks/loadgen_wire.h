/* Connections and WebSocket frames (RFC 6455, RFC 7692), as a client: sockets that never block, one epoll. */
enum st { S_HTTP, S_PROTO, S_READY, S_CLOSED };
enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, COMPRESSED = 0x40, FINAL = 0x80 };

struct bytes { uint8_t *at; size_t n, room; };
typedef struct {
  int fd, room, gid, sampled, wants_out, deflates, is_compressed;
  enum st st;
  struct bytes in, out;                /* a frame that is not whole yet; what the socket did not take */
  size_t out_from;
  uint64_t opened_at, bytes_in, *sent_at;
  uint32_t yjs_id, clock;
  char room_name[64];
  z_stream *inflater;
} conn;

static const char *path_pattern = "/{room}", *header = "", *prefix = "room";
static int port, rooms = 1, offers_deflate, epoll;
static int n_opening, n_ready, n_closed;
static size_t ready_bytes;             /* a message so long is the whole document: the join is done */
static z_stream deflater;
enum { READ_BYTES = 1 << 20 };
static uint8_t read_buffer[READ_BYTES], inflated[4 << 20];

static void on_open(conn *c);
static void on_message(conn *c, int op, const uint8_t *p, size_t n, uint64_t t);
static int port_of(int gid, int room);
static const char *name_of(int room);

static void append(struct bytes *b, const uint8_t *p, size_t n) {
  if (b->n + n > b->room) {
    b->room = (b->n + n) * 2;
    if (!(b->at = realloc(b->at, b->room))) die("memory");
  }
  memcpy(b->at + b->n, p, n);
  b->n += n;
}
static void drop(conn *c) {
  if (c->st == S_CLOSED) return;
  n_opening -= c->st != S_READY;
  close(c->fd);
  c->st = S_CLOSED;
  n_closed++;
}
static void fail(conn *c) { nerr++; drop(c); }
static void ready(conn *c) {
  if (c->st != S_PROTO) return;
  c->st = S_READY;
  n_opening--;
  n_ready++;
}
static void listen_for(conn *c, int wants_out) {
  c->wants_out = wants_out;
  struct epoll_event e = {.events = EPOLLIN | (wants_out ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
}
static void put(conn *c, const uint8_t *p, size_t n) {
  if (c->st == S_CLOSED) return;
  if (!c->out.n) {
    ssize_t taken = send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken < 0 && errno != EAGAIN) { fail(c); return; }
    if (taken > 0) { p += taken; n -= taken; }
    if (!n) return;
  }
  append(&c->out, p, n);
  if (!c->wants_out) listen_for(c, 1);
}
static void put_rest(conn *c) {
  while (c->out_from < c->out.n) {
    ssize_t taken = send(c->fd, c->out.at + c->out_from, c->out.n - c->out_from, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken < 0) { if (errno != EAGAIN) fail(c); return; }
    c->out_from += taken;
  }
  c->out.n = c->out_from = 0;
  listen_for(c, 0);
}
static void ws_send(conn *c, int op, const uint8_t *p, size_t n) {
  static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
  static uint8_t frame[1 << 16], small[1 << 15];
  size_t at = 0;
  frame[at] = FINAL | op;
  if (c->deflates && op < CLOSE) {     /* each message from a fresh window: always legal */
    deflateReset(&deflater);
    deflater.next_in = (uint8_t *)p; deflater.avail_in = n;
    deflater.next_out = small; deflater.avail_out = sizeof small;
    deflate(&deflater, Z_SYNC_FLUSH);
    p = small; n = sizeof small - deflater.avail_out - 4; frame[at] |= COMPRESSED;
  }
  at++;
  if (n > sizeof frame - 8) die("a message is too long to send");
  if (n < 126) frame[at++] = 0x80 | n;
  else { frame[at++] = 0x80 | 126; frame[at++] = n >> 8; frame[at++] = n; }
  memcpy(frame + at, mask, 4); at += 4;
  for (size_t i = 0; i < n; i++) frame[at + i] = p[i] ^ mask[i & 3];
  put(c, frame, at + n);
}
static size_t inflate_frame(conn *c, const uint8_t *p, size_t n, int is_final) {
  if (!c->inflater) { c->inflater = calloc(1, sizeof(z_stream)); inflateInit2(c->inflater, -15); }
  z_stream *z = c->inflater;
  z->next_in = (uint8_t *)p; z->avail_in = n; z->next_out = inflated; z->avail_out = sizeof inflated;
  inflate(z, Z_SYNC_FLUSH);
  if (is_final) { z->next_in = (uint8_t *)"\0\0\xff\xff"; z->avail_in = 4; inflate(z, Z_SYNC_FLUSH); }
  if (!z->avail_out) die("a message is too long to inflate");
  return sizeof inflated - z->avail_out;
}
static void on_frame(conn *c, const uint8_t *f, const uint8_t *p, size_t n, uint64_t t) {
  int op = f[0] & 15;
  if (op == PING) { ws_send(c, PONG, p, n); return; }
  if (op == PONG) return;
  if (op == CLOSE) {
    int code = n > 1 ? p[0] << 8 | p[1] : 0;
    if (getenv("LG_DEBUG")) fprintf(stderr, "closed: %d %.*s\n", code, n > 2 ? (int)n - 2 : 0, p + 2);
    drop(c);
    return;
  }
  n_frames += in_window(t);
  if (op) c->is_compressed = f[0] & COMPRESSED;
  if (c->is_compressed && (c->sampled || c->st != S_READY)) { n = inflate_frame(c, p, n, f[0] & FINAL); p = inflated; }
  if (c->st == S_PROTO && ready_bytes && n >= ready_bytes) ready(c);
  on_message(c, op ? op : BINARY, p, n, t);
}
/* How many of the bytes were whole. */
static size_t parse(conn *c, const uint8_t *b, size_t n, uint64_t t) {
  size_t at = 0;
  if (c->st == S_HTTP) {
    const uint8_t *end = memmem(b, n, "\r\n\r\n", 4);
    if (!end) return 0;
    if (n < 12 || memcmp(b + 9, "101", 3)) {
      if (getenv("LG_DEBUG")) fprintf(stderr, "%.*s\n", (int)n, b);
      fail(c);
      return n;
    }
    c->deflates = offers_deflate && memmem(b, end - b, "permessage-deflate", 18);
    at = end + 4 - b;
    c->st = S_PROTO;
    on_open(c);
  }
  while (c->st != S_CLOSED && n - at >= 2) {
    const uint8_t *f = b + at;
    size_t head = 2;
    uint64_t length = f[1] & 127;
    int wide = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (n - at < head + wide) break;
    if (wide) length = 0;
    for (int i = 0; i < wide; i++) length = length << 8 | f[head++];
    if (n - at - head < length) break;
    on_frame(c, f, f + head, length, t);
    at += head + length;
  }
  return at;
}
static void take(conn *c) {
  ssize_t got = recv(c->fd, read_buffer, READ_BYTES, MSG_DONTWAIT);
  if (got <= 0) { if (!got || (errno != EAGAIN && errno != EINTR)) drop(c); return; }
  uint64_t t = now();
  if (in_window(t)) n_bytes += got;
  c->bytes_in += got;
  if (!c->in.n) {
    size_t whole = parse(c, read_buffer, got, t);
    if (c->st != S_CLOSED && whole < (size_t)got) append(&c->in, read_buffer + whole, got - whole);
    return;
  }
  append(&c->in, read_buffer, got);
  size_t whole = parse(c, c->in.at, c->in.n, t);
  memmove(c->in.at, c->in.at + whole, c->in.n - whole);
  c->in.n -= whole;
}
static void fill_path(char *out, size_t room_left, const conn *c) {
  for (const char *s = path_pattern; *s && room_left > 1;) {
    int is_room = !strncmp(s, "{room}", 6);
    int took = is_room ? snprintf(out, room_left, "%s", c->room_name) : snprintf(out, room_left, "%c", *s);
    s += is_room ? 6 : 1;
    if (took < 0 || (size_t)took >= room_left) die("the path is too long");
    out += took;
    room_left -= took;
  }
}
static void conn_open(conn *c, int gid, int room) {
  *c = (conn){.gid = gid, .room = room, .opened_at = now(), .st = S_CLOSED};
  c->yjs_id = 100000000u + (uint32_t)(c->opened_at % 1000000) * 1000u + gid;
  if (name_of(room)) snprintf(c->room_name, sizeof c->room_name, "%s", name_of(room));
  else snprintf(c->room_name, sizeof c->room_name, "%s%d", prefix, room);
  if ((c->fd = socket(AF_INET, SOCK_STREAM, 0)) < 0) die("socket");
  int one = 1, to = port_of(gid, room);
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct sockaddr_in address = {AF_INET, htons(to), {htonl(INADDR_LOOPBACK)}, {0}};
  if (connect(c->fd, (void *)&address, sizeof address)) { nerr++; n_closed++; close(c->fd); return; }
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  c->st = S_HTTP;
  n_opening++;
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e);
  char path[256] = "", words[1200];
  fill_path(path, sizeof path, c);
  int n = snprintf(words, sizeof words,
                   "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Origin: http://127.0.0.1:%d\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                   "Sec-WebSocket-Version: 13\r\n%s%s\r\n", path, to, to, header,
                   offers_deflate ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
  if (n >= (int)sizeof words) die("the request is too long");
  put(c, (uint8_t *)words, n);
}
static void poll_for(int64_t ns) {
  struct epoll_event events[256];
  struct timespec patience = {ns / 1000000000, ns % 1000000000};
  int n = epoll_pwait2(epoll, events, 256, &patience, NULL);
  for (int i = 0; i < n; i++) {
    conn *c = events[i].data.ptr;
    if (c->st != S_CLOSED && events[i].events & EPOLLOUT) put_rest(c);
    if (c->st != S_CLOSED && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) take(c);
  }
}
