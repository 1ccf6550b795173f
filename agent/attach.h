/* attach - an instance's interface, behind a table of functions: the real ones by kind and the fake of the tests.
 *
 * attach() brings the interface to what the spec says, whatever is there: it makes it, finishes what was begun, adopts what an
 * earlier daemon left, and changes nothing that is right. It fails closed: an interface is up only with the programs on it and its
 * entry in the device map; what a failed call has made is gone when it returns. detach() takes away all of it; what is not
 * there is fine. */
#pragma once
#include "node/role.h"

struct rtnl;
struct bpf_datapath;

enum attach_kind {
	ATTACH_NETNS,    /* a veth pair into the instance's network namespace */
	ATTACH_TAP,      /* a tap for a virtual machine */
	ATTACH_EXISTING, /* a namespace or tap that somebody else made */
};

struct attach_spec {
	enum attach_kind kind;
	const char *id, *folder; /* of the instance; the interface's name is kept in <folder>/device */
	uint32_t network, home_host, instance;
	int netns_fd;   /* ATTACH_NETNS; for check(): -1 = known, not to be looked at now */
	bool suspended; /* all in place, nothing passes */
};

enum {
	/* All is made, but the kernel has not finished: an address is tentative (a server could not bind to it) or the carrier has
	 * not been seen (packets would be lost). Call again in a few milliseconds. */
	ATTACH_E_PENDING = 2,
};

/* What check() found. */
struct attach_sink {
	void (*differs)(void *ctx, size_t spec, enum repair kind, const char *object); /* attach() will put it right */
	struct repair_sink removed; /* what no spec asks for: it is gone now */
	void *ctx;
};

struct attach_ops {
	/* E_REFUSED with why: this kind is not to be had here, or the kernel or the programs said no; the sentence says which. */
	int (*attach)(void *ctx, const struct attach_spec *spec, struct why *why);
	int (*detach)(void *ctx, const char *folder);
	/* Compares what attach() made for all the specs with what is there now. */
	int (*check)(void *ctx, const struct attach_spec *specs, size_t n, const struct attach_sink *sink);
	/* Now, before anything else and whatever state the interface is in: nothing passes until attach() is called again. */
	int (*silence)(void *ctx, const struct attach_spec *spec);
	/* Interfaces of ours whose name is not in `keep` are leftovers of instances that nobody knows: away with them. */
	int (*sweep)(void *ctx, const char *const *keep_folders, size_t n);
};

struct attach_netns {
	struct rtnl *rtnl;
	struct bpf_datapath *datapath;
};
extern const struct attach_ops attach_netns_ops; /* ctx: struct attach_netns */

/* The candidates for the name of an instance's device: `sx` + 8 hex digits of BLAKE2b(id), the n-th eight of them. */
#define ATTACH_NAME_SIZE 16
#define ATTACH_NAME_TRIES 4
void attach_name(const char *id, unsigned n, char ret_name[ATTACH_NAME_SIZE]);
