/* An upstream on loopback that does what its script says, in the test's own loop: no thread, no waiting. It writes down every question
 * that reaches it. Also: a forwarder with this upstream, and askers that keep what they were answered. */
#pragma once
#include "tests/unit/lib/dns/fixture.h"

#include "lib/base/loop.h"
#include "lib/dns/forward.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEEN_MAX 4096

/* ---- messages ---- */

struct wire_out {
	uint8_t bytes[65535];
	size_t n;
};

static inline void out_bytes(struct wire_out *o, const void *p, size_t n)
{
	assert_true(o->n + n <= sizeof o->bytes);
	memcpy(o->bytes + o->n, p, n);
	o->n += n;
}

static inline void out_u16(struct wire_out *o, uint16_t v)
{
	uint8_t p[2];

	put_u16(p, v);
	out_bytes(o, p, 2);
}

static inline void out_name(struct wire_out *o, const char *name)
{
	uint8_t wire[DNS_NAME_MAX];

	if (!*name)
		out_bytes(o, "", 1);
	else
		out_bytes(o, wire, dns_name_from_text(name, wire));
}

/* section: 0 answer, 1 authority, 2 additional. owner NULL = pointer to the question. */
static inline void out_record(struct wire_out *o, unsigned section, const char *owner, uint16_t type, uint32_t ttl, const void *rdata,
			      size_t len)
{
	uint8_t *count = o->bytes + 6 + 2 * section, ttl_bytes[4];

	put_u16(count, (uint16_t)(get_u16(count) + 1));
	if (owner)
		out_name(o, owner);
	else
		out_u16(o, 0xc00c);
	out_u16(o, type);
	out_u16(o, DNS_CLASS_IN);
	put_u32(ttl_bytes, ttl);
	out_bytes(o, ttl_bytes, 4);
	out_u16(o, (uint16_t)len);
	out_bytes(o, rdata, len);
}

static inline void out_a(struct wire_out *o, const char *owner, uint32_t ttl, const char *address)
{
	uint8_t v4[4];

	assert_int_equal(inet_pton(AF_INET, address, v4), 1);
	out_record(o, 0, owner, DNS_TYPE_A, ttl, v4, 4);
}

static inline void out_aaaa(struct wire_out *o, const char *owner, uint32_t ttl, const char *address)
{
	uint8_t v6[16];

	assert_int_equal(inet_pton(AF_INET6, address, v6), 1);
	out_record(o, 0, owner, DNS_TYPE_AAAA, ttl, v6, 16);
}

static inline void out_cname(struct wire_out *o, const char *owner, uint32_t ttl, const char *target)
{
	uint8_t wire[DNS_NAME_MAX];

	out_record(o, 0, owner, 5, ttl, wire, dns_name_from_text(target, wire));
}

static inline void out_soa(struct wire_out *o, const char *owner, uint32_t ttl, uint32_t minimum)
{
	uint8_t rdata[2 + 20] = { 0 };

	put_u32(rdata + 2 + 16, minimum); /* both names are the root */
	out_record(o, 1, owner, DNS_TYPE_SOA, ttl, rdata, sizeof rdata);
}

static inline void out_opt(struct wire_out *o, uint8_t rcode_high)
{
	uint8_t opt[DNS_OPT_LEN] = { [2] = DNS_TYPE_OPT, [3] = 4, [4] = 0xd0, [5] = rcode_high };

	put_u16(o->bytes + 10, (uint16_t)(get_u16(o->bytes + 10) + 1));
	out_bytes(o, opt, sizeof opt);
}

/* ---- the upstream ---- */

struct fake;

struct fake_query {
	struct fake *fake;
	bool tcp;
	int fd; /* TCP */
	struct sockaddr_storage from;
	socklen_t from_len;
	uint8_t bytes[1024];
	size_t n, question_end;
	char name[1024]; /* as received */
	uint16_t type;
	bool has_opt, dnssec_ok, checking_disabled;
};

struct fake {
	struct loop *loop;
	struct loop_io udp, tcp;
	uint16_t port;
	void (*script)(struct fake_query *q);
	size_t n_udp, n_tcp;
	char seen[SEEN_MAX][128]; /* lower case "name type" */
	size_t n_seen;
	uint32_t last_mark;
	struct fake_query last;
	int held[64]; /* TCP connections that a script keeps open */
	size_t n_held;
	uint64_t forgeries; /* sent */
};

