/* easel_protocol.h alone: what a drag says at one end is read back at the other, however a frame spells it. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { S_PROTO, S_READY, BUCKET_US = 20, NB = 250000 };
typedef struct { int gid, st; uint32_t clock; uint64_t *sent_at; } conn;
static int port, rooms = 2, nerr;
static const char *prefix = "test";
static uint64_t w0, w1 = UINT64_MAX, n_sent, n_own, n_del, n_overmax;
static uint32_t hist[NB];
static char said[512];
static uint64_t now(void) { return 5000000000ull; }
static void die(const char *why) { fprintf(stderr, "%s\n", why); exit(2); }
static void ready(conn *c) { c->st = S_READY; }
static void marker(char *o, uint64_t t, int gid) { sprintf(o, "@T%016lx%04x", t, gid); }
static void ws_send(conn *c, int op, const uint8_t *p, size_t n) { (void)c; (void)op; snprintf(said, sizeof said, "%.*s", (int)n, p); }
#include "easel_protocol.h"

int main(void) {
  conn sender = {.gid = 25}, receiver = {.gid = 7};  /* slots 12 and 3 of room 1 */
  easel_setup();
  (void)easel_port; (void)easel_open; (void)easel_message; (void)port; (void)n_sent;
  easel_move(&sender, now() + 1234567890);
  puts(said);
  unsigned x = atoi(strstr(said, "\"x\":") + 4);
  const char *spellings[] = {"{\"ses_1\":{\"drag\":{\"n12\":{\"x\":%u.0,\"y\":1.5}}}}", "{\"d\":{\"n12\":[%u,1.5]}}", "{\"n12\":{\"x\": %u}, \"name\":1}"};
  for (int i = 0; i < 3; i++) {
    char frame[200]; int n = sprintf(frame, spellings[i], x);
    easel_scan(&receiver, (uint8_t *)frame, n, now() + 1234567890 + 7000000);  /* 7 ms later */
    easel_scan(&sender, (uint8_t *)frame, n, now() + 1234567890 + 7000000);
  }
  printf("%lu delivered, %lu own, %u at 7 ms\n", n_del, n_own, hist[350]);
  return 0;
}
