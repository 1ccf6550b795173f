/* wg_uapi - WireGuard in a user process (wireguard-go), spoken to over its Unix socket: the cross-platform userspace protocol,
 * https://www.wireguard.com/xplatform/. One connection per call, so the process may die and come back between calls.
 *
 * A process that says nothing for WG_UAPI_SILENCE_MS is given up (-ETIMEDOUT), and so is an exchange of WG_UAPI_TIMEOUT_MS: callers
 * are loops. wireguard-go dumps some 25,000 peers in the time that it may be silent. -ENOENT or -ECONNREFUSED: nobody serves the
 * device; -EPROTO: the reply is not of the protocol; any other -errno may be the process's own answer.
 */
#pragma once
#include "lib/base/buf.h"
#include "lib/netlink/wg.h"

#include <stdatomic.h>

#define WG_UAPI_SILENCE_MS 500
#define WG_UAPI_TIMEOUT_MS 5000
#define WG_UAPI_DIR "/run/wireguard" /* wireguard-go's own folder is /var/run/wireguard, the same place on Debian */

struct wg_uapi {
	char socket_path[108];
	uint32_t silence_ms, timeout_ms; /* of a call; wg_uapi_init sets those above */
	const atomic_bool *cancelled;    /* true = give up now (-ECANCELED); NULL = never */
};

/* dir NULL = WG_UAPI_DIR. -ENAMETOOLONG. */
int wg_uapi_init(struct wg_uapi *uapi, const char *ifname, const char *dir);
struct wg wg_uapi_backend(struct wg_uapi *uapi); /* borrows uapi */

/* The door for replies: a whole answer, from the first line to "errno=N" and the empty line. *ret_errno is the N of the answer
 * (0 = good). Known keys are held to their exact form and place, unknown ones of good form are skipped. -EPROTO. Peers reach
 * `each` (may be NULL) one by one, so some may have been delivered when an error is found; ret_device may be NULL. */
int wg_uapi_parse(const char *text, size_t len, void (*each)(void *each_ctx, const struct wg_peer_status *status), void *each_ctx,
		  struct wg_device *ret_device, int *ret_errno);
/* The text of a set request for the steps, without its closing empty line: appended to *ret_text. */
void wg_uapi_format(const struct wg_step *steps, size_t n, struct buf *ret_text);
