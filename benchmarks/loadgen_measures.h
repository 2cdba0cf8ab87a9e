/* Time, histograms of it, and what the machine says of processes. */
enum { BUCKET_US = 20, NB = 250000 };  /* five seconds; what takes longer counts as that */
enum { PROCESSES = 16 };

static uint64_t w0, w1;                /* the measured window, ns */
static uint64_t n_sent, n_expected, n_del, n_own, n_frames, n_bytes;
static uint64_t n_owed, n_seen;        /* deliveries, before the window too */
static uint32_t *hist, *lags;          /* deliveries by latency, sends by how late the generator itself was */
static int nerr;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}
static void die(const char *what) {
  fprintf(stderr, "loadgen: %s: %s\n", what, strerror(errno));
  exit(2);
}
static int in_window(uint64_t t) { return t >= w0 && t < w1; }
static void count_in(uint32_t *buckets, uint64_t from, uint64_t to) {
  uint64_t i = (to > from ? to - from : 0) / 1000 / BUCKET_US;
  buckets[i < NB ? i : NB - 1]++;
}
/* The q-quantile in ms. What is missing never came: it stands behind everything that did. */
static double quantile(const uint32_t *buckets, double counted, double missing, double q) {
  double wanted = q * (counted + missing), seen = 0;
  for (int i = 0; i < NB; i++) {
    seen += buckets[i];
    if (seen > 0 && seen >= wanted) return i * BUCKET_US / 1000.0;
  }
  return 99999;
}

/* "@T", 16 hex digits of the intended time, 4 of the sender: found again in whatever a server makes of it. */
enum { MARK = 22 };
static void marker(char *out, uint64_t t, int gid) { sprintf(out, "@T%016lx%04x", t, gid & 0xffff); }
static int hex(uint8_t c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }
static int read_marker(const uint8_t *p, uint64_t *t, int *gid) {
  uint64_t value = 0;
  *gid = 0;
  for (int i = 2; i < MARK; i++) {
    int digit = hex(p[i]);
    if (digit < 0) return 0;
    if (i < 18) value = value << 4 | digit;
    else *gid = *gid << 4 | digit;
  }
  *t = value;
  return 1;
}
static void scan_markers(int own, const uint8_t *p, size_t n, uint64_t t) {
  for (const uint8_t *end = p + n; p < end && (p = memchr(p, '@', end - p)) && end - p >= MARK;) {
    uint64_t sent;
    int gid;
    if (p[1] != 'T' || !read_marker(p, &sent, &gid)) { p++; continue; }
    p += MARK;
    if (gid == (own & 0xffff)) { n_own += in_window(sent); continue; }
    n_seen++;
    if (!in_window(sent)) continue;
    n_del++;
    count_in(hist, sent, t);
  }
}

/* Processes: CPU seconds of each, and their memory. */
static int pids[PROCESSES], n_pids;
static void watch(const char *list) {
  while (*list && n_pids < PROCESSES) {
    char *rest;
    pids[n_pids++] = strtol(list, &rest, 10);
    list = *rest == ',' ? rest + 1 : rest;
  }
}
/* Of the process alone, by its own clock: /proc tells hundredths of a second, a tenth of PostgreSQL's in a short round. */
static double cpu_of(int pid) {
  clockid_t clock;
  struct timespec used;
  if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used)) return 0;
  return used.tv_sec + used.tv_nsec / 1e9;
}
/* Answers whose child it is; `reaped` is what its own children used that have ended. */
static int parent_of(int pid, double *reaped) {
  char path[64], text[1024];
  *reaped = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *f = fopen(path, "r");
  if (!f) return 0;
  text[fread(text, 1, sizeof text - 1, f)] = 0;
  fclose(f);
  char *after_name = strrchr(text, ')');
  unsigned long user, system;
  int parent;
  if (!after_name || sscanf(after_name + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %lu %lu", &parent, &user,
                            &system) != 3)
    return 0;
  *reaped = (double)(user + system) / sysconf(_SC_CLK_TCK);
  return parent;
}
/* Of a process and all its children, those that have ended too: PostgreSQL has one for each connection. */
static double family_cpu(int pid) {
  double reaped;
  parent_of(pid, &reaped);
  double sum = cpu_of(pid) + reaped;
  DIR *all = opendir("/proc");
  if (!all) die("/proc");
  for (struct dirent *entry; (entry = readdir(all));) {
    int other = atoi(entry->d_name);
    if (other > 0 && parent_of(other, &reaped) == pid) sum += cpu_of(other) + reaped;
  }
  closedir(all);
  return sum;
}
static double cpus(double *each) {
  double sum = 0;
  for (int i = 0; i < n_pids; i++) sum += each[i] = cpu_of(pids[i]);
  return sum;
}
static long rss_kb(void) {
  long sum = 0;
  for (int i = 0; i < n_pids; i++) {
    char path[64];
    long size, resident;
    snprintf(path, sizeof path, "/proc/%d/statm", pids[i]);
    FILE *f = fopen(path, "r");
    if (!f) continue;
    if (fscanf(f, "%ld %ld", &size, &resident) == 2) sum += resident * (sysconf(_SC_PAGESIZE) / 1024);
    fclose(f);
  }
  return sum;
}
static double own_cpu(void) {
  struct rusage r;
  getrusage(RUSAGE_SELF, &r);
  return r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}
