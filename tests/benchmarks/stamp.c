/* easel_protocol.h alone: what a drag says at one end is read back at the other, however a frame spells it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "loadgen_measures.h"

enum { S_PROTO, S_READY };
typedef struct { int gid, st; uint32_t clock; uint64_t *sent_at; } conn;
static int port, rooms = 2;
static const char *prefix = "test";
static char said[512];
static void ready(conn *c) { c->st = S_READY; }
static void ws_send(conn *c, int op, const uint8_t *p, size_t n) {
  (void)c; (void)op;
  snprintf(said, sizeof said, "%.*s", (int)n, p);
}
#include "easel_protocol.h"

int main(void) {
  conn sender = {.gid = 25}, receiver = {.gid = 7};  /* slots 12 and 3 of room 1 */
  hist = calloc(NB, sizeof *hist);
  w1 = UINT64_MAX;
  easel_setup();
  (void)easel_port; (void)easel_open; (void)easel_message;
  uint64_t sent = base_ns + 1234567890;
  easel_move(&sender, sent);
  puts(said);
  unsigned x = atoi(strstr(said, "\"x\":") + 4);
  const char *spellings[] = {"{\"ses_1\":{\"drag\":{\"n12\":{\"x\":%u.0,\"y\":1.5}}}}", "{\"d\":{\"n12\":[%u,1.5]}}", "{\"n12\":{\"x\": %u}, \"name\":1}"};
  for (int i = 0; i < 3; i++) {
    char frame[200]; int n = sprintf(frame, spellings[i], x);
    easel_scan(&receiver, (uint8_t *)frame, n, sent + 7000000);  /* 7 ms later */
    easel_scan(&sender, (uint8_t *)frame, n, sent + 7000000);
  }
  char mark[64] = "{\"t\":\"";
  marker(mark + 6, sent, sender.gid);
  scan_markers(receiver.gid, (uint8_t *)mark, strlen(mark), sent + 9000000);
  scan_markers(sender.gid, (uint8_t *)mark, strlen(mark), sent + 9000000);
  printf("%lu delivered, %lu own, %u at 7 ms, %u at 9 ms\n", n_del, n_own, hist[350], hist[450]);
  return 0;
}
