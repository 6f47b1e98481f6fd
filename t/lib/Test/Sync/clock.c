
/*
 * A wall clock that is as many seconds off as $SYNC_CLOCK, a file, says at the
 * moment; and by $SYNC_BOOT that of time since boot.  Preloaded into a server; libfaketime does not start one whose
 * allocator looks at the clock.
 */


#define _GNU_SOURCE

#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>


static long
off(const char *variable)
{
    int          fd;
    char         buf[32];
    ssize_t      n;
    const char  *name;

    name = getenv(variable);
    fd = name ? open(name, O_RDONLY) : -1;

    if (fd == -1) {
        return 0;
    }

    n = read(fd, buf, sizeof(buf) - 1);
    close(fd);

    buf[n > 0 ? n : 0] = '\0';

    return atol(buf);
}


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int  rc;

    rc = (int) syscall(SYS_clock_gettime, id, ts);

    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        ts->tv_sec += off("SYNC_CLOCK");
    }

    if (rc == 0 && id == CLOCK_BOOTTIME) {
        ts->tv_sec += off("SYNC_BOOT");
    }

    return rc;
}


int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec  ts;

    (void) tz;

    if (clock_gettime(CLOCK_REALTIME, &ts) != 0) {
        return -1;
    }

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}


time_t
time(time_t *t)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    if (t) {
        *t = ts.tv_sec;
    }

    return ts.tv_sec;
}
