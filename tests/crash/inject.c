/*
 * Preloaded into the real binary: counts its calls to the system by kind, strikes at the one that is asked for, and
 * writes down what reaches the disk and the network, in order.
 *
 *   CRASH_ROOT     only files below this directory are looked at
 *   CRASH_COUNTS   a file of COUNTERS numbers that live on when the process is killed
 *   CRASH_PLAN     "<kind> <n> before|half|after"  kills at the n-th call of a kind
 *                  "<kind> <n> once <errno>"       that call fails, the next one works
 *                  "<kind> <n> lasting <errno>"    from then on every call that changes the disk fails
 *                  "<kind> <n> clock <seconds>"    from then on the wall clock is off by so much
 *   CRASH_JOURNAL  every change of the disk and every send is appended here; read by replay.rs
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { SYNC, WRITE, MAKE, REMOVE, TELL, SEND, RECEIVE, OPEN, KINDS };
static const char *const KIND_NAMES[KINDS] = { "sync", "write", "make", "remove", "tell", "send", "receive", "open" };
/* The counters: one of each kind, then how often the plan has struck. */
enum { STRUCK = KINDS, COUNTERS };

enum act { PASS, BEFORE, HALF, AFTER, ONCE, LASTING, CLOCK };
static const char *const ACT_NAMES[] = { "pass", "before", "half", "after", "once", "lasting", "clock" };

static struct { enum kind kind; uint64_t place; enum act act; long value; } plan = { KINDS, 0, PASS, 0 };
static _Atomic uint64_t *counters;
static atomic_long shift_s;
static char root[PATH_MAX];
static size_t root_length;
static int journal = -1;
/* Held over a call and the line about it, so that the journal has the order in which things happened. */
static pthread_mutex_t order = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static int (*real_open)(const char *, int, ...);
static int (*real_open64)(const char *, int, ...);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite64)(int, const void *, size_t, off64_t);
static int (*real_ftruncate64)(int, off64_t);
static int (*real_rename)(const char *, const char *);
static int (*real_unlink)(const char *);
static int (*real_mkdir)(const char *, mode_t);
static ssize_t (*real_send)(int, const void *, size_t, int);
static ssize_t (*real_sendmsg)(int, const struct msghdr *, int);
static ssize_t (*real_recv)(int, void *, size_t, int);
static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_readv)(int, const struct iovec *, int);
static ssize_t (*real_recvmsg)(int, struct msghdr *, int);
static int (*real_clock_gettime)(clockid_t, struct timespec *);

static void complain(const char *what) {
    dprintf(2, "inject.c: %s\n", what);
    _exit(99);
}

static void read_plan(const char *text) {
    char kind[16], act[16];
    unsigned long long place;
    long value = 0;
    if (sscanf(text, "%15s %llu %15s %ld", kind, &place, act, &value) < 3) complain("this is no plan");
    for (int k = 0; k < KINDS; k++) if (!strcmp(kind, KIND_NAMES[k])) plan.kind = k;
    for (int a = BEFORE; a <= CLOCK; a++) if (!strcmp(act, ACT_NAMES[a])) plan.act = a;
    if (plan.kind == KINDS || plan.act == PASS) complain("the plan names no kind or act");
    plan.place = place;
    plan.value = value;
}

