/* Preloaded into the server, writes down what a loss of power could not take away: which part of a file was synced, and
 * which names a directory had when it was synced. It changes nothing about what the server sees.
 *
 *   F inode length            a file was synced up to its length
 *   D inode name:inode ...    a directory was synced with these entries
 *
 * That a length says what was synced holds for files that are only appended to; one that is written elsewhere ends the
 * server. Files that are deleted or replaced stay under their inode's number in a directory of their own: a deletion is no more
 * durable than a creation until the directory is synced.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINE (64 * 1024)

static int journal = -1;
static const char *kept;
/* A listing must not be overtaken by an older one. */
static pthread_mutex_t directories = PTHREAD_MUTEX_INITIALIZER;

static void fail(const char *what) {
    perror(what);
    abort();
}

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("REDKEEP_WITNESS_JOURNAL");
    kept = getenv("REDKEEP_WITNESS_KEPT");
    if (path == NULL || kept == NULL) {
        fail("witness: its environment");
    }
    journal = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (journal < 0) {
        fail("witness: its journal");
    }
}

/* One write, so that a line is there as a whole or not at all. */
static void note(const char *line, int length) {
    if (write(journal, line, length) != length) {
        fail("witness: writing its journal");
    }
}

/* The length of the line, -1 if the directory cannot be read. */
static int listing(int fd, ino_t inode, char *line) {
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (directory == NULL) {
        return -1;
    }
    int length = snprintf(line, LINE, "D %lu", (unsigned long)inode);
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_type == DT_REG) {
            length += snprintf(line + length, LINE - length, " %s:%lu", entry->d_name, (unsigned long)entry->d_ino);
        }
        if (length >= LINE - 1) {
            fail("witness: a directory with so many entries");
        }
    }
    closedir(directory);
    line[length++] = '\n';
    return length;
}

/* What counts is how things stood when the sync began. */
static int sync_and_note(int fd, long call) {
    struct stat before;
    if (fstat(fd, &before) != 0) {
        return -1;
    }
    char line[LINE];
    if (!S_ISDIR(before.st_mode)) {
        int result = syscall(call, fd);
        if (result == 0) {
            note(line, snprintf(line, LINE, "F %lu %lld\n", (unsigned long)before.st_ino, (long long)before.st_size));
        }
        return result;
    }
    pthread_mutex_lock(&directories);
    int length = listing(fd, before.st_ino, line);
    int result = length < 0 ? -1 : syscall(call, fd);
    if (result == 0) {
        note(line, length);
    }
    pthread_mutex_unlock(&directories);
    return result;
}

int fsync(int fd) {
    return sync_and_note(fd, SYS_fsync);
}

int fdatasync(int fd) {
    return sync_and_note(fd, SYS_fdatasync);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    (void)fd, (void)bytes, (void)length, (void)offset;
    errno = ENOTSUP;
    fail("witness: a file is written within");
    return -1;
}

/* Gives the file a second name that stays; a file that is not there, or on another file system, is none of ours. */
static void keep(const char *path) {
    struct stat file;
    char name[4096];
    if (lstat(path, &file) != 0 || !S_ISREG(file.st_mode)) {
        return;
    }
    snprintf(name, sizeof name, "%s/%lu", kept, (unsigned long)file.st_ino);
    if (linkat(AT_FDCWD, path, AT_FDCWD, name, 0) != 0 && errno != EEXIST && errno != EXDEV && errno != ENOENT) {
        fail("witness: keeping a file");
    }
}

int unlink(const char *path) {
    keep(path);
    return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int rename(const char *from, const char *to) {
    keep(to);
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
