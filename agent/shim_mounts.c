/* shim_mounts - see shim.h.
 *
 * Targets below `root` are looked up with RESOLVE_IN_ROOT: a symbolic link in a customer's image must not lead our mounts, and
 * above all not the files that we make, into the machine's own tree. Without `root` the tree is the machine's and shared by all:
 * nothing is ever made there; a file that has to be new appears in a private overlay over the folder it goes to. */
#include "agent/shim.h"

#include "lib/base/file.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int shim_mounts_private(void)
{
	if (unshare(CLONE_NEWNS) < 0)
		return -errno;
	/* a slave: what the machine unmounts goes here too (we never keep its disks busy), ours never shows there */
	return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ? -errno : 0;
}

static int open_in(int root_fd, const char *path, uint64_t flags, uint64_t mode, int *ret_fd)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .mode = mode, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof how);

	if (fd < 0)
		return -errno;
	*ret_fd = (int)fd;
	return 0;
}

/* The folder that holds path, which is absolute; the folders on the way are made if `make`. */
static int open_parent(int root_fd, const char *path, bool make, int *ret_fd)
{
	char part[SPEC_PATH_SIZE];
	const char *slash = strrchr(path, '/');
	CLEAN_CLOSE int fd = -1;
	int r;

	if (slash == path)
		return open_in(root_fd, "/", O_PATH | O_DIRECTORY, 0, ret_fd);
	if ((size_t)(slash - path) >= sizeof part)
		return -ENAMETOOLONG;
	memcpy(part, path, (size_t)(slash - path));
	part[slash - path] = 0;
	r = open_in(root_fd, part, O_PATH | O_DIRECTORY, 0, &fd);
	if (r == -ENOENT && make) {
		CLEAN_CLOSE int above = -1;

		r = open_parent(root_fd, part, true, &above);
		if (r < 0)
			return r;
		if (mkdirat(above, strrchr(part, '/') + 1, 0755) < 0 && errno != EEXIST)
			return -errno;
		r = open_in(root_fd, part, O_PATH | O_DIRECTORY, 0, &fd);
	}
	if (r < 0)
		return r;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static int make_file(int root_fd, const char *path)
{
	CLEAN_CLOSE int parent = -1, fd = -1;
	const char *name = strrchr(path, '/') + 1;
	struct stat st;
	int r = open_parent(root_fd, path, true, &parent);

	if (r < 0)
		return r;
	/* a link that leads nowhere, such as resolv.conf into a /run that has nothing */
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) && unlinkat(parent, name, 0) < 0)
		return -errno;
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : 0;
}

static bool has_layer(const struct shim_mounts *m, const char *path)
{
	for (unsigned i = 0; i < m->n_layers; i++) {
		size_t len = strlen(m->layers[i]);

		if (!strncmp(path, m->layers[i], len) && path[len] == '/')
			return true;
	}
	return false;
}

