/* How fast a core is right now: a virtual machine's neighbours take up to a third of it, for seconds or minutes.
 *
 * pace CORE FILE: 50 times a second, how long the same work takes, as "CLOCK_MONOTONIC in s, µs of CPU" a line. The work
 * is what suffers from a neighbour on the same core's other thread: many instructions at once, and the second cache.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_US = 20000, STEPS = 15000, WORDS = 4096, COPIES = 4, COPIED = 1 << 17 };

static uint64_t words[WORDS];
static char from[COPIED], into[COPIED];

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static uint64_t work(void) {
  uint64_t sum = 0, mixed = 0;
  for (int i = 0; i < STEPS; i++) {
    sum += words[i % WORDS];
    mixed ^= words[i * 7 % WORDS];
    words[i * 3 % WORDS] = sum;
    words[i * 5 % WORDS] = mixed;
  }
  for (int i = 0; i < COPIES; i++) {
    memcpy(into, from, COPIED);
    __asm__ volatile("" ::: "memory");
  }
  return sum + mixed;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  cpu_set_t core;
  CPU_ZERO(&core);
  CPU_SET(atoi(argv[1]), &core);
  int file = open(argv[2], O_CREAT | O_WRONLY | O_APPEND, 0600);
  if (file < 0 || sched_setaffinity(0, sizeof core, &core)) {
    perror("pace");
    return 2;
  }
  memset(from, 1, sizeof from); /* or all of it is one page of zeros */
  for (volatile uint64_t kept = 0;;) {
    kept += work(); /* the caches are whoever's was on the core before: not this time */
    double begun = seconds(CLOCK_THREAD_CPUTIME_ID);
    kept += work();
    double took = seconds(CLOCK_THREAD_CPUTIME_ID) - begun;
    char line[64];
    int size = snprintf(line, sizeof line, "%.4f %.2f\n", seconds(CLOCK_MONOTONIC), took * 1e6);
    if (write(file, line, size) != size) return 2;
    usleep(PAUSE_US);
  }
}
