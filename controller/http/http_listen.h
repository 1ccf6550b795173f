/* http_listen - sockets that the HTTP server listens on, and who is at the other end of a local one. */
#pragma once
#include "lib/base/err.h"

#include <sys/types.h>

/* "192.0.2.1:4280", "[::1]:4280"; the socket is non-blocking and close-on-exec. E_REFUSED "listen_failed" names the address. */
int http_listen_tcp(const char *text, int *ret_fd, uint16_t *ret_port, struct why *why) MUST_CHECK;
/* Mode 0660, owned by the group (gid_t)-1 = none. A socket file that nobody serves any more is replaced. */
int http_listen_unix(const char *path, gid_t group, int *ret_fd, struct why *why) MUST_CHECK;
/* Whether the peer of a connected local socket is root, ourselves or in the group; its user in *ret_uid (also if not). */
bool http_peer_is_operator(int fd, gid_t group, uid_t *ret_uid);
/* (gid_t)-1 if there is no such group (or name is NULL). */
gid_t http_group_find(const char *name);
