/* files - see files.h. */
#include "agent/files.h"

#include "lib/base/file.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REMOVE_ROUNDS_MAX 8

void files_hosts(const struct launch_facts *facts, struct buf *ret_text)
{
	char address[ADDR_TEXT_LEN];

	addr_text(&facts->address, address);
	buf_add_str(ret_text, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
	buf_printf(ret_text, "%s\tfly-local-6pn\n%s\t%s\n", address, address, facts->id);
}

void files_resolv_conf(struct buf *ret_text)
{
	buf_add_str(ret_text, "nameserver fdaa::3\noptions edns0 timeout:1 attempts:3\n");
}

void files_hostname(const struct launch_facts *facts, struct buf *ret_text)
{
	buf_printf(ret_text, "%s\n", facts->id);
}

/* Without it, some C libraries never ask the resolver (an image made from scratch). */
void files_nsswitch_conf(struct buf *ret_text)
{
	buf_add_str(ret_text, "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n");
}

static bool has_content(const char *path, const void *bytes, size_t n)
{
	CLEAN_BUF struct buf now = BUF_INIT(SPEC_SIZE_MAX);

	return file_read(path, SPEC_SIZE_MAX, &now) == 0 && now.len == n && (n == 0 || !memcmp(now.data, bytes, n));
}

/* Over the old bytes and cut afterwards: a reader may see a mix for an instant, but never an empty file. */
static int write_in_place(const char *path, const void *bytes, size_t n, mode_t mode)
{
	CLEAN_CLOSE int fd = -1;
	int r;

	if (has_content(path, bytes, n) && chmod(path, mode) == 0)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = file_write_all(fd, bytes, n);
	if (r < 0)
		return r;
	return ftruncate(fd, (off_t)n) < 0 || fchmod(fd, mode) < 0 ? -errno : 0;
}

struct place {
	const char *folder;
	struct launch *launch;
};

static int put(const struct place *place, const char *name, const void *bytes, size_t n, mode_t mode, const char *target,
	       enum launch_bind_kind kind)
{
	char path[PATH_MAX];
	int r;

	if ((size_t)snprintf(path, sizeof path, "%s/files/%s", place->folder, name) >= sizeof path)
		return -ENAMETOOLONG;
	r = write_in_place(path, bytes, n, mode);
	return r < 0 ? r : launch_add_bind(place->launch, path, target, kind);
}

static int put_generated(const struct place *place, const struct launch_facts *facts, bool own_nsswitch)
{
	CLEAN_BUF struct buf hosts = BUF_INIT(4096), resolv = BUF_INIT(4096), hostname = BUF_INIT(4096), nsswitch = BUF_INIT(4096);
	int r;

	files_hosts(facts, &hosts);
	files_resolv_conf(&resolv);
	files_hostname(facts, &hostname);
	files_nsswitch_conf(&nsswitch);
	if (buf_failed(&hosts) || buf_failed(&resolv) || buf_failed(&hostname) || buf_failed(&nsswitch))
		return -ENOMEM;
	r = put(place, "hosts", hosts.data, hosts.len, 0644, "/etc/hosts", LAUNCH_BIND_WEAK);
	if (r == 0)
		r = put(place, "resolv.conf", resolv.data, resolv.len, 0644, "/etc/resolv.conf", LAUNCH_BIND_WEAK);
	if (r == 0)
		r = put(place, "hostname", hostname.data, hostname.len, 0644, "/etc/hostname", LAUNCH_BIND_WEAK);
	if (r == 0 && !own_nsswitch)
		r = put(place, "nsswitch.conf", nsswitch.data, nsswitch.len, 0644, "/etc/nsswitch.conf", LAUNCH_BIND_ABSENT);
	return r;
}

static int own(const char *path, const struct spec *spec)
{
	if (!spec->has_user)
		return 0;
	return chown(path, spec->uid, spec->gid) < 0 ? -errno : 0;
}

static int put_own(const struct place *place, const struct spec *spec)
{
	for (size_t i = 0; i < spec->n_files; i++) {
		const struct spec_file *f = &spec->files[i];
		char name[32];
		int r;

		snprintf(name, sizeof name, "own-%zu", i);
		r = put(place, name, f->content, f->content_len, f->mode, f->path, LAUNCH_BIND_STRICT);
		if (r == 0)
			r = own(place->launch->binds[place->launch->n_binds - 1].source, spec);
		if (r < 0)
			return r;
	}
	return 0;
}

int files_write(const char *folder, const struct launch_facts *facts, const struct spec *spec, struct launch *launch)
{
	const struct place place = { .folder = folder, .launch = launch };
	char path[PATH_MAX];
	bool own_nsswitch = false;
	int r;

	for (size_t i = 0; i < spec->n_files; i++)
		own_nsswitch |= !strcmp(spec->files[i].path, "/etc/nsswitch.conf");
	if ((size_t)snprintf(path, sizeof path, "%s/files", folder) >= sizeof path)
		return -ENAMETOOLONG;
	r = file_make_dirs(path, 0700); /* a bind shows the file itself: nobody walks this way to it */
	if (r == 0)
		r = put_generated(&place, facts, own_nsswitch);
	return r == 0 ? put_own(&place, spec) : r;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path) < 0 && errno != ENOENT ? -errno : 0;
}

int files_remove(const char *folder)
{
	int r = -ENOTEMPTY;

	/* a shim that ends just now may still write a last word into it */
	for (int i = 0; i < REMOVE_ROUNDS_MAX && r == -ENOTEMPTY; i++)
		r = nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	if (r == -1)
		return errno == ENOENT ? 0 : -errno;
	return r;
}