static inline void fake_send(struct fake_query *q, const void *bytes, size_t n)
{
	uint8_t framed[2 + 65535];

	if (!q->tcp) {
		(void)!sendto(q->fake->udp.fd, bytes, n, 0, (struct sockaddr *)&q->from, q->from_len);
		return;
	}
	put_u16(framed, (uint16_t)n);
	memcpy(framed + 2, bytes, n);
	assert_int_equal(send(q->fd, framed, n + 2, MSG_NOSIGNAL), n + 2);
}

/* A reply begun: header with the rcode, and the question as it came. */
static inline void fake_begin(const struct fake_query *q, struct wire_out *o, uint16_t flags)
{
	memcpy(o->bytes, q->bytes, q->question_end);
	put_u16(o->bytes + 2, (uint16_t)(0x8180 | flags));
	memset(o->bytes + 6, 0, 6);
	o->n = q->question_end;
}

static inline void fake_read_question(struct fake_query *q)
{
	size_t at = 12, text = 0;

	while (q->bytes[at]) {
		for (size_t i = 1; i <= q->bytes[at]; i++)
			q->name[text++] = (char)q->bytes[at + i];
		q->name[text++] = '.';
		at += 1u + q->bytes[at];
	}
	q->name[text ? text - 1 : 0] = 0;
	q->type = get_u16(q->bytes + at + 1);
	q->question_end = at + 5;
	q->has_opt = q->bytes[11] == 1;
	q->dnssec_ok = q->has_opt && q->bytes[q->question_end + 7] & 0x80;
	q->checking_disabled = q->bytes[3] & 0x10;
}

static inline void fake_serve(struct fake_query *q)
{
	struct fake *f = q->fake;
	char *line = f->seen[f->n_seen % SEEN_MAX];

	fake_read_question(q);
	snprintf(line, sizeof f->seen[0], "%.100s %u", q->name, q->type);
	for (char *p = line; *p; p++)
		*p = (char)tolower(*p);
	f->n_seen++;
	*(q->tcp ? &f->n_tcp : &f->n_udp) += 1;
	f->last = *q;
	if (f->script)
		f->script(q);
}

static inline void fake_udp_ready(struct loop_io *io, uint32_t revents)
{
	struct fake_query q = { .fake = container_of(io, struct fake, udp) };
	_Alignas(8) uint8_t control[64];
	struct iovec v = { q.bytes, sizeof q.bytes };
	struct msghdr h = { .msg_name = &q.from, .msg_namelen = sizeof q.from, .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof control };
	ssize_t n = recvmsg(io->fd, &h, MSG_DONTWAIT);

	(void)revents;
	if (n < 12)
		return;
	q.n = (size_t)n;
	q.from_len = h.msg_namelen;
	q.fake->last_mark = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_MARK)
			memcpy(&q.fake->last_mark, CMSG_DATA(c), sizeof q.fake->last_mark);
	fake_serve(&q);
}

static inline void fake_tcp_ready(struct loop_io *io, uint32_t revents)
{
	struct fake *f = container_of(io, struct fake, tcp);
	struct fake_query q = { .fake = f, .tcp = true, .fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC) };
	uint8_t length[2];

	(void)revents;
	/* The asker is in this very loop, but what it sent is in the kernel: it sends as soon as it is connected, which it is told in a
	 * later round; so this connection is given back to the loop once. */
	if (q.fd < 0)
		return;
	for (int i = 0; i < 100 && recv(q.fd, length, 2, MSG_PEEK | MSG_DONTWAIT) != 2; i++)
		loop_round(f->loop, 10);
	if (recv(q.fd, length, 2, MSG_DONTWAIT) == 2 && recv(q.fd, q.bytes, sizeof q.bytes, MSG_DONTWAIT) == get_u16(length)) {
		q.n = get_u16(length);
		fake_serve(&q);
	}
	if (q.fd < 0)
		return;
	/* Closed much later: the asker closes first, or waits in vain. */
	if (f->n_held >= ARRAY_LEN(f->held))
		close(f->held[f->n_held % ARRAY_LEN(f->held)]);
	f->held[f->n_held++ % ARRAY_LEN(f->held)] = q.fd;
}

