/* bench_fanout - one committed change to a thousand nodes that have parked a poll: how long until each has it, beside a bare raw-REP
 * server that sends the same bytes to as many parked requesters. Both in this run, on this machine; the ratio is what it costs that our
 * replies are sealed for each node, found by its scope and acknowledged.
 *
 * The controller is the daemon's own objects (store, scopes, link, nng) in a process of its own; the thousand nodes are the daemon's own
 * link clients with sessions of their own, in one loop of this process. They live on twenty addresses in a network namespace, because
 * the controller rightly refuses a thousand handshakes from one. The clock starts when the loop is told of the commit (ours), or when the
 * sending begins (bare). The two take turns, round by round, so that both meet the same noise. Needs root. */
#include "controller/nodes/controller_internal.h"
#include "controller/store/store_node.h"
#include "controller/store/store_node_token.h"
#include "controller/store/store_region.h"
#include "lib/base/log.h"
#include "lib/link/client.h"
#include "lib/link/nng_client.h"
#include "lib/link/nng_server.h"
#include "lib/sixpn/pb.h"
#include "proto/sixpn.pb-c.h"

#include <nng/nng.h> /* the bare peer is nng alone */
#include <nng/protocol/reqrep0/rep.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define NODES 1000
#define ROUNDS 40
#define WARM_UP 3 /* rounds that are not counted */
#define ADDRESSES 20
#define PARK_MS 120000u
#define STARTS_PER_TICK 10
#define TICK_MS 80u
#define LIMIT_S 180 /* the whole of it */

enum side { OURS, BARE };

struct figures {
	double p50, p99, last; /* ms */
};

static enum side side; /* of this process */
static struct shared {
	_Atomic uint64_t begun_ns[2]; /* of this round, by side */
	_Atomic uint32_t parked[2];
	uint8_t controller_key[32];
	uint8_t private_keys[NODES][32], public_keys[NODES][32];
	size_t request_len, reply_len; /* frames, as ours were */
} *sh;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what, int error)
{
	fprintf(stderr, "bench_fanout: %s: %s\n", what, strerror(error < 0 ? -error : error));
	exit(1);
}

/* ---- the controller, in its own process ---- */

struct server {
	struct loop *loop;
	struct store *store;
	struct controller *c;
	struct loop_timer tick, poll;
	struct loop_io go;
	struct op op;
	unsigned round;
	bool wanted;
};

static int run_enroll(struct store *store, struct op *op)
{
	struct store_region_new region = { .name = "ord" };
	struct store_node_token_new in = { .region = "ord", .roles = ROLE_HOST, .uses = NODES };
	char secret[STORE_NODE_SECRET_SIZE];
	struct store_node_token token;
	struct store_region made;
	int r = store_region_create(store, op, &region, &made);

	if (r == 0)
		r = store_node_token_create(store, op, &in, &token, secret);
	for (int i = 0; r == 0 && i < NODES; i++) {
		struct store_enroll e = { .secret = secret, .name = "", .roles = ROLE_HOST, .version = "0.1", .gateway_host = "" };
		struct store_node node;
		bool created;

		memcpy(e.token_id, token.id, sizeof e.token_id);
		memcpy(e.link_key, sh->public_keys[i], 32);
		memcpy(e.mesh_key, sh->public_keys[i], 32);
		e.mesh_key[0] ^= 0x40;
		r = store_node_enroll(store, op, &e, &node, &created);
	}
	return r;
}

static void enroll_all(struct store *store)
{
	struct principal who = principal_local("bench");
	struct op op;

	op_init(&op, run_enroll, NULL, &who, "bench");
	if (store_run_now(store, &op) != 0) {
		fprintf(stderr, "bench_fanout: enrolment: %s\n", op.why.text);
		exit(1);
	}
	op_deinit(&op);
}

