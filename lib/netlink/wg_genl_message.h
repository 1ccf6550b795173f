/* wg_genl_message - the bytes of the family "wireguard", both ways: steps become set messages, dump messages become peers. Pure.
 *
 * A peer with more prefixes than one message takes goes on in the next: there only its key and the rest, to be added to what it has. The
 * kernel does the same in dumps. */
#pragma once
#include "lib/netlink/wg.h"

struct nlmsghdr;

#define WG_GENL_MESSAGE_MAX 32768 /* the kernel takes 65535 for all peers of a message; more at once would only hold its locks longer */
#define WG_GENL_PEERS_MAX 256     /* a message; each new one costs the kernel a multiplication on the curve */
#define WG_GENL_REMOVALS_MAX 32   /* a message; each waits for every reader in the kernel, with all links locked */
#define WG_GENL_ALLOWED_READ_MAX (1u << 20) /* prefixes of a peer; somebody else may have given it more than ours can have */

/* ---- what we say ---- */

/* A walk over steps. Starts with only the first three set. */
struct wg_genl_writer {
	const char *ifname;
	const struct wg_step *steps;
	size_t n;
	size_t at;        /* the step that comes next */
	size_t at_prefix; /* > 0: it is under way */
};

/* The next message of the walk into bytes (WG_GENL_MESSAGE_MAX of them, aligned for a struct nlmsghdr), complete but for its sequence
 * number. NULL: the walk is over. The bytes may hold keys: wipe them. */
struct nlmsghdr *wg_genl_write_steps(struct wg_genl_writer *writer, uint16_t family, void *bytes);
/* private_key NULL and listen_port -1 = as it is */
struct nlmsghdr *wg_genl_write_device(const char *ifname, uint16_t family, const uint8_t *private_key, int32_t listen_port, void *bytes);
struct nlmsghdr *wg_genl_write_dump(const char *ifname, uint16_t family, void *bytes);
struct nlmsghdr *wg_genl_write_lookup(void *bytes); /* asks for the number of the family */

/* ---- what the kernel says ---- */

/* Peers grow here over the messages of one dump, without the device's private key. Starts as { 0 }. */
struct wg_genl_reader {
	struct wg_observed observed;
	struct wg_prefix *allowed; /* of the peer that came last, which the next message may go on with */
	size_t n_allowed, allowed_cap;
};

/* One message of a dump. -EPROTO: it is not of the protocol; -ENOMEM. After an error only wg_genl_reader_deinit. */
int wg_genl_read(struct wg_genl_reader *reader, const struct nlmsghdr *message) MUST_CHECK;
/* The dump is over: the last peer gets its prefixes. */
int wg_genl_read_end(struct wg_genl_reader *reader) MUST_CHECK;
void wg_genl_reader_deinit(struct wg_genl_reader *reader);
/* The answer to wg_genl_write_lookup. */
int wg_genl_read_family(const struct nlmsghdr *message, uint16_t *ret_family);
