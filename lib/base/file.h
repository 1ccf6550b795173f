/* file - whole small files: read with a limit, replace atomically, make once. All paths; all errors -errno. */
#pragma once
#include "lib/base/buf.h"

int file_read(const char *path, size_t limit, struct buf *ret_content); /* appends; -EFBIG above limit */
/* The same of a file alone, -EINVAL for what is another thing: a loop must not wait for who writes into a FIFO. */
int file_read_regular(const char *path, size_t limit, struct buf *ret_content);
/* Writes path.tmp, fsyncs it, renames it over path, fsyncs the folder: after a crash either the old or the new is there. */
int file_replace(const char *path, const void *bytes, size_t n, unsigned mode);
/* Creates with O_EXCL and mode; -EEXIST if it is there. For secrets: made before anything depends on it. */
int file_create(const char *path, const void *bytes, size_t n, unsigned mode);
int file_write_all(int fd, const void *bytes, size_t n);
/* From where fd stands. *ret_n is less than n only at the end of the file. */
int file_read_all(int fd, void *bytes, size_t n, size_t *ret_n);
int file_make_dirs(const char *path, unsigned mode); /* mkdir -p; existing is fine */
int file_sync_dir_of(const char *path);
/* Writes a short text to a procfs/sysfs file, in one write. */
int file_put(const char *path, const char *text);

/* As many descriptors as this process may have at all: one per instance, connection and pipe are more than the usual 1024. What it
 * starts for others should go back to the usual, for programs with select() end where numbers above 1023 begin. */
void file_limit_raise(void);
void file_limit_usual(void);