static int run_change(struct store *store, struct op *op)
{
	struct server *s = container_of(op, struct server, op);
	struct store_region_new in = { .name = "ord" };
	struct store_region made;
	char city[32];

	snprintf(city, sizeof city, "City %06u", s->round);
	in.city = city;
	return store_region_update(store, op, "ord", &in, &made);
}

static void changed(struct op *op)
{
	if (op->result)
		die(op->why.text, EIO);
	op_deinit(op);
}

static void committed(void *ctx, const struct record *record)
{
	(void)ctx;
	(void)record;
	atomic_store(&sh->begun_ns[side], now_ns());
}

static void change_when_parked(struct loop_timer *timer)
{
	struct server *s = container_of(timer, struct server, poll);
	struct principal who = principal_local("bench");

	atomic_store(&sh->parked[side], (uint32_t)s->c->parked.n);
	loop_set_timer_in(s->loop, &s->poll, 2);
	if (!s->wanted || s->c->parked.n < NODES)
		return;
	s->wanted = false;
	s->round++;
	op_init(&s->op, run_change, changed, &who, "bench");
	store_thread_put(controller_env(s->c)->store, &s->op);
}

static void go(struct loop_io *io, uint32_t revents)
{
	struct server *s = container_of(io, struct server, go);
	char byte;

	(void)revents;
	if (read(io->fd, &byte, 1) != 1)
		_exit(0); /* the other end is done */
	s->wanted = true;
}

static void tick(struct loop_timer *timer)
{
	controller_tick(container_of(timer, struct server, tick)->c);
}

static void wake_at(void *ctx, uint64_t at)
{
	struct server *s = ctx;

	loop_set_timer(s->loop, &s->tick, at);
}

static void must_stop(void *ctx, const char *reason)
{
	(void)ctx;
	die(reason, EIO);
}

static void serve_ours(int go_fd, const char *dir, const uint8_t key[32])
{
	static const struct controller_events events = { .wake_at = wake_at, .must_stop = must_stop, .committed = committed };
	struct server s = { .go = { .fd = go_fd, .events = EPOLLIN, .ready = go } };
	struct controller_config config = { .clock = clock_real(), .park_ms = PARK_MS, .snapshots_max = NODES };
	struct store_options store = { .clock = clock_real() };
	struct link_nng_server *transport;
	struct why why = { 0 };
	char path[128];
	int r = loop_new(&s.loop);

	snprintf(path, sizeof path, "%s/store.db", dir);
	store.path = path;
	s.tick.expired = tick;
	s.poll.expired = change_when_parked;
	if (r == 0)
		r = store_open(&store, &s.store, &why);
	if (r)
		die(why.text[0] ? why.text : "store", r);
	enroll_all(s.store);
	if (link_nng_server_new(s.loop, &transport) || link_nng_server_listen(transport, "0.0.0.0:4281", NULL))
		die("listen", EADDRINUSE);
	config.loop = s.loop;
	config.store = s.store;
	config.transport = link_nng_server_transport(transport);
	memcpy(config.link_key, key, 32);
	r = controller_new(&config, &events, &s, &s.c);
	if (r)
		die("controller", r);
	loop_add_io(s.loop, &s.go);
	loop_set_timer_in(s.loop, &s.poll, 1);
	_exit(loop_run(s.loop));
}

/* ---- the bare peer: nng's raw REP, and nothing else ---- */

static void bare(int result)
{
	if (result)
		die(nng_strerror(result), EIO);
}

