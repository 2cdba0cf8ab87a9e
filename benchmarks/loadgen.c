/* The load generator: many WebSocket clients of one server, in one thread on one core.
 *
 * Opens rooms × clients connections; some of them send a "node move" at a fixed rate on an open-loop schedule, the others
 * listen. Latency counts from the intended time of a move, so a stall of the server or of this program is not hidden
 * (no coordinated omission). With a window there is no schedule: the next move is sent when, of those before it, fewer
 * than so many are still on their way to the sampled receivers, on average. Prints one JSON object; times in ms, CPU in cores.
 *
 * cc -O2 -o loadgen loadgen.c -lz
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include "loadgen_measures.h"
#include "loadgen_wire.h"
#include "loadgen_peers.h"
#include "easel_protocol.h"

enum { LOOK_NS = 5000000, LONGEST_WAIT_NS = 20000000, SENDS_A_TURN = 64, RESIDENT = 65000 };
static const uint64_t PATIENCE_NS = 60000000000ull;
static const double DRAIN_S = 1.5, MERGED_DRAIN_S = 0.5;  /* a merging server owes only the newest */
static const char *schema_file;
static int clients = 2, senders = 1, sample = 1, merges, burst = 64, joins, joins_at_once = 1, beside;
static int window;                     /* 0: the schedule */
static double hz = 60, warmup_s = 2, measured_s = 5, hold_s;
static int *listeners;                 /* of each room: clients that read the marks of what they get */

static int port_of(int gid, int room) { return proto == EASEL ? easel_port(gid, room) : port; }
static const char *name_of(int room) { return room_ids ? room_ids[room] : NULL; }
static void on_open(conn *c) {
  if (proto == EASEL) easel_open(c);
  else peer_open(c);
}
static void on_message(conn *c, int op, const uint8_t *p, size_t n, uint64_t t) {
  if (proto == EASEL) easel_message(c, p, n, t);
  else peer_message(c, op, p, n);
  if (!c->sampled) return;
  if (proto == EASEL && !push) easel_scan(c, p, n, t);
  else scan_markers(c->gid, p, n, t);
}

/* Joins of one room, one after another or some at once. One client stays: the document is loaded all the time. */
static int later(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}
static void forget(conn *c) {
  drop(c);
  free(c->in.at);
  free(c->out.at);
  c->in = c->out = (struct bytes){0};
}
static void join(void) {
  double *ms = calloc(joins, sizeof(double)), each[PROCESSES], bytes = 0;
  conn *joining = calloc(joins_at_once, sizeof(conn)), resident;
  uint64_t end = now() + PATIENCE_NS;
  int done = 0, next = 0;
  for (int i = 0; i < joins_at_once; i++) joining[i].st = S_CLOSED;
  conn_open(&resident, RESIDENT, 0);
  while (resident.st != S_READY && resident.st != S_CLOSED && now() < end) poll_for(LOOK_NS);
  usleep(300000);
  double before = cpus(each);
  while (done + nerr < joins && now() < end) {
    for (int i = 0; i < joins_at_once; i++) {
      conn *c = &joining[i];
      if (c->st == S_READY) {
        ms[done++] = (now() - c->opened_at) / 1e6;
        bytes += c->bytes_in;
        forget(c);
        if (joins_at_once == 1) usleep(20000);
      }
      if (c->st == S_CLOSED && next < joins) conn_open(c, next++, 0);
    }
    poll_for(LOOK_NS);
  }
  double cpu_ms = (cpus(each) - before) * 1000;
  qsort(ms, done, sizeof(double), later);
  printf("{\"joins\":%d,\"errors\":%d,\"join_p50_ms\":%.2f,\"join_p99_ms\":%.2f,\"bytes_per_join\":%.0f,"
         "\"srv_cpu_ms_per_join\":%.2f}\n", done, nerr, done ? ms[done / 2] : -1, done ? ms[(int)(done * .99)] : -1,
         done ? bytes / done : 0, done ? cpu_ms / done : 0);
}

/* Everybody in. A client's number is slot × rooms + room, so that the senders of every room come first. */
static conn *everybody(int n, double *took_s) {
  conn *all = calloc(n, sizeof(conn));
  listeners = calloc(rooms, sizeof(int));
  if (!all || !listeners) die("memory");
  uint64_t begun = now(), end = begun + PATIENCE_NS;
  for (int i = 0; i < n; i++) {
    while (n_opening >= burst && now() < end) poll_for(LOOK_NS);
    conn_open(&all[i], i, i % rooms);
    all[i].sampled = i / rooms % sample == 0;
    listeners[i % rooms] += all[i].sampled;
    if (i % 16 == 0) poll_for(0);
  }
  while (n_ready + n_closed < n && now() < end) poll_for(LOOK_NS);
  *took_s = (now() - begun) / 1e9;
  return all;
}
static void hold(double connect_s) {
  for (uint64_t end = now() + (uint64_t)(hold_s * 1e9); now() < end;) poll_for(LONGEST_WAIT_NS);
  printf("{\"connected\":%d,\"connect_s\":%.2f,\"closed\":%d,\"errors\":%d}\n", n_ready, connect_s, n_closed, nerr);
}

