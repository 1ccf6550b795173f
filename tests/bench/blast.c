/* blast - see blast.h. */
#include "tests/bench/blast.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define BATCH 32
#define WINDOW 192 /* in flight: the server always has a backlog, and its queue never overflows */
#define PATIENCE_US 300000
#define ANSWER_MAX 1500

struct batch {
	struct mmsghdr out[BATCH], in[BATCH];
	struct iovec out_io[BATCH], in_io[BATCH];
	uint8_t query[BATCH][BLAST_QUERY_MAX], answer[BATCH][ANSWER_MAX];
};

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

size_t blast_add(struct blast_query *queries, size_t n, const char *name, uint16_t type, uint8_t rcode, uint16_t answers)
{
	struct blast_query *q = &queries[n];
	size_t at = 12;

	memset(q, 0, sizeof *q);
	put16(q->bytes, (unsigned)n);
	q->bytes[2] = 1; /* RD */
	q->bytes[5] = 1;
	while (*name) {
		size_t label = strcspn(name, ".");

		q->bytes[at++] = (uint8_t)label;
		memcpy(q->bytes + at, name, label);
		at += label;
		name += label + (name[label] == '.');
	}
	put16(q->bytes + at + 1, type);
	put16(q->bytes + at + 3, 1);
	q->len = at + 5;
	q->rcode = rcode;
	q->answers = answers;
	return n + 1;
}

static void prepare(struct batch *b)
{
	memset(b, 0, sizeof *b);
	for (size_t i = 0; i < BATCH; i++) {
		b->out_io[i].iov_base = b->query[i];
		b->in_io[i] = (struct iovec){ b->answer[i], ANSWER_MAX };
		b->out[i].msg_hdr = (struct msghdr){ .msg_iov = &b->out_io[i], .msg_iovlen = 1 };
		b->in[i].msg_hdr = (struct msghdr){ .msg_iov = &b->in_io[i], .msg_iovlen = 1 };
	}
}

static int send_some(struct batch *b, int fd, const struct blast_query *queries, size_t n, uint64_t from)
{
	for (size_t i = 0; i < BATCH; i++) {
		const struct blast_query *q = &queries[(from + i) % n];

		memcpy(b->query[i], q->bytes, q->len);
		b->out_io[i].iov_len = q->len;
	}
	return sendmmsg(fd, b->out, BATCH, 0);
}

static void check(struct blast_result *r, const struct blast_query *queries, size_t n, const uint8_t *answer, size_t len)
{
	size_t which = len >= 12 ? get16(answer) : n;
	const struct blast_query *q = &queries[which < n ? which : 0];

	r->answered++;
	r->bytes += len;
	r->wrong += which >= n || (answer[3] & 15) != q->rcode || get16(answer + 6) != q->answers || (answer[2] & 2);
}

struct blast_result blast_run(int fd, const struct blast_query *queries, size_t n, uint64_t wanted)
{
	static struct batch b;
	struct timeval patience = { .tv_usec = PATIENCE_US };
	struct blast_result r = { 0 };
	uint64_t sent = 0, seen = 0;
	unsigned silences = 0;

	prepare(&b);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	while (r.answered < wanted && silences < 5) {
		int got;

		while (sent - seen + BATCH <= WINDOW) {
			int k = send_some(&b, fd, queries, n, sent);

			if (k <= 0)
				return r;
			sent += (unsigned)k;
		}
		got = recvmmsg(fd, b.in, BATCH, MSG_WAITFORONE, NULL);
		if (got <= 0) { /* what is in flight is lost */
			silences++;
			r.lost += sent - seen;
			seen = sent;
			continue;
		}
		silences = 0;
		seen += (unsigned)got;
		for (int i = 0; i < got; i++)
			check(&r, queries, n, b.answer[i], b.in[i].msg_len);
	}
	return r;
}
