/* doctor - what is wrong with the tunnel of a peer, looked at from the customer's machine. Pure but for doctor_ops: each check looks at
 * one thing and says a sentence, and what to do next if it is not well. */
#pragma once
#include "controller/cli/peer_file.h"

#define DOCTOR_FINDINGS_MAX 40

enum doctor_level { DOCTOR_OK, DOCTOR_SKIP /* cannot be seen, and why */, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor_finding {
	enum doctor_level level;
	const char *check;
	char text[320], next[400];
};

/* Effects. All but real_s return 0 or a negative errno. */
struct doctor_ops {
	int (*read_file)(void *ctx, const char *path, struct buf *ret_text);
	int (*file_mode)(void *ctx, const char *path, unsigned *ret_mode);
	/* Runs a program found on PATH (a NULL-ended argv); its exit status, or -ENOENT if there is none. Output of both kinds. */
	int (*run)(void *ctx, const char *const *argv, struct buf *ret_text);
	/* Addresses as text, one a line. */
	int (*resolve)(void *ctx, const char *host, struct buf *ret_addresses);
	/* TXT of a name at a server (an address as text). -ENOENT: the name does not exist there; -ETIMEDOUT; -EREMOTEIO: an error. */
	int (*ask)(void *ctx, const char *server, const char *name, bool tcp, unsigned *ret_ms, struct buf *ret_text);
	/* This clock minus the controller's; -ENOTCONN: no controller is known here. */
	int (*clock_ahead_s)(void *ctx, int64_t *ret_s);
	/* The peer and its status by the API, new references; -ENOTCONN; -ENOENT: it is not there; -EACCES; with a sentence in *why. */
	int (*look_up)(void *ctx, const char *ref, json_t **ret_peer, json_t **ret_status, struct why *why);
	uint64_t (*real_s)(void *ctx);
};

struct doctor {
	const struct doctor_ops *ops;
	void *ctx;
	const char *path; /* NULL: no file is known, only a name */
	const char *ref; /* the peer for the API: name or org/name; "" = not known */
	struct doctor_finding findings[DOCTOR_FINDINGS_MAX];
	size_t n;
	/* what checks learn for later ones */
	struct peer_file file;
	char interface[32], dns[INET6_ADDRSTRLEN];
	bool parsed, up, routed, answers;
	unsigned mtu;
};

void doctor_run(struct doctor *d);
void doctor_deinit(struct doctor *d);
/* ok, SKIP, WARN, FAIL */
const char *doctor_level_text(enum doctor_level level);
extern const struct doctor_ops doctor_real_ops; /* ctx: struct cli */
