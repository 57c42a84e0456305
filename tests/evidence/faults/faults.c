/* Errors of the disk and a clock that jumps, for the processes of one program, switched on and off from outside.

   LD_PRELOAD=faults.so FAULTS_FOLDER=/data FAULTS_CONTROL=/control program …

   The control file is one page that all processes map; faults/shim.py writes it. A call on a file below the folder fails
   when its kind of call and its kind of file are chosen and the dice say so. What a failed call leaves behind is the worst
   that the kernel may leave:

   * a failed write may have written a first part;
   * what was written since the last fsync of a file is lost when fsync fails, for good: the range reads as zeros;
   * a name that was made by a rename is gone when the fsync of its directory fails;
   * or else, by the dice, what was not synced is still there, and may be found after a crash.

   A process that forks without exec is not followed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define FDS 4096
#define NEXT(name) static __typeof__(name) *next; if (!next) next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

enum call { WRITE = 1, PWRITE = 2, FSYNC = 4, FDATASYNC = 8, RENAME = 16, CALLS = 5 };
enum kind { DATABASE = 1, WAL = 2, DOCUMENT = 4, DIRECTORY = 8, OTHER = 16 };

struct control {            /* as in shim.py */
    int64_t clock_offset;   /* nanoseconds */
    uint32_t calls, kinds;  /* bit sets of what may fail */
    uint32_t chance;        /* of 65536 */
    int32_t left;           /* failures still to come; below 0: no end */
    int32_t error;
    uint32_t loss;          /* of 65536: a failed fsync loses what it was to sync */
    uint32_t seed, unused;
    uint64_t failed[CALLS]; /* how many failed, by call */
    uint64_t lost;          /* bytes that were taken away */
};

struct range { off_t from, to; };
struct file {
    ino_t inode;
    int kind, descriptors;
    struct range *since;    /* written since the last fsync */
    size_t count, room;
    char *path;
    struct file *after;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct control *control;
static const char *folder;
static size_t folder_length;
static struct file *files, *open_files[FDS];
static __thread char *renamed;  /* the last name this thread made by a rename */

__attribute__((constructor)) static void begin(void) {
    folder = getenv("FAULTS_FOLDER");
    const char *path = getenv("FAULTS_CONTROL");
    if (!folder || !path) return;
    folder_length = strlen(folder);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) abort();
    void *page = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) abort();
    close(fd);
    control = page;
}

static int ours(const char *path) {
    return control && path && !strncmp(path, folder, folder_length) && (path[folder_length] == '/' || !path[folder_length]);
}

static int kind_of(const char *path, mode_t mode) {
    size_t length = strlen(path);
    if (S_ISDIR(mode)) return DIRECTORY;
    if (length > 4 && !strcmp(path + length - 4, "-wal")) return WAL;
    if (length > 7 && !strcmp(path + length - 7, ".sqlite")) return DATABASE;
    return strstr(path, "/documents/") && !strstr(path, "/owners/") ? DOCUMENT : OTHER;
}

static int dice(uint32_t chance) {
    uint32_t number = __atomic_add_fetch(&control->seed, 0x9E3779B9u, __ATOMIC_RELAXED);
    number = (number ^ number >> 16) * 0x85EBCA6Bu;
    number = (number ^ number >> 13) * 0xC2B2AE35u;
    return number >> 16 < chance;
}

