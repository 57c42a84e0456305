/* What a process does to the files below one folder, written to a log in the order in which it happened.

   LD_PRELOAD=recorder.so POWER_FOLDER=/data POWER_LOG=/log program …

   A record: one letter, then numbers and texts in the form "length:bytes", ended by a line feed:

     o path inode existed   a file was opened for writing (existed 0: it was created)
     w inode offset bytes   bytes were written
     t inode size           a file was cut or grown
     s inode path           fsync or fdatasync of a file or directory succeeded
     m path inode           a directory was made
     r from to              a rename
     l from to              a hard link
     u path                 unlink

   One mutex makes the order of the log that of the calls. A process that forks without exec is not followed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 4096
#define NEXT(name) static __typeof__(name) *next; if (!next) next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int out = -1;
static const char *folder;
static size_t folder_length;
static struct { int used; ino_t inode; char *path; } files[FDS];

static ssize_t raw_write(int fd, const void *data, size_t size) { NEXT(write); return next(fd, data, size); }

__attribute__((constructor)) static void begin(void) {
    folder = getenv("POWER_FOLDER");
    const char *log = getenv("POWER_LOG");
    if (!folder || !log) return;
    folder_length = strlen(folder);
    out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (out < 0) abort();
}

static int ours(const char *path) {
    return out >= 0 && path && !strncmp(path, folder, folder_length) && (path[folder_length] == '/' || !path[folder_length]);
}

static void put(const void *head, size_t head_size, const void *data, size_t size) {
    struct iovec parts[3] = {{(void *)head, head_size}, {(void *)data, size}, {"\n", 1}};
    NEXT(writev);
    if (next(out, parts, 3) != (ssize_t)(head_size + size + 1)) abort();
}

static void record(const char *format, ...) {
    char line[8192];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof line) abort();
    put(line, size, "", 0);
}

static void wrote(int fd, off_t offset, const void *data, size_t size) {
    char head[96];
    int length = snprintf(head, sizeof head, "w%lu %ld %zu:", (unsigned long)files[fd].inode, (long)offset, size);
    put(head, length, data, size);
}

static int known(int fd) { return fd >= 0 && fd < FDS && files[fd].used; }

static int opened(const char *path, int fd, int flags, int existed) {
    struct stat found;
    if (fd < 0 || fd >= FDS || !ours(path) || fstat(fd, &found)) return fd;
    free(files[fd].path);
    files[fd].used = 1;
    files[fd].inode = found.st_ino;
    files[fd].path = strdup(path);
    if (S_ISREG(found.st_mode) && (flags & O_ACCMODE) != O_RDONLY) {
        record("o%zu:%s %lu %d", strlen(path), path, (unsigned long)found.st_ino, existed);
        if (flags & O_TRUNC && existed) record("t%lu 0", (unsigned long)found.st_ino);
    }
    return fd;
}

static int there(const char *path) { struct stat found; return ours(path) && !lstat(path, &found); }

#define OPEN(name, call) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list a; va_start(a, flags); mode = va_arg(a, mode_t); va_end(a); } \
    NEXT(name); \
    pthread_mutex_lock(&lock); \
    int existed = there(path), fd = opened(path, call, flags, existed), error = errno; \
    pthread_mutex_unlock(&lock); \
    errno = error; \
    return fd;

int open(const char *path, int flags, ...) { OPEN(open, next(path, flags, mode)) }
int open64(const char *path, int flags, ...) { OPEN(open64, next(path, flags, mode)) }
int openat(int at, const char *path, int flags, ...) { OPEN(openat, next(at, path, flags, mode)) }
int openat64(int at, const char *path, int flags, ...) { OPEN(openat64, next(at, path, flags, mode)) }

int close(int fd) {
    NEXT(close);
    pthread_mutex_lock(&lock);
    if (known(fd)) files[fd].used = 0;
    int result = next(fd), error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

ssize_t write(int fd, const void *data, size_t size) {
    if (!known(fd)) return raw_write(fd, data, size);
    pthread_mutex_lock(&lock);
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t done = raw_write(fd, data, size);
    int error = errno;
    if (done > 0) wrote(fd, offset, data, done);
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    NEXT(writev);
    if (!known(fd)) return next(fd, parts, count);
    ssize_t total = 0;
    for (int n = 0; n < count; n++) {  /* one by one: a short write of a vector is legal */
        ssize_t done = write(fd, parts[n].iov_base, parts[n].iov_len);
        if (done < 0) return total ? total : done;
        total += done;
        if ((size_t)done < parts[n].iov_len) break;
    }
    return total;
}

#define PWRITE(name, offset_type) \
    ssize_t name(int fd, const void *data, size_t size, offset_type offset) { \
        NEXT(name); \
        if (!known(fd)) return next(fd, data, size, offset); \
        pthread_mutex_lock(&lock); \
        ssize_t done = next(fd, data, size, offset); \
        int error = errno; \
        if (done > 0) wrote(fd, offset, data, done); \
        pthread_mutex_unlock(&lock); \
        errno = error; \
        return done; \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define SIMPLE(name, declared, passed, done) \
    int name declared { \
        NEXT(name); \
        pthread_mutex_lock(&lock); \
        int result = next passed, error = errno; \
        if (!result) { done; } \
        pthread_mutex_unlock(&lock); \
        errno = error; \
        return result; \
    }
#define CUT if (known(fd)) record("t%lu %ld", (unsigned long)files[fd].inode, (long)size)
SIMPLE(ftruncate, (int fd, off_t size), (fd, size), CUT)
SIMPLE(ftruncate64, (int fd, off64_t size), (fd, size), CUT)
#define SYNCED if (known(fd)) record("s%lu %zu:%s", (unsigned long)files[fd].inode, strlen(files[fd].path), files[fd].path)
SIMPLE(fsync, (int fd), (fd), SYNCED)
SIMPLE(fdatasync, (int fd), (fd), SYNCED)

static void pair(char letter, const char *from, const char *to) {
    if (ours(from) || ours(to)) record("%c%zu:%s %zu:%s", letter, strlen(from), from, strlen(to), to);
}
static void made(const char *path) {
    struct stat found;
    if (ours(path) && !stat(path, &found)) record("m%zu:%s %lu", strlen(path), path, (unsigned long)found.st_ino);
}
SIMPLE(rename, (const char *from, const char *to), (from, to), pair('r', from, to))
SIMPLE(renameat, (int a, const char *from, int b, const char *to), (a, from, b, to), pair('r', from, to))
SIMPLE(link, (const char *from, const char *to), (from, to), pair('l', from, to))
SIMPLE(linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags), pair('l', from, to))
SIMPLE(unlink, (const char *path), (path), if (ours(path)) record("u%zu:%s", strlen(path), path))
SIMPLE(unlinkat, (int at, const char *path, int flags), (at, path, flags), if (ours(path)) record("u%zu:%s", strlen(path), path))
SIMPLE(mkdir, (const char *path, mode_t mode), (path, mode), made(path))
