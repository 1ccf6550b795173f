/* nft - the second gate of arrival in nftables, and our one rule in other people's forward chains.
 *
 * The gate is one table `inet <name>` (plus `arp <name>` where the kernel has that family) with one chain at prerouting, priority
 * raw: every packet that comes in by one of our devices without the mark is dropped and counted. IPv4 and IPv6 alike; the arp
 * table does the same for ARP, which inet chains never see. A missing BPF program therefore means silence, not freedom.
 *
 * On a machine that forwards IPv6 for our sake alone (no_transit) the inet table has a second chain, at hook forward: what lacks the
 * mark is not ours and goes nowhere, as before us. It has a counter of its own.
 *
 * A struct nft is bound to the network namespace in which it was opened, and is for one thread. Failures of the kernel or the
 * library are -EIO with the library's own sentence in nft_why(); nothing is ever executed as a command. */
#pragma once
#include "lib/base/buf.h"

struct nft;

struct nft_gate {
	const char *table;          /* [a-z][a-z0-9_]*, at most 31 */
	uint32_t mark, mask;        /* a packet passes if (mark of the packet & mask) == mark */
	const char *const *devices; /* interface names; a last '*' stands for any ending */
	size_t n_devices;
	bool no_transit;            /* also: no IPv6 is forwarded but what has the mark */
};

/* `sx*`, `sixpn-mesh`, `sixpn-peers`, mark 0x6b/0xff, table sixpn */
extern const struct nft_gate nft_gate_default;

enum nft_gate_state {
	NFT_GATE_OK,
	NFT_GATE_MISSING, /* no such table */
	NFT_GATE_DIFFERS, /* emptied, added to, made dormant, or made by another version */
};

struct nft_counter {
	uint64_t packets, bytes;
};

int nft_open(struct nft **ret_nft); /* in the calling thread's network namespace */
int nft_open_in(int netns_fd, struct nft **ret_nft);
struct nft *nft_free(struct nft *nft); /* NULL is fine; returns NULL */
const struct why *nft_why(const struct nft *nft); /* never NULL */

/* A number that changes with every change of any table of the namespace: while it is the same, so is all that was looked at. Two
 * orders of magnitude cheaper than looking. Chains of the legacy ip6tables do not count. */
int nft_generation(struct nft *nft, uint32_t *ret_generation);

/* Makes or replaces the gate in one transaction: there is no moment without it. The counter starts at 0. */
int nft_gate_load(struct nft *nft, const struct nft_gate *gate);
/* Compares what the kernel has, rule by rule, with what nft_gate_load would make. */
int nft_gate_check(struct nft *nft, const struct nft_gate *gate, enum nft_gate_state *ret_state);
int nft_gate_drops(struct nft *nft, const struct nft_gate *gate, struct nft_counter *ret_drops); /* -ENOENT: no gate */
/* What the chain at hook forward dropped; 0 where the gate has none. */
int nft_gate_transit_drops(struct nft *nft, const struct nft_gate *gate, struct nft_counter *ret_drops);
int nft_gate_remove(struct nft *nft, const struct nft_gate *gate);                                /* not there = 0 */
/* Whether ARP is covered: false after a load on a kernel without the arp family. */
bool nft_gate_has_arp(const struct nft *nft);

/* Forward chains of other owners (ip6 or inet base chains at hook forward) that drop what nobody accepts: policy drop (Docker
 * since 27, ufw), or an unconditional drop or reject in the chain itself (firewalld). An accept in a chain of ours cannot undo
 * that, so one rule `meta mark & mask == mark accept`, comment "sixpn", goes first in each. Call again whenever the owner may
 * have rebuilt the chain; a rule of ours that is still there stays. Chains of the legacy ip6tables are not visible here. */
struct nft_forward {
	unsigned chains;   /* foreign chains that would drop us */
	unsigned accepted; /* of these, how many hold our rule */
	char names[256];   /* "ip6 filter FORWARD, inet firewalld filter_FORWARD": for log and doctor, cut when too long */
};

int nft_forward_check(struct nft *nft, const struct nft_gate *gate, struct nft_forward *ret_found);
/* Inserts where our rule is missing; *ret_found as it is afterwards, *ret_added the number of rules inserted now. */
int nft_forward_accept(struct nft *nft, const struct nft_gate *gate, struct nft_forward *ret_found, unsigned *ret_added);
/* Also one that ip6tables has written again in its own way, if it accepts the mark of this gate. */
int nft_forward_remove(struct nft *nft, const struct nft_gate *gate, unsigned *ret_removed);