static int fails(enum call call, int kind) {
    if (!(control->calls & call) || !(control->kinds & kind) || !dice(control->chance)) return 0;
    int32_t left = __atomic_load_n(&control->left, __ATOMIC_RELAXED);
    do {
        if (!left) return 0;
    } while (left > 0 && !__atomic_compare_exchange_n(&control->left, &left, left - 1, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    __atomic_add_fetch(&control->failed[__builtin_ctz(call)], 1, __ATOMIC_RELAXED);
    return 1;
}

/* ------------------------------------------------------------------------- what is open */

static struct file *file_at(int fd) { return fd >= 0 && fd < FDS ? open_files[fd] : NULL; }

static void opened(const char *path, int fd) {
    struct stat found;
    if (fd < 0 || fd >= FDS || !ours(path) || fstat(fd, &found)) return;
    pthread_mutex_lock(&lock);
    struct file *file = files;
    while (file && file->inode != found.st_ino) file = file->after;
    if (!file) {
        file = calloc(1, sizeof *file);
        file->inode = found.st_ino;
        file->path = strdup(path);
        file->kind = kind_of(path, found.st_mode);
        file->after = files;
        files = file;
    }
    file->descriptors++;
    open_files[fd] = file;
    pthread_mutex_unlock(&lock);
}

#define OPEN(name, call) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list a; va_start(a, flags); mode = va_arg(a, mode_t); va_end(a); } \
    NEXT(name); \
    int fd = call, error = errno; \
    opened(path, fd); \
    errno = error; \
    return fd;

int open(const char *path, int flags, ...) { OPEN(open, next(path, flags, mode)) }
int open64(const char *path, int flags, ...) { OPEN(open64, next(path, flags, mode)) }
int openat(int at, const char *path, int flags, ...) { OPEN(openat, next(at, path, flags, mode)) }
int openat64(int at, const char *path, int flags, ...) { OPEN(openat64, next(at, path, flags, mode)) }

int close(int fd) {
    NEXT(close);
    pthread_mutex_lock(&lock);
    struct file *file = file_at(fd);
    if (file) {
        open_files[fd] = NULL;
        if (!--file->descriptors) {
            struct file **link = &files;
            while (*link != file) link = &(*link)->after;
            *link = file->after;
            free(file->since);
            free(file->path);
            free(file);
        }
    }
    pthread_mutex_unlock(&lock);
    return next(fd);
}

/* ------------------------------------------------------------------------- writing */

static ssize_t raw_pwrite(int fd, const void *data, size_t size, off_t offset) { NEXT(pwrite); return next(fd, data, size, offset); }

static void wrote(struct file *file, off_t from, ssize_t size) {
    if (size <= 0) return;
    pthread_mutex_lock(&lock);
    if (file->count && file->since[file->count - 1].to == from) {
        file->since[file->count - 1].to += size;
    } else {
        if (file->count == file->room) {
            file->room = file->room ? 2 * file->room : 16;
            file->since = realloc(file->since, file->room * sizeof *file->since);
        }
        file->since[file->count++] = (struct range){from, from + size};
    }
    pthread_mutex_unlock(&lock);
}

static int failed(void) { errno = control->error; return -1; }

ssize_t write(int fd, const void *data, size_t size) {
    NEXT(write);
    struct file *file = file_at(fd);
    if (!file) return next(fd, data, size);
    off_t offset = lseek(fd, 0, SEEK_CUR);
    int fault = fails(WRITE, file->kind);
    ssize_t done = next(fd, data, fault ? size / 2 : size);
    wrote(file, offset, done);
    return fault ? failed() : done;
}

#define PWRITE_CALL(name, offset_type) \
    ssize_t name(int fd, const void *data, size_t size, offset_type offset) { \
        NEXT(name); \
        struct file *file = file_at(fd); \
        if (!file) return next(fd, data, size, offset); \
        int fault = fails(PWRITE, file->kind); \
        ssize_t done = next(fd, data, fault ? size / 2 : size, offset); \
        wrote(file, offset, done); \
        return fault ? failed() : done; \
    }
PWRITE_CALL(pwrite, off_t)
PWRITE_CALL(pwrite64, off64_t)

/* ------------------------------------------------------------------------- syncing */

static void lose(int fd, struct file *file) {
    static const char zeros[65536];
    pthread_mutex_lock(&lock);
    for (size_t n = 0; n < file->count; n++) {
        for (off_t at = file->since[n].from; at < file->since[n].to;) {
            size_t left = file->since[n].to - at, size = left < sizeof zeros ? left : sizeof zeros;
            ssize_t done = raw_pwrite(fd, zeros, size, at);
            if (done <= 0) break;
            at += done;
            __atomic_add_fetch(&control->lost, done, __ATOMIC_RELAXED);
        }
    }
    file->count = 0;
    pthread_mutex_unlock(&lock);
}

static void lose_name(struct file *directory) {
    size_t length = strlen(directory->path);
    if (!renamed || strncmp(renamed, directory->path, length) || renamed[length] != '/') return;
    if (strchr(renamed + length + 1, '/')) return;
    unlink(renamed);
    free(renamed);
    renamed = NULL;
}

#define SYNC(name, call) \
    int name(int fd) { \
        NEXT(name); \
        struct file *file = file_at(fd); \
        if (!file) return next(fd); \
        if (fails(call, file->kind)) { \
            if (!dice(control->loss)) return failed(); \
            if (file->kind == DIRECTORY) lose_name(file); else lose(fd, file); \
            return failed(); \
        } \
        pthread_mutex_lock(&lock); \
        size_t before = file->count; \
        pthread_mutex_unlock(&lock); \
        int result = next(fd), error = errno; \
        pthread_mutex_lock(&lock); \
        if (!result) { \
            memmove(file->since, file->since + before, (file->count - before) * sizeof *file->since); \
            file->count -= before; \
        } \
        pthread_mutex_unlock(&lock); \
        errno = error; \
        return result; \
    }
SYNC(fsync, FSYNC)
SYNC(fdatasync, FDATASYNC)

int rename(const char *from, const char *to) {
    NEXT(rename);
    if (!ours(to)) return next(from, to);
    if (fails(RENAME, kind_of(to, S_IFREG))) return failed();
    int result = next(from, to), error = errno;
    if (!result) {
        free(renamed);
        renamed = strdup(to);
    }
    errno = error;
    return result;
}

/* ------------------------------------------------------------------------- the clock */

static int64_t offset(void) { return control ? __atomic_load_n(&control->clock_offset, __ATOMIC_RELAXED) : 0; }

int clock_gettime(clockid_t id, struct timespec *now) {
    NEXT(clock_gettime);
    int result = next(id, now);
    if (!result && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        now->tv_sec += offset() / 1000000000;
        now->tv_nsec += offset() % 1000000000;
        if (now->tv_nsec >= 1000000000) { now->tv_sec++; now->tv_nsec -= 1000000000; }
        if (now->tv_nsec < 0) { now->tv_sec--; now->tv_nsec += 1000000000; }
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    NEXT(gettimeofday);
    int result = next(now, zone);
    if (!result) now->tv_sec += offset() / 1000000000;
    return result;
}

time_t time(time_t *where) {
    NEXT(time);
    time_t now = next(NULL) + offset() / 1000000000;
    if (where) *where = now;
    return now;
}
