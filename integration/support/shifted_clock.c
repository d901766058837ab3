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
  if (found != NULL) return found;
  const char *path = getenv("SHIFTED_CLOCK");
  if (path == NULL) return &none;  // also before libc knows the environment
  long fd = syscall(SYS_openat, (long)AT_FDCWD, path, (long)(O_RDONLY | O_CLOEXEC), 0L);
  long at = fd < 0 ? -1L : syscall(SYS_mmap, 0L, sizeof none, (long)PROT_READ, (long)MAP_SHARED, fd, 0L);
  if (fd >= 0) syscall(SYS_close, fd);
  if (at == -1) abort();  // a test that believes in hours that do not pass would prove nothing
  return found = (const struct shift *)at;
}

int clock_gettime(clockid_t id, struct timespec *t) {
  if (syscall(SYS_clock_gettime, (long)id, t) != 0) return -1;
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
