/* shim_log - see shim.h: one file of at most 1 MiB, and the one before it. */
#include "agent/shim.h"
#include "lib/base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int reopen(struct shim_log *log)
{
	struct stat st;

	log->fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (log->fd < 0)
		return -errno;
	log->size = fstat(log->fd, &st) == 0 ? (size_t)st.st_size : 0;
	return 0;
}

int shim_log_open(struct shim_log *log, const char *folder)
{
	if ((size_t)snprintf(log->path, sizeof log->path, "%s/log", folder) >= sizeof log->path)
		return -ENAMETOOLONG;
	snprintf(log->old_path, sizeof log->old_path, "%s.1", log->path);
	return reopen(log);
}

void shim_log_write(struct shim_log *log, const void *bytes, size_t n)
{
	if (log->fd < 0)
		return;
	if (log->size && log->size + n > SHIM_LOG_MAX) {
		shim_log_close(log);
		rename(log->path, log->old_path);
		if (reopen(log) < 0)
			return;
	}
	/* a full disk costs lines of the log, never the instance */
	if (file_write_all(log->fd, bytes, n) == 0)
		log->size += n;
}

void shim_log_say(struct shim_log *log, const char *fmt, ...)
{
	char text[600];
	va_list args;
	int n = snprintf(text, sizeof text, "sixpn-shim: ");

	va_start(args, fmt);
	n += vsnprintf(text + n, sizeof text - (size_t)n - 1, fmt, args);
	va_end(args);
	if ((size_t)n > sizeof text - 2)
		n = (int)sizeof text - 2;
	text[n++] = '\n';
	shim_log_write(log, text, (size_t)n);
}

void shim_log_close(struct shim_log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
}