static void serve_bare(int go_fd)
{
	static nng_msg *parked[NODES];
	nng_socket socket;
	size_t n = 0;
	char byte;

	bare(nng_rep0_open_raw(&socket));
	bare(nng_socket_set_int(socket, NNG_OPT_SENDBUF, 8192));
	bare(nng_socket_set_int(socket, NNG_OPT_RECVBUF, 8192));
	bare(nng_listen(socket, "tcp://0.0.0.0:4282", NULL, 0));
	for (;;) {
		while (n < NODES) {
			bare(nng_recvmsg(socket, &parked[n], 0));
			n++;
			atomic_store(&sh->parked[side], (uint32_t)n);
		}
		if (read(go_fd, &byte, 1) != 1)
			_exit(0);
		atomic_store(&sh->begun_ns[side], now_ns());
		for (size_t i = 0; i < NODES; i++) { /* the request's own message with its header goes back, of another length */
			nng_msg_clear(parked[i]);
			bare(nng_msg_realloc(parked[i], sh->reply_len));
			if (nng_sendmsg(socket, parked[i], NNG_FLAG_NONBLOCK) != 0)
				bare(nng_sendmsg(socket, parked[i], 0)); /* its queue is full: wait for it */
		}
		n = 0;
	}
}

/* ---- the nodes ---- */

struct node {
	struct link_nng_client *transport;
	struct link_client *client;
	struct loop_timer tick, again;
	char address[32];
	uint32_t request; /* bare: number of the last */
	uint64_t v;       /* that it holds; 0 = nothing */
	uint8_t token[16];
	bool has_token;
};

static struct crowd {
	struct loop *loop;
	struct clock clock;
	struct node nodes[NODES];
	unsigned n_started, n_got;
	struct loop_timer start;
	int go_fd;
	/* what all of them hold: the same */
	uint64_t epoch, last_v;
	uint8_t log_id[16], proof[32];
	struct digest digest;
	struct record *region;
	struct buf last; /* the last delta */
	/* the round */
	bool running;
	uint64_t got_ns[NODES];
	struct loop_io turn; /* a byte from the parent: the next round */
	int result_fd;
} crowd;

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Says to the parent how the round was (or, before the first, that all are here), and waits for its turn. */
static void end_round(void)
{
	uint64_t begun = atomic_load(&sh->begun_ns[side]);
	struct figures f = { 0 };

	if (crowd.running) {
		qsort(crowd.got_ns, NODES, sizeof crowd.got_ns[0], by_size);
		f.p50 = (double)(crowd.got_ns[NODES / 2] - begun) / 1e6;
		f.p99 = (double)(crowd.got_ns[NODES * 99 / 100] - begun) / 1e6;
		f.last = (double)(crowd.got_ns[NODES - 1] - begun) / 1e6;
	}
	crowd.running = true;
	if (write(crowd.result_fd, &f, sizeof f) != sizeof f)
		die("the parent is gone", EPIPE);
}

/* The server begins when it has everybody parked again, which it knows itself. */
static void our_turn(struct loop_io *io, uint32_t revents)
{
	char byte;

	(void)revents;
	if (read(io->fd, &byte, 1) != 1)
		_exit(0);
	crowd.n_got = 0;
	if (write(crowd.go_fd, "g", 1) != 1)
		die("the server is gone", EPIPE);
}

static void got(void)
{
	if (!crowd.running)
		return;
	crowd.got_ns[crowd.n_got++] = now_ns();
	if (crowd.n_got == NODES)
		end_round();
}

static void send_poll(struct node *n);

/* Everybody holds the fabric, in which only the record of region ord changes: so one digest serves all. */
static void take_records(const Sixpn__PollReply *m)
{
	for (size_t i = 0; i < m->n_records; i++) {
		struct record r;

		if (record_from_pb(m->records[i], &r, NULL) != 0)
			die("a record", EPROTO);
		if (r.kind != RECORD_REGION || (crowd.region && crowd.region->v >= r.v))
			continue;
		if (m->kind == SIXPN__POLL_KIND__POLL_DELTA) {
			digest_remove(&crowd.digest, crowd.region);
			digest_add(&crowd.digest, &r);
		}
		free(crowd.region);
		crowd.region = record_copy(&r);
	}
}

