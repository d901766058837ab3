// Preloaded into tankard: its wall clock and its CLOCK_BOOTTIME, each shifted by what stands in a file that the test
// writes, so that hours pass at once, in the running process too. CLOCK_MONOTONIC, which timers wait by, stays.
// (libfaketime does not start under AddressSanitizer: it allocates inside clock_gettime, which the allocator calls.)
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct shift {
  volatile int64_t wall, boot;  // seconds
};

static const struct shift *shift_now(void) {
  static const struct shift none;
  static const struct shift *volatile found;
  if (found == NULL) {
    const char *path = getenv("SHIFTED_CLOCK");
    long fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0) : -1;
    long at = fd < 0 ? -1 : syscall(SYS_mmap, NULL, sizeof none, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0) syscall(SYS_close, fd);
    found = at == -1 ? &none : (const struct shift *)at;
  }
  return found;
}

int clock_gettime(clockid_t id, struct timespec *t) {
  if (syscall(SYS_clock_gettime, id, t) != 0) return -1;
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) t->tv_sec += shift_now()->wall;
  if (id == CLOCK_BOOTTIME) t->tv_sec += shift_now()->boot;
  return 0;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
  (void)zone;
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  t->tv_sec = now.tv_sec;
  t->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return (time_t)-1;
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