/* On 127.0.0.1 or ::1; the same port for UDP and TCP. */
static inline void fake_start_on(struct fake *f, struct loop *loop, int family)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr *at = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	in_port_t *port = family == AF_INET ? &v4.sin_port : &v6.sin6_port;
	socklen_t len = family == AF_INET ? sizeof v4 : sizeof v6;
	int on = 1, room = 4 << 20;

	memset(f, 0, sizeof *f);
	f->loop = loop;
	for (int tries = 0;; tries++) {
		f->udp = (struct loop_io){ .fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0), .events = EPOLLIN, .ready = fake_udp_ready };
		f->tcp = (struct loop_io){ .fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), .events = EPOLLIN, .ready = fake_tcp_ready };
		*port = 0;
		assert_int_equal(bind(f->udp.fd, at, len), 0);
		assert_int_equal(getsockname(f->udp.fd, at, &len), 0);
		setsockopt(f->tcp.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		if (bind(f->tcp.fd, at, len) == 0)
			break;
		assert_true(tries < 20);
		close(f->udp.fd);
		close(f->tcp.fd);
	}
	assert_int_equal(listen(f->tcp.fd, 64), 0);
	(void)setsockopt(f->udp.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
#ifdef SO_RCVMARK
	(void)setsockopt(f->udp.fd, SOL_SOCKET, SO_RCVMARK, &on, sizeof on);
#endif
	f->port = ntohs(*port);
	assert_int_equal(loop_add_io(loop, &f->udp), 0);
	assert_int_equal(loop_add_io(loop, &f->tcp), 0);
}

static inline void fake_start(struct fake *f, struct loop *loop)
{
	fake_start_on(f, loop, AF_INET);
}

static inline void fake_stop(struct fake *f)
{
	for (size_t i = 0; i < f->n_held && i < ARRAY_LEN(f->held); i++)
		close(f->held[i]);
	loop_remove_io(&f->udp);
	loop_remove_io(&f->tcp);
	close(f->udp.fd);
	close(f->tcp.fd);
	f->n_held = 0;
}

static inline bool fake_saw(const struct fake *f, const char *line)
{
	for (size_t i = 0; i < f->n_seen && i < SEEN_MAX; i++)
		if (!strcmp(f->seen[i], line))
			return true;
	return false;
}

/* ---- askers ---- */

struct asked {
	struct dns_waiter waiter;
	unsigned answered, dropped;
	uint16_t rcode;
	uint8_t bytes[DNS_MESSAGE_MAX];
	size_t n;
	char text[4096]; /* "NOERROR A 192.0.2.1 60 ..." with TTLs */
	int ede;         /* -1 = none */
};

static inline void asked_append(struct asked *a, const ldns_rr *rr)
{
	char number[16], *s = ldns_rr_type2str(ldns_rr_get_type(rr));

	append(a->text, sizeof a->text, s);
	free(s);
	for (size_t k = 0; k < ldns_rr_rd_count(rr); k++) {
		s = ldns_rdf2str(ldns_rr_rdf(rr, k));
		append(a->text, sizeof a->text, s);
		free(s);
	}
	snprintf(number, sizeof number, "%u", ldns_rr_ttl(rr));
	append(a->text, sizeof a->text, number);
}

/* What forgers say, wherever it turns up in an answer. */
#define FORGED_ADDRESS "203.0.113.66"
#define FORGED_ADDRESS_V6 "2001:db8:bad::1"
static uint64_t n_believed;

static inline void look_for_forgery(const uint8_t *message, size_t len)
{
	uint8_t v4[4], v6[16];

	inet_pton(AF_INET, FORGED_ADDRESS, v4);
	inet_pton(AF_INET6, FORGED_ADDRESS_V6, v6);
	n_believed += memmem(message, len, v4, sizeof v4) || memmem(message, len, v6, sizeof v6);
}