static void take_reply(struct node *n, const Sixpn__PollReply *m)
{
	take_records(m);
	n->has_token = m->kind == SIXPN__POLL_KIND__POLL_SNAPSHOT && !m->end && m->snapshot_token.len == sizeof n->token;
	if (n->has_token)
		memcpy(n->token, m->snapshot_token.data, sizeof n->token);
	if (m->kind == SIXPN__POLL_KIND__POLL_SNAPSHOT && m->end) {
		crowd.digest.count = m->count;
		memcpy(crowd.digest.sum, m->digest.data, sizeof crowd.digest.sum);
	}
	if (m->end || m->kind == SIXPN__POLL_KIND__POLL_DELTA || m->kind == SIXPN__POLL_KIND__POLL_NOTHING)
		n->v = m->to_v;
	crowd.epoch = m->epoch;
	memcpy(crowd.log_id, m->log_id.data, sizeof crowd.log_id);
	if (m->head_proof.len == sizeof crowd.proof)
		memcpy(crowd.proof, m->head_proof.data, sizeof crowd.proof);
}

static void poll_again(struct loop_timer *timer)
{
	send_poll(container_of(timer, struct node, again));
}

static void poll_done(void *ctx, enum link_result result, const uint8_t *payload, size_t len)
{
	struct node *n = ctx;
	struct pb_arena arena;
	Sixpn__PollReply *m;

	if (result != LINK_OK) {
		loop_set_timer_in(crowd.loop, &n->again, 200);
		return;
	}
	if (crowd.running)
		got();
	if (crowd.running && len == crowd.last.len && !memcmp(payload, crowd.last.data, len)) { /* of a round all but the first */
		n->v = crowd.last_v;
		send_poll(n);
		return;
	}
	pb_arena_init(&arena, 16u << 20);
	m = (Sixpn__PollReply *)pb_unpack(&arena, &sixpn__poll_reply__descriptor, payload, len);
	if (!m)
		die("a reply", EPROTO);
	take_reply(n, m);
	if (m->kind == SIXPN__POLL_KIND__POLL_DELTA) {
		buf_clear(&crowd.last);
		buf_add(&crowd.last, payload, len);
		crowd.last_v = n->v;
		sh->reply_len = len + LINK_CALL_OVERHEAD;
	}
	if (m->kind == SIXPN__POLL_KIND__POLL_RETRY_AFTER)
		loop_set_timer_in(crowd.loop, &n->again, m->retry_after_ms ? m->retry_after_ms : 100);
	else
		send_poll(n);
	pb_arena_deinit(&arena);
}

static void send_poll(struct node *n)
{
	CLEAN_BUF struct buf bytes = BUF_INIT(4096);
	Sixpn__PollRequest m = SIXPN__POLL_REQUEST__INIT;

	if (n->v) {
		m.epoch = crowd.epoch;
		m.log_id = pb_bytes(crowd.log_id, sizeof crowd.log_id);
		m.applied_v = n->v;
		m.digest = pb_bytes(crowd.digest.sum, DIGEST_LEN);
		m.head_proof = pb_bytes(crowd.proof, sizeof crowd.proof);
	}
	if (n->has_token)
		m.snapshot_token = pb_bytes(n->token, sizeof n->token);
	m.version = pb_bytes("0.1", 3);
	if (pb_pack(&m, &bytes) < 0 || link_client_call(n->client, LINK_POLL, bytes.data, bytes.len, poll_done, n) < 0)
		die("a poll", EIO);
	sh->request_len = bytes.len + LINK_CALL_OVERHEAD;
}

static void client_tick(struct loop_timer *timer)
{
	link_client_tick(container_of(timer, struct node, tick)->client);
}

static void client_wake_at(void *ctx, uint64_t at)
{
	struct node *n = ctx;

	loop_set_timer(crowd.loop, &n->tick, at);
}

static void start_ours(struct node *n, unsigned i)
{
	static const struct link_client_events events = { .wake_at = client_wake_at };
	struct link_client_config config = { .kind = LINK_KIND_NODE, .addresses = { n->address }, .n_addresses = 1, .boot_count = 1,
					     .park_ms = PARK_MS };

	memcpy(config.private_key, sh->private_keys[i], 32);
	memcpy(config.controller_key, sh->controller_key, 32);
	put_u32(config.boot_id, i + 1);
	n->tick.expired = client_tick;
	n->again.expired = poll_again;
	if (link_client_new(&crowd.clock, link_nng_client_transport(n->transport), &config, &events, n, &n->client))
		die("a client", ENOMEM);
	link_client_start(n->client);
	send_poll(n);
}