struct look { uint64_t at; double server, own, beside, each[PROCESSES]; };
static void take_look(struct look *l) {
  l->at = now();
  l->server = cpus(l->each);
  l->own = own_cpu();
  l->beside = beside ? family_cpu(beside) : 0;
}
static int64_t until_next(uint64_t next_send, const struct look looks[2]) {
  uint64_t t = now(), wake = t + LONGEST_WAIT_NS;
  if (next_send < w1 && next_send < wake) wake = next_send;
  if (!looks[0].at && w0 < wake) wake = w0;
  if (looks[0].at && !looks[1].at && w1 < wake) wake = w1;
  return wake > t ? (int64_t)(wake - t) : 0;
}
static void send_one(conn *c, uint64_t intended) {
  if (c->st != S_READY) return;
  if (proto == EASEL) easel_move(c, intended);
  else peer_move(c, intended);
  n_owed += listeners[c->room] - c->sampled;
  if (!in_window(intended)) return;
  n_sent++;
  n_expected += listeners[c->room] - c->sampled;
  count_in(lags, intended, now());
}
/* When the next move is due. The schedule: sender k of n fires at k, n + k, 2n + k … steps, never in lockstep. */
static uint64_t due(const conn *sender, uint64_t scheduled, uint64_t t) {
  if (!window) return scheduled;
  uint64_t each = listeners[sender->room] - sender->sampled;
  return n_owed + each <= n_seen + window * each ? t : UINT64_MAX;
}
static void drive(conn *all, struct look looks[2]) {
  int n = rooms * senders;
  double step = 1e9 / (hz * n);
  uint64_t begin = now() + 50000000, turn = 0;
  w0 = begin + (uint64_t)(warmup_s * 1e9);
  w1 = w0 + (uint64_t)(measured_s * 1e9);
  uint64_t end = w1 + (uint64_t)((merges ? MERGED_DRAIN_S : DRAIN_S) * 1e9);
  for (;;) {
    uint64_t t = now(), next;
    if (!looks[0].at && t >= w0) take_look(&looks[0]);
    if (looks[0].at && !looks[1].at && t >= w1) take_look(&looks[1]);
    if (t >= end || (looks[1].at && !merges && n_del >= n_expected && (!push || n_acked >= n_sent))) return;
    int sent = 0;
    while ((next = due(&all[turn % n], begin + (uint64_t)(turn * step), t)) <= t && next < w1 && sent++ < SENDS_A_TURN)
      send_one(&all[turn++ % n], window ? now() : next);  /* two marks that are the same would be no change */
    poll_for(until_next(next, looks));
  }
}
static void report(const struct look looks[2], double connect_s) {
  double wall = (looks[1].at - looks[0].at) / 1e9, missing = merges || n_expected < n_del ? 0 : n_expected - n_del;
  double unacked = push && n_sent > n_acked ? n_sent - n_acked : 0;
  printf("{\"connected\":%d,\"closed\":%d,\"errors\":%d,\"rejected\":%lu,\"connect_s\":%.2f,\"sent\":%lu,"
         "\"sent_per_s\":%.0f,\"expected\":%lu,\"delivered\":%lu,\"ratio\":%.4f,\"frames_per_s\":%.0f,"
         "\"mb_per_s\":%.3f,",
         n_ready, n_closed, nerr, n_rejected, connect_s, n_sent, n_sent / wall, n_expected, n_del,
         n_expected ? (double)n_del / n_expected : 0, n_frames / wall, n_bytes / wall / 1e6);
  printf("\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f,\"lag_p99\":%.2f,\"acked\":%lu,\"ack_p50\":%.2f,\"ack_p99\":%.2f,",
         quantile(hist, n_del, missing, .5), quantile(hist, n_del, missing, .9), quantile(hist, n_del, missing, .99),
         quantile(lags, n_sent, 0, .99), n_acked, quantile(acks, n_acked, unacked, .5),
         quantile(acks, n_acked, unacked, .99));
  printf("\"srv_cpu\":%.3f,\"gen_cpu\":%.3f,\"beside_cpu\":%.3f,\"rss_kb\":%ld,\"cpu_each\":[",
         (looks[1].server - looks[0].server) / wall, (looks[1].own - looks[0].own) / wall,
         (looks[1].beside - looks[0].beside) / wall, rss_kb());
  for (int i = 0; i < n_pids; i++) printf("%s%.3f", i ? "," : "", (looks[1].each[i] - looks[0].each[i]) / wall);
  printf("],\"began\":%.4f,\"ended\":%.4f}\n", looks[0].at / 1e9, looks[1].at / 1e9);
}