__attribute__((constructor)) static void begin(void) {
#define REAL(name) if (!(*(void **)&real_##name = dlsym(RTLD_NEXT, #name))) complain("no " #name)
    REAL(open); REAL(open64); REAL(fsync); REAL(fdatasync); REAL(write); REAL(writev); REAL(pwrite64);
    REAL(ftruncate64); REAL(rename); REAL(unlink); REAL(mkdir); REAL(send); REAL(sendmsg); REAL(recv); REAL(read);
    REAL(readv); REAL(recvmsg); REAL(clock_gettime);
    const char *where = getenv("CRASH_ROOT"), *counts = getenv("CRASH_COUNTS");
    if (!where || !counts || !realpath(where, root)) complain("CRASH_ROOT or CRASH_COUNTS is missing");
    root_length = strlen(root);
    int file = real_open(counts, O_RDWR | O_CLOEXEC);
    void *seen = mmap(NULL, COUNTERS * sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file < 0 || seen == MAP_FAILED) complain("CRASH_COUNTS can't be mapped");
    close(file);
    counters = seen;
    if (getenv("CRASH_PLAN")) read_plan(getenv("CRASH_PLAN"));
    if (getenv("CRASH_JOURNAL")) {
        journal = real_open(getenv("CRASH_JOURNAL"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (journal < 0) complain("CRASH_JOURNAL can't be opened");
    }
}

/* ------------------------------------------------------------------ what is looked at */

/* The root itself, or what is below it. */
static int is_below_root(const char *path) {
    return counters && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

/* The path of a file or directory below the root; 0 for all else. */
static int path_of(int fd, char path[PATH_MAX]) {
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_below_root(path);
}

static int is_network(int fd) {
    struct stat found;
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (fstat(fd, &found) || !S_ISSOCK(found.st_mode)) return 0;
    if (getsockname(fd, (struct sockaddr *)&address, &length)) return 0;
    return address.ss_family == AF_INET || address.ss_family == AF_INET6;
}

static uint64_t inode_of(int fd) {
    struct stat found;
    return fstat(fd, &found) ? 0 : found.st_ino;
}

static uint64_t inode_at(const char *path) {
    struct stat found;
    return stat(path, &found) ? 0 : found.st_ino;
}

/* ------------------------------------------------------------------ what is written down */

/* what: w(rite) t(runcate) s(ync) x (a sync that failed) d(irectory synced) c(reated) m(ade a directory) r(enamed) u(nlinked) n(etwork) */
static void note(char what, uint64_t inode, uint64_t offset, const char *name, const void *data, size_t length) {
    if (journal < 0) return;
    uint64_t head[5] = { (uint64_t)what, inode, offset, strlen(name), length };
    struct iovec parts[3] = {
        { head, sizeof head }, { (void *)name, strlen(name) }, { (void *)data, length }
    };
    int kept = errno;
    real_writev(journal, parts, 3);
    errno = kept;
}

/* ------------------------------------------------------------------ the strike */

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Counts a call; dies here, or says what is to be done at it. */
static enum act arrive(enum kind kind) {
    uint64_t place = atomic_fetch_add(&counters[kind], 1) + 1;
    int changes_disk = kind == SYNC || kind == WRITE || kind == MAKE;
    if (plan.act == LASTING && counters[STRUCK] && changes_disk && kind != plan.kind && plan.kind != OPEN) {
        /* A full disk can still be synced; a broken one can't. */
        return plan.value == ENOSPC && kind == SYNC ? PASS : LASTING;
    }
    if (kind != plan.kind || place < plan.place) return PASS;
    if (place > plan.place && plan.act != LASTING) return PASS;
    atomic_fetch_add(&counters[STRUCK], 1);
    if (plan.act == BEFORE) die();
    if (plan.act == CLOCK) atomic_store(&shift_s, plan.value);
    return plan.act == CLOCK ? PASS : plan.act;
}

static int fails(enum act act) {
    if (act != ONCE && act != LASTING) return 0;
    errno = (int)plan.value;
    return 1;
}

/* What is left of a length when only half of it is done. */
static size_t half_of(enum act act, size_t length) { return act == HALF ? length / 2 : length; }

static void done(enum act act) {
    if (act == HALF || act == AFTER) die();
}

/* A full disk takes the first half of what it can't take whole. */
static int takes_half(enum act act, size_t length) {
    return act == LASTING && plan.value == ENOSPC && plan.kind == WRITE && counters[STRUCK] == 1 && length > 1;
}

#define LOCK() pthread_mutex_lock(&order)
#define UNLOCK() do { int kept = errno; pthread_mutex_unlock(&order); errno = kept; } while (0)

/* ------------------------------------------------------------------ files */

static int opened(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    char whole[PATH_MAX];
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    if (!counters || !writes) return real(path, flags, mode);
    /* Names are given whole or are relative to the shop. */
    if (path[0] == '/') snprintf(whole, sizeof whole, "%s", path);
    else if (!getcwd(whole, sizeof whole - NAME_MAX - 2)) return real(path, flags, mode);
    else { strcat(whole, "/"); strncat(whole, path, NAME_MAX); }
    if (!is_below_root(whole)) return real(path, flags, mode);
    LOCK();
    enum act act = arrive(OPEN);
    int makes = (flags & O_CREAT) && access(whole, F_OK);
    if (act == PASS && makes) act = arrive(MAKE);
    int fd = -1;
    if (!fails(act)) {
        fd = real(path, flags, mode);
        if (fd >= 0 && makes) note('c', inode_of(fd), 0, whole, NULL, 0);
        if (fd >= 0 && !makes && (flags & O_TRUNC)) note('t', inode_of(fd), 0, whole, NULL, 0);
        done(act == HALF ? AFTER : act);
    }
    UNLOCK();
    return fd;
}

static mode_t mode_of(int flags, va_list *more) {
    return (flags & (O_CREAT | O_TMPFILE)) ? (mode_t)va_arg(*more, int) : 0;
}

int open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, &more);
    va_end(more);
    return opened(real_open, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = mode_of(flags, &more);
    va_end(more);
    return opened(real_open64, path, flags, mode);
}

static int synced(int (*real)(int), int fd) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return real(fd);
    LOCK();
    enum act act = arrive(SYNC);
    struct stat found;
    int is_directory = !fstat(fd, &found) && S_ISDIR(found.st_mode);
    int result = -1;
    if (!fails(act)) {
        result = real(fd);
        if (!result) note(is_directory ? 'd' : 's', inode_of(fd), 0, path, NULL, 0);
        done(act == HALF ? AFTER : act);
    } else if (!is_directory) {
        note('x', inode_of(fd), 0, path, NULL, 0);
    }
    UNLOCK();
    return result;
}

int fsync(int fd) { return synced(real_fsync, fd); }
int fdatasync(int fd) { return synced(real_fdatasync, fd); }

static ssize_t put(int fd, const void *data, size_t length, off64_t offset, int is_placed, const char *path) {
    LOCK();
    enum act act = arrive(WRITE);
    ssize_t result = -1;
    if (takes_half(act, length) || !fails(act)) {
        size_t taken = takes_half(act, length) ? length / 2 : half_of(act, length);
        off64_t at = offset;
        if (!is_placed) {
            int appends = fcntl(fd, F_GETFL) & O_APPEND;
            at = appends ? lseek64(fd, 0, SEEK_END) : lseek64(fd, 0, SEEK_CUR);
        }
        result = is_placed ? real_pwrite64(fd, data, taken, offset) : real_write(fd, data, taken);
        if (result > 0) note('w', inode_of(fd), (uint64_t)at, path, data, (size_t)result);
        done(act);
    }
    UNLOCK();
    return result;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return real_pwrite64(fd, data, length, offset);
    return put(fd, data, length, offset, 1, path);
}

static ssize_t sent(int fd, const void *data, size_t length) {
    LOCK();
    enum act act = arrive(SEND);
    ssize_t result = -1;
    if (!fails(act)) {
        /* What is sent counts from the moment at which it may leave. */
        note('n', 0, 0, "", data, length);
        result = real_write(fd, data, half_of(act, length));
        done(act);
    }
    UNLOCK();
    return result;
}

ssize_t write(int fd, const void *data, size_t length) {
    char path[PATH_MAX];
    if (!counters) return real_write(fd, data, length);
    if (path_of(fd, path)) return put(fd, data, length, 0, 0, path);
    if (fd == 1 || fd == 2) {
        enum act act = arrive(TELL);
        if (fails(act)) return -1;
        ssize_t result = real_write(fd, data, half_of(act, length));
        done(act);
        return result;
    }
    return is_network(fd) ? sent(fd, data, length) : real_write(fd, data, length);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    char path[PATH_MAX];
    size_t length = 0, at = 0;
    if (!counters || !(path_of(fd, path) || is_network(fd))) return real_writev(fd, parts, count);
    for (int part = 0; part < count; part++) length += parts[part].iov_len;
    char *whole = malloc(length + 1);
    for (int part = 0; part < count; part++) {
        memcpy(whole + at, parts[part].iov_base, parts[part].iov_len);
        at += parts[part].iov_len;
    }
    ssize_t result = write(fd, whole, length);
    int kept = errno;
    free(whole);
    errno = kept;
    return result;
}

ssize_t send(int fd, const void *data, size_t length, int flags) {
    return counters && is_network(fd) ? sent(fd, data, length) : real_send(fd, data, length, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    if (!counters || !is_network(fd)) return real_sendmsg(fd, message, flags);
    return writev(fd, message->msg_iov, (int)message->msg_iovlen);
}

int ftruncate64(int fd, off64_t length) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return real_ftruncate64(fd, length);
    LOCK();
    enum act act = arrive(WRITE);
    int result = -1;
    if (!fails(act)) {
        result = real_ftruncate64(fd, length);
        if (!result) note('t', inode_of(fd), (uint64_t)length, path, NULL, 0);
        done(act == HALF ? AFTER : act);
    }
    UNLOCK();
    return result;
}

int rename(const char *from, const char *to) {
    char whole[PATH_MAX];
    if (!counters || !realpath(from, whole) || !is_below_root(whole)) return real_rename(from, to);
    LOCK();
    enum act act = arrive(MAKE);
    int result = -1;
    if (!fails(act)) {
        result = real_rename(from, to);
        char target[PATH_MAX];
        if (!result && realpath(to, target)) note('r', inode_at(to), 0, whole, target, strlen(target));
        done(act == HALF ? AFTER : act);
    }
    UNLOCK();
    return result;
}

int unlink(const char *path) {
    char whole[PATH_MAX];
    if (!counters || !realpath(path, whole) || !is_below_root(whole)) return real_unlink(path);
    LOCK();
    enum act act = arrive(REMOVE);
    int result = -1;
    if (!fails(act)) {
        uint64_t inode = inode_at(whole);
        result = real_unlink(path);
        if (!result) note('u', inode, 0, whole, NULL, 0);
        done(act == HALF ? AFTER : act);
    }
    UNLOCK();
    return result;
}

int mkdir(const char *path, mode_t mode) {
    if (!is_below_root(path) || !access(path, F_OK)) return real_mkdir(path, mode);
    LOCK();
    enum act act = arrive(MAKE);
    int result = -1;
    if (!fails(act)) {
        result = real_mkdir(path, mode);
        if (!result) note('m', inode_at(path), 0, path, NULL, 0);
        done(act == HALF ? AFTER : act);
    }
    UNLOCK();
    return result;
}

/* ------------------------------------------------------------------ answers and time */

#define RECEIVED(call) do { \
        enum act act = arrive(RECEIVE); \
        if (fails(act)) return -1; \
        ssize_t result = (call); \
        int kept = errno; \
        done(act == HALF ? AFTER : act); \
        errno = kept; \
        return result; \
    } while (0)

ssize_t recv(int fd, void *data, size_t length, int flags) {
    if (!counters || !is_network(fd)) return real_recv(fd, data, length, flags);
    RECEIVED(real_recv(fd, data, length, flags));
}

ssize_t read(int fd, void *data, size_t length) {
    if (!counters || !is_network(fd)) return real_read(fd, data, length);
    RECEIVED(real_read(fd, data, length));
}

ssize_t readv(int fd, const struct iovec *parts, int count) {
    if (!counters || !is_network(fd)) return real_readv(fd, parts, count);
    RECEIVED(real_readv(fd, parts, count));
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    if (!counters || !is_network(fd)) return real_recvmsg(fd, message, flags);
    RECEIVED(real_recvmsg(fd, message, flags));
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (!real_clock_gettime) real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real_clock_gettime(clock, time);
    if (clock == CLOCK_REALTIME && !result) time->tv_sec += atomic_load(&shift_s);
    return result;
}
