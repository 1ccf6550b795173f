/* http_listen - see http_listen.h. */
#include "controller/http/http_listen.h"

#include "lib/sixpn/addr.h"

#include <arpa/inet.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 256
#define PEER_GROUPS_MAX 256

static int failed(const char *what, const char *address, struct why *why)
{
	int error = errno;

	return why_set(why, "listen_failed", "listen", "cannot %s %s: %s", what, address, strerror(error));
}

/* Port 0 is fine here, unlike in an endpoint that others shall dial. */
static int parse_address(const char *text, struct sockaddr_in6 *ret_v6, struct sockaddr_in *ret_v4, struct why *why)
{
	const char *colon = strrchr(text, ':');
	char host[ADDR_TEXT_LEN + 2], *end;
	unsigned long port;

	if (!colon || colon == text || (size_t)(colon - text) >= sizeof host || !colon[1])
		return why_set(why, "listen_failed", "listen", "\"%.80s\" is not ADDRESS:PORT, for example [::1]:4280", text);
	port = strtoul(colon + 1, &end, 10);
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = 0;
	*ret_v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	*ret_v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	if (*end || port > 65535)
		return why_set(why, "listen_failed", "listen", "\"%.80s\": the port must be a number up to 65535", text);
	if (host[0] == '[' && host[strlen(host) - 1] == ']') {
		host[strlen(host) - 1] = 0;
		if (inet_pton(AF_INET6, host + 1, &ret_v6->sin6_addr) == 1)
			return AF_INET6;
	} else if (inet_pton(AF_INET, host, &ret_v4->sin_addr) == 1) {
		return AF_INET;
	}
	return why_set(why, "listen_failed", "listen", "\"%.80s\": the address must be IPv4, or IPv6 in brackets", text);
}

int http_listen_tcp(const char *text, int *ret_fd, uint16_t *ret_port, struct why *why)
{
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;
	int family = parse_address(text, &v6, &v4, why), on = 1;
	struct sockaddr *address = family == AF_INET6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t len = family == AF_INET6 ? sizeof v6 : sizeof v4;

	if (family != AF_INET6 && family != AF_INET)
		return E_REFUSED;
	CLEAN_CLOSE int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (family == AF_INET6 && !IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr)) /* [::] takes IPv4 too */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, address, len) < 0 || listen(fd, BACKLOG) < 0)
		return failed("listen on", text, why);
	if (getsockname(fd, address, &len) < 0)
		return -errno;
	*ret_port = ntohs(family == AF_INET6 ? v6.sin6_port : v4.sin_port);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static int remove_stale(const struct sockaddr_un *address, struct why *why)
{
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : failed("look at", address->sun_path, why);
	if (!S_ISSOCK(st.st_mode))
		return why_set(why, "listen_failed", "socket", "%s is in the way and is not a socket", address->sun_path);
	CLEAN_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN)
		return why_set(why, "listen_failed", "socket", "%s is served by another controller", address->sun_path);
	return unlink(address->sun_path) < 0 ? failed("remove the old", address->sun_path, why) : 0;
}

int http_listen_unix(const char *path, gid_t group, int *ret_fd, struct why *why)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int r;

	if (strlen(path) >= sizeof address.sun_path)
		return why_set(why, "listen_failed", "socket", "the path %.80s... is longer than %zu bytes", path,
			       sizeof address.sun_path - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	r = remove_stale(&address, why);
	if (r)
		return r;
	CLEAN_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	fchmod(fd, 0600); /* the mode of the file that bind makes: nobody else gets in before the group is set */
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
		return failed("listen on", path, why);
	if (group != (gid_t)-1 && chown(path, (uid_t)-1, group) < 0)
		return failed("give the group to", path, why);
	if (chmod(path, group == (gid_t)-1 ? 0600 : 0660) < 0 || listen(fd, BACKLOG) < 0)
		return failed("listen on", path, why);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

bool http_peer_is_operator(int fd, gid_t group, uid_t *ret_uid)
{
	struct ucred peer;
	gid_t groups[PEER_GROUPS_MAX];
	socklen_t len = sizeof peer;

	*ret_uid = (uid_t)-1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	*ret_uid = peer.uid;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	if (group == (gid_t)-1)
		return false;
	if (peer.gid == group)
		return true;
	len = sizeof groups;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof groups[0]; i++)
		if (groups[i] == group)
			return true;
	return false;
}

gid_t http_group_find(const char *name)
{
	struct group *g = name ? getgrnam(name) : NULL;

	return g ? g->gr_gid : (gid_t)-1;
}
