/* exchange - one question to one upstream: a UDP socket of its own (connected, so that the kernel drops what comes from elsewhere;
 * a port the kernel draws at random), a random id, random letters; then TCP if the answer does not fit, or if the UDP socket is not
 * to be trusted any more. How long to wait is the owner's business: an exchange goes on until it ends or is stopped. */
#pragma once
#include "lib/base/clock.h"
#include "lib/base/loop.h"
#include "lib/dns/forward_tally.h"
#include "lib/dns/reply_in.h"

#include <sys/socket.h>

#define DNS_EXCHANGE_STRAYS_MAX 32 /* what does not match, before we go to TCP */

/* What all exchanges of a forwarder share. */
struct dns_exchange_env {
	struct loop *loop;
	struct clock clock;
	struct dns_forward_tally *tally;
	size_t n_open, max_open; /* sockets */
	bool mix_case;
	struct dns_reply_in in; /* scratch: the reply being looked at, and its bytes */
	uint8_t bytes[DNS_UDP_MAX + 1];
};

enum dns_exchange_end {
	DNS_EXCHANGE_ANSWERED,    /* `in` is a good reply, valid during the call */
	DNS_EXCHANGE_FAILED,      /* the upstream says that it has no answer */
	DNS_EXCHANGE_NO_EDNS,     /* it does not like our OPT */
	DNS_EXCHANGE_UNREACHABLE, /* a socket says so */
	DNS_EXCHANGE_BAD_STREAM,
};

struct dns_exchange {
	struct dns_exchange_env *env; /* NULL = not running */
	struct loop_io io;
	struct dns_sent sent;
	struct sockaddr_storage to;
	socklen_t to_len;
	bool tcp, folded; /* folded: came back in other letters */
	uint8_t out[2 + DNS_SENT_MAX];
	size_t out_len, out_sent;
	uint8_t length[2], *in; /* TCP */
	size_t in_len, in_want;
	unsigned strays;
	uint64_t started_ms;
	/* It is not running any more and may be freed or started again. */
	void (*ended)(struct dns_exchange *x, enum dns_exchange_end end, const struct dns_reply_in *in);
};

/* sent: name, type, class, edns, dnssec_ok, checking_disabled; the rest is drawn here. -errno of the sockets; -EMFILE also when
 * there are max_open already. `ended` is never called from here. */
int dns_exchange_start(struct dns_exchange *x, struct dns_exchange_env *env, const struct sockaddr_storage *to, socklen_t to_len,
		       const struct dns_sent *sent, bool tcp) MUST_CHECK;
void dns_exchange_stop(struct dns_exchange *x); /* not running = no-op */