/* ---- the same sockets, bare ---- */

static void bare_send(struct node *n)
{
	static const uint8_t request[65536];
	struct link_client_transport *t = link_nng_client_transport(n->transport);

	if (t->ops->send(t, LINK_REQUEST_ID_BIT | ++n->request, request, sh->request_len) < 0)
		die("a bare request", EIO);
}

static void bare_connected(void *owner)
{
	bare_send(owner);
}

static void bare_lost(void *owner)
{
	(void)owner;
	die("a bare connection was lost", EPIPE);
}

static void bare_reply(void *owner, uint32_t request_id, const uint8_t *frame, size_t len)
{
	(void)request_id;
	(void)frame;
	if (len != sh->reply_len)
		die("a bare reply of another length", EPROTO);
	got();
	bare_send(owner);
}

static void start_bare(struct node *n)
{
	struct link_client_transport *t = link_nng_client_transport(n->transport);

	t->connected = bare_connected;
	t->disconnected = bare_lost;
	t->reply = bare_reply;
	t->owner = n;
	if (t->ops->dial(t, n->address) < 0)
		die("dial", EIO);
}

/* ---- a crowd ---- */

/* A few at a time: the controller keeps 64 sessions that nobody has confirmed, no more. */
static void start_some(struct loop_timer *timer)
{
	for (unsigned i = 0; i < STARTS_PER_TICK && crowd.n_started < NODES; i++, crowd.n_started++) {
		struct node *n = &crowd.nodes[crowd.n_started];

		snprintf(n->address, sizeof n->address, "10.99.0.%u:%u", 1 + crowd.n_started % ADDRESSES, side == BARE ? 4282 : 4281);
		if (link_nng_client_new(crowd.loop, &n->transport))
			die("a socket", EMFILE);
		if (side == BARE)
			start_bare(n);
		else
			start_ours(n, crowd.n_started);
	}
	if (crowd.n_started == NODES && atomic_load(&sh->parked[side]) == NODES)
		end_round();
	else
		loop_set_timer_in(crowd.loop, timer, TICK_MS);
}

/* A process with the nodes, and one more with the server; ends when the parent does. */
static void run_crowd(int turn_fd, int result_fd, const char *dir, const uint8_t key[32])
{
	pid_t parent = getpid();
	int go_fds[2];

	alarm(LIMIT_S);
	if (pipe(go_fds) < 0)
		die("pipe", errno);
	if (fork() == 0) {
		/* it may be waiting for requests that nobody is left to send */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
			_exit(1);
		close(go_fds[1]);
		if (side == BARE)
			serve_bare(go_fds[0]);
		serve_ours(go_fds[0], dir, key);
	}
	close(go_fds[0]);
	crowd = (struct crowd){ .clock = clock_real(), .go_fd = go_fds[1], .start = { .expired = start_some }, .last = BUF_INIT(65536),
				.turn = { .fd = turn_fd, .events = EPOLLIN, .ready = our_turn }, .result_fd = result_fd };
	if (loop_new(&crowd.loop) || loop_add_io(crowd.loop, &crowd.turn) || loop_set_timer_in(crowd.loop, &crowd.start, 500) ||
	    loop_run(crowd.loop))
		die("loop", EIO);
}

struct crowd_ends {
	int turn_fd, result_fd;
};

static struct figures read_figures(const struct crowd_ends *ends)
{
	struct figures f;

	if (read(ends->result_fd, &f, sizeof f) != sizeof f)
		die("a crowd is gone", EPIPE);
	return f;
}

/* Returns when all its nodes are parked. */
static struct crowd_ends start_crowd(enum side which, const char *dir, const uint8_t key[32])
{
	int turn[2], result[2];
	struct crowd_ends ends;