/* A tmpfs, because the upper folder of an overlay needs extended attributes, which the file system of `folder` may not have. */
static int make_layer(const char *base, const char *at, const struct stat *like)
{
	char upper[620], work[620], options[2048];
	int r = file_make_dirs(base, 0711);

	if (r < 0)
		return r;
	snprintf(upper, sizeof upper, "%s/upper", base);
	snprintf(work, sizeof work, "%s/work", base);
	if (mount("sixpn", base, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0711,size=8m") < 0 ||
	    mkdir(upper, like->st_mode & 07777) < 0 || chown(upper, like->st_uid, like->st_gid) < 0 || mkdir(work, 0700) < 0)
		return -errno;
	snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s", at, upper, work);
	return mount("sixpn", at, "overlay", 0, options) < 0 ? -errno : 0;
}

/* Makes room for a file that has to be new: a private overlay over the deepest folder on the way to it that there is. */
static int lay_over(struct shim_mounts *m, const char *path, struct why *why)
{
	char at[SPEC_PATH_SIZE], base[600];
	struct stat st;
	int r;

	if (has_layer(m, path))
		return 0;
	snprintf(at, sizeof at, "%s", path);
	do
		*strrchr(at, '/') = 0;
	while (at[0] && (stat(at, &st) < 0 || !S_ISDIR(st.st_mode)));
	if (!at[0])
		return why_set(why, "path_missing", "files", "%s cannot be made: no folder on the way to it but / exists", path);
	snprintf(base, sizeof base, "%s/layer-%u", m->folder, m->n_layers);
	r = make_layer(base, at, &st);
	if (r < 0)
		return why_set(why, "path_missing", "files", "%s cannot be made: no private layer over %s: %s", path, at, strerror(-r));
	memcpy(m->layers[m->n_layers++], at, sizeof at);
	return 0;
}

static bool same_file(int fd, const char *source)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(source, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int bind_over(int target_fd, const char *source)
{
	char path[32];

	snprintf(path, sizeof path, "/proc/self/fd/%d", target_fd);
	return mount(source, path, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

static int make_target(struct shim_mounts *m, int root_fd, const struct launch_bind *bind, struct why *why)
{
	CLEAN_CLOSE int fd = -1;
	int r = open_in(root_fd, bind->target, O_PATH, 0, &fd);

	if (r != -ENOENT)
		return r;
	if (!m->launch->root[0]) {
		r = lay_over(m, bind->target, why);
		if (r != 0)
			return r;
	}
	return make_file(root_fd, bind->target);
}

static int bind_target(struct shim_mounts *m, int root_fd, const struct launch_bind *bind, struct why *why)
{
	CLEAN_CLOSE int fd = -1;
	int r = open_in(root_fd, bind->target, O_PATH, 0, &fd);

	(void)m;
	(void)why;
	if (r < 0)
		return r;
	return same_file(fd, bind->source) ? 0 : bind_over(fd, bind->source);
}

/* Which binds are wanted is decided before anything is made, since what is made here is there the next time. */
static void choose(struct shim_mounts *m, int root_fd, struct shim_log *log)
{
	for (size_t i = 0; i < m->launch->n_binds; i++) {
		const struct launch_bind *bind = &m->launch->binds[i];
		CLEAN_CLOSE int fd = -1;
		bool missing = bind->kind == LAUNCH_BIND_ABSENT && open_in(root_fd, bind->target, O_PATH, 0, &fd) == -ENOENT;

		m->wanted[i] = bind->kind != LAUNCH_BIND_ABSENT || (missing && m->launch->root[0]);
		if (missing && !m->wanted[i])
			shim_log_say(log, "the machine has no %s, and gets none from us", bind->target);
	}
	m->chosen = true;
}

static int for_each(struct shim_mounts *m, int root_fd, struct shim_log *log, struct why *why,
		    int (*work)(struct shim_mounts *m, int root_fd, const struct launch_bind *bind, struct why *why))
{
	for (size_t i = 0; i < m->launch->n_binds; i++) {
		const struct launch_bind *bind = &m->launch->binds[i];
		struct why detail = { .text = "" };
		int r = m->wanted[i] ? work(m, root_fd, bind, &detail) : 0;

		if (r == 0)
			continue;
		if (bind->kind == LAUNCH_BIND_STRICT)
			return why_set(why, "bind_failed", "files", "%s: %s", bind->target,
				       detail.text[0] ? detail.text : strerror(-r));
		shim_log_say(log, "%s is left as it is: %s", bind->target, detail.text[0] ? detail.text : strerror(-r));
		m->wanted[i] = false;
	}
	return 0;
}

/* All is made before anything is bound: a layer hides the binds below the folder that it covers. */
int shim_mounts_apply(struct shim_mounts *mounts, struct shim_log *log, struct why *why)
{
	const char *root = mounts->launch->root;
	CLEAN_CLOSE int fd = open(root[0] ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return why_set(why, "root_missing", "root", "root \"%s\": %s", root, strerror(errno));
	if (!mounts->chosen)
		choose(mounts, fd, log);
	r = for_each(mounts, fd, log, why, make_target);
	return r == 0 ? for_each(mounts, fd, log, why, bind_target) : r;
}