static inline void asked_answered(struct dns_waiter *w, const uint8_t *message, size_t len, uint16_t rcode)
{
	struct asked *a = container_of(w, struct asked, waiter);
	ldns_pkt *p = decode(message, len);
	char *s = ldns_pkt_rcode2str(ldns_pkt_get_rcode(p));
	ldns_rdf *opt = ldns_pkt_edns_data(p);

	look_for_forgery(message, len);
	a->answered++;
	a->rcode = rcode;
	memcpy(a->bytes, message, len);
	a->n = len;
	assert_int_equal(get_u16(message), w->query.id);
	assert_false(ldns_pkt_ad(p));
	assert_false(ldns_pkt_aa(p));
	assert_true(ldns_pkt_ra(p));
	assert_true(ldns_pkt_qr(p));
	assert_int_equal(ldns_pkt_rd(p), 1);
	assert_int_equal(ldns_pkt_cd(p), !!(w->query.flags & DNS_FLAG_CHECKING_DISABLED));
	/* the question, letter by letter */
	assert_memory_equal(message + 12, w->name_bytes, w->query.name_len);
	assert_true(len <= w->size);
	a->text[0] = 0;
	append(a->text, sizeof a->text, s);
	free(s);
	if (ldns_pkt_tc(p))
		append(a->text, sizeof a->text, "tc");
	for (size_t i = 0; i < ldns_pkt_ancount(p); i++)
		asked_append(a, ldns_rr_list_rr(ldns_pkt_answer(p), i));
	for (size_t i = 0; i < ldns_pkt_nscount(p); i++) {
		append(a->text, sizeof a->text, "/");
		asked_append(a, ldns_rr_list_rr(ldns_pkt_authority(p), i));
	}
	a->ede = -1;
	if (opt && ldns_rdf_size(opt) >= 6 && get_u16(ldns_rdf_data(opt)) == 15)
		a->ede = get_u16(ldns_rdf_data(opt) + 4);
	ldns_pkt_free(p);
}

static inline void asked_dropped(struct dns_waiter *w)
{
	container_of(w, struct asked, waiter)->dropped++;
}

struct how {
	const char *source; /* NULL = an instance of NET */
	uint16_t type, edns, id;
	bool dnssec_ok, checking_disabled, tcp;
};

static inline void ask(struct dns_forward *f, struct asked *a, const char *name, struct how how)
{
	static uint16_t port = 1000;
	uint8_t bytes[512];
	struct dns_query q;
	uint16_t rcode, id = how.id ? how.id : 4711;
	uint8_t wire[DNS_NAME_MAX];
	size_t n = make_query(bytes, id, name, how.type ? how.type : DNS_TYPE_A, how.edns), at = 12, name_len;

	/* as given, not in lower case */
	name_len = dns_name_from_text(name, wire);
	for (size_t i = 0; name[i]; i++)
		if (name[i] != '.')
			bytes[at + 1 + i] = (uint8_t)name[i];
	if (how.checking_disabled)
		bytes[3] |= 0x10;
	if (how.dnssec_ok)
		bytes[12 + name_len + 4 + 7] |= 0x80;
	assert_int_equal(dns_query_parse(bytes, n, &q, &rcode), 0);
	*a = (struct asked){ .ede = -1 };
	if (how.source)
		assert_int_equal(inet_pton(AF_INET6, how.source, &a->waiter.source), 1);
	else
		a->waiter.source = addr_instance(NET, HERE, 0x77777);
	a->waiter.port = how.id ? htons(5353) : htons(port++);
	a->waiter.size = how.tcp ? DNS_MESSAGE_MAX : dns_query_udp_limit(&q);
	a->waiter.answered = asked_answered;
	a->waiter.dropped = asked_dropped;
	dns_forward_ask(f, &a->waiter, &q);
}

/* Runs the loop until it is answered; fails the test if that takes ten seconds. */
static inline void await(struct loop *loop, const struct asked *a)
{
	uint64_t start = loop_now_ms(loop);

	while (!a->answered && !a->dropped) {
		assert_int_equal(loop_round(loop, 100), 0);
		if (loop_now_ms(loop) - start > 10000)
			fail_msg("no answer in ten seconds");
	}
}

static inline uint64_t counted(const struct dns_forward *f, enum dns_forward_counter c)
{
	struct dns_forward_stats s;

	dns_forward_stats(f, &s);
	return s.counters[c];
}

static inline uint64_t gauge(const struct dns_forward *f, enum dns_forward_gauge g)
{
	struct dns_forward_stats s;

	dns_forward_stats(f, &s);
	return s.gauges[g];
}
