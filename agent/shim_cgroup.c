/* shim_cgroup - see shim.h. Best effort: an instance without a cgroup of its own runs as well, only its family is harder to
 * account for. Only below a delegated cgroup: elsewhere the tree belongs to somebody else. */
#include "agent/shim.h"

#include "lib/base/file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static bool delegated(const char *path)
{
	char value[4];

	return getxattr(path, "trusted.delegate", value, sizeof value) == 1 && value[0] == '1';
}

static int enter(const char *path)
{
	char procs[640];

	snprintf(procs, sizeof procs, "%s/cgroup.procs", path);
	return file_put(procs, "0");
}

void shim_cgroup_enter(struct shim_cgroup *cgroup, const char *id)
{
	CLEAN_BUF struct buf text = BUF_INIT(8192);
	char *line, *end;

	cgroup->path[0] = 0;
	if (file_read("/proc/self/cgroup", 4096, &text) < 0)
		return;
	line = strstr(buf_str(&text), "0::/");
	if (!line)
		return;
	line += 3;
	end = strchr(line, '\n');
	if (end)
		*end = 0;
	if ((size_t)snprintf(cgroup->parent, sizeof cgroup->parent, "/sys/fs/cgroup%s", line) >= sizeof cgroup->parent ||
	    !delegated(cgroup->parent))
		return;
	snprintf(cgroup->path, sizeof cgroup->path, "%s/sixpn-%s", cgroup->parent, id);
	if ((mkdir(cgroup->path, 0755) < 0 && errno != EEXIST) || enter(cgroup->path) < 0) {
		rmdir(cgroup->path);
		cgroup->path[0] = 0;
	}
}

void shim_cgroup_leave(struct shim_cgroup *cgroup)
{
	if (!cgroup->path[0])
		return;
	if (enter(cgroup->parent) == 0)
		rmdir(cgroup->path);
	cgroup->path[0] = 0;
}