	if (pipe(turn) < 0 || pipe(result) < 0)
		die("pipe", errno);
	if (fork() == 0) {
		side = which;
		close(turn[1]);
		close(result[0]);
		run_crowd(turn[0], result[1], dir, key);
	}
	close(turn[0]);
	close(result[1]);
	ends = (struct crowd_ends){ turn[1], result[0] };
	read_figures(&ends);
	return ends;
}

static struct figures take_turn(const struct crowd_ends *ends)
{
	if (write(ends->turn_fd, "t", 1) != 1)
		die("a crowd is gone", EPIPE);
	return read_figures(ends);
}

/* Until its last process has ended: all of them hold the pipe of results. */
static void end_crowd(const struct crowd_ends *ends)
{
	struct figures f;

	close(ends->turn_fd);
	while (read(ends->result_fd, &f, sizeof f) > 0)
		;
	close(ends->result_fd);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Medians over the rounds: ours, bare, and of the ratios of the pairs. */
static void tell(const char *name, const struct figures *ours, const struct figures *peer, size_t field)
{
	double a[ROUNDS], b[ROUNDS], ratio[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		a[i] = *(const double *)((const char *)&ours[i] + field);
		b[i] = *(const double *)((const char *)&peer[i] + field);
		ratio[i] = a[i] / b[i];
	}
	qsort(a, ROUNDS, sizeof a[0], by_value);
	qsort(b, ROUNDS, sizeof b[0], by_value);
	qsort(ratio, ROUNDS, sizeof ratio[0], by_value);
	printf("  %-5s %6.1f ms, bare %6.1f ms: %4.1f x\n", name, a[ROUNDS / 2], b[ROUNDS / 2], ratio[ROUNDS / 2]);
}

static void make_place(void)
{
	struct rlimit files = { 20000, 20000 };
	char command[100];

	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		die("20000 open files", errno);
	if (unshare(CLONE_NEWNET) < 0)
		die("a network namespace (root?)", errno);
	if (system("ip link set lo up"))
		die("ip link", EIO);
	for (int i = 1; i <= ADDRESSES; i++) {
		snprintf(command, sizeof command, "ip addr add 10.99.0.%d/32 dev lo", i);
		if (system(command))
			die("ip addr", EIO);
	}
}

int main(void)
{
	char dir[] = "/tmp/sixpn-fanout-XXXXXX", command[80];
	static struct figures our_figures[ROUNDS], peer_figures[ROUNDS];
	struct crowd_ends ours, peer;
	uint8_t key[32];

	crypto_init();
	log_set_level(LOG_L_ERR);
	sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED || !mkdtemp(dir))
		die("memory or /tmp", ENOMEM);
	make_place();
	crypto_x25519_keypair(key, sh->controller_key);
	for (int i = 0; i < NODES; i++)
		crypto_x25519_keypair(sh->private_keys[i], sh->public_keys[i]);
	ours = start_crowd(OURS, dir, key);
	peer = start_crowd(BARE, dir, key); /* it needs no time of ours, and knows only now how long our messages are */
	for (int i = -WARM_UP; i < ROUNDS; i++) {
		struct figures a = take_turn(&ours), b = take_turn(&peer);

		if (i >= 0) {
			our_figures[i] = a;
			peer_figures[i] = b;
		}
	}
	printf("fan-out of one change to %d parked polls (%zu bytes each, %d rounds), beside a bare raw-REP server with the same bytes:\n",
	       NODES, sh->reply_len, ROUNDS);
	tell("p50", our_figures, peer_figures, offsetof(struct figures, p50));
	tell("p99", our_figures, peer_figures, offsetof(struct figures, p99));
	tell("last", our_figures, peer_figures, offsetof(struct figures, last));
	end_crowd(&peer); /* the later first: it has inherited what the other waits on */
	end_crowd(&ours);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command) != 0;
}