/* Options: `--name value`, and flags. */
struct option { const char *name; enum { NUMBER, REAL, WORD, FLAG, SIZE } kind; void *into; };
static const char *proto_name = "raw", *pid_list = "";
static const struct option OPTIONS[] = {
    {"--port", NUMBER, &port}, {"--path", WORD, &path_pattern}, {"--rooms", NUMBER, &rooms},
    {"--clients", NUMBER, &clients},
    {"--senders", NUMBER, &senders}, {"--hz", REAL, &hz}, {"--warmup", REAL, &warmup_s}, {"--secs", REAL, &measured_s},
    {"--hold", REAL, &hold_s}, {"--window", NUMBER, &window}, {"--sample", NUMBER, &sample}, {"--deflate", FLAG, &offers_deflate},
    {"--merges", FLAG, &merges}, {"--pids", WORD, &pid_list}, {"--schema", WORD, &schema_file},
    {"--join", NUMBER, &joins},
    {"--at-once", NUMBER, &joins_at_once}, {"--ready-bytes", SIZE, &ready_bytes}, {"--burst", NUMBER, &burst},
    {"--beside", NUMBER, &beside},
    {"--prefix", WORD, &prefix}, {"--proto", WORD, &proto_name}, {"--rooms-file", WORD, &rooms_file},
    {"--header", WORD, &header}, {"--ports", WORD, &ports}, {"--spread", WORD, &spread}, {"--push", FLAG, &push},
};
static void read_option(const struct option *o, const char *value) {
  switch (o->kind) {
    case FLAG: *(int *)o->into = 1; break;
    case NUMBER: *(int *)o->into = atoi(value); break;
    case REAL: *(double *)o->into = atof(value); break;
    case SIZE: *(size_t *)o->into = strtoul(value, NULL, 10); break;
    case WORD: *(const char **)o->into = value; break;
  }
}
static void read_options(int argc, char **argv) {
  enum { KNOWN = sizeof OPTIONS / sizeof *OPTIONS };
  for (int i = 1; i < argc; i++) {
    int k = 0;
    while (k < KNOWN && strcmp(argv[i], OPTIONS[k].name)) k++;
    if (k == KNOWN || (OPTIONS[k].kind != FLAG && i + 1 == argc)) {
      fprintf(stderr, "loadgen: %s is no option, or lacks its value\n", argv[i]);
      exit(2);
    }
    read_option(&OPTIONS[k], OPTIONS[k].kind == FLAG ? NULL : argv[++i]);
  }
  int found = 0;
  while (found < PROTOS && strcmp(proto_name, PROTO_NAMES[found])) found++;
  if (found == PROTOS) { fprintf(stderr, "loadgen: %s is no protocol\n", proto_name); exit(2); }
  proto = found;
  if (senders > clients) senders = clients;
  if (window && (merges || rooms > 1)) { fprintf(stderr, "loadgen: a window is one room's, and all of it arrives\n"); exit(2); }
  watch(pid_list);
}
static void read_schema(void) {
  FILE *f = fopen(schema_file ? schema_file : "", "r");
  if (!f) die("--schema");
  tldraw_schema = calloc(1, 1 << 15);
  if (!fread(tldraw_schema, 1, (1 << 15) - 1, f)) die("--schema");
  fclose(f);
}
int main(int argc, char **argv) {
  read_options(argc, argv);
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1000);
  struct rlimit files = {1 << 20, 1 << 20};
  if (setrlimit(RLIMIT_NOFILE, &files)) {
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  hist = calloc(NB, sizeof *hist);
  lags = calloc(NB, sizeof *lags);
  epoll = epoll_create1(0);
  deflateInit2(&deflater, 1, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
  easel_setup();
  if (proto == TLDRAW) read_schema();
  if (joins) { join(); return 0; }
  double connect_s;
  conn *all = everybody(rooms * clients, &connect_s);
  if (hold_s > 0) { hold(connect_s); return 0; }
  struct look looks[2] = {{0}};
  drive(all, looks);
  report(looks, connect_s);
  return 0;
}
