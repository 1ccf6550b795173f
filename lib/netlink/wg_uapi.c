/* wg_uapi - see wg_uapi.h. */
#include "lib/netlink/wg_uapi.h"
#include "lib/base/clock.h"
#include "lib/base/crypto.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REPLY_MAX (64u << 20)  /* 65,536 peers, the most wireguard-go takes, are 21 MB */
#define BATCH_BYTES (64u << 10)

#define CANCEL_MS 100 /* how soon a call notices that it is not wanted any more */

struct connection {
	const struct wg_uapi *uapi;
	int fd;
	struct clock clock;
	uint64_t until_ms;
};

int wg_uapi_init(struct wg_uapi *uapi, const char *ifname, const char *dir)
{
	int n = snprintf(uapi->socket_path, sizeof(uapi->socket_path), "%s/%s.sock", dir ? dir : WG_UAPI_DIR, ifname);

	uapi->silence_ms = WG_UAPI_SILENCE_MS;
	uapi->timeout_ms = WG_UAPI_TIMEOUT_MS;
	uapi->cancelled = NULL;
	return n < 0 || (size_t)n >= sizeof(uapi->socket_path) ? -ENAMETOOLONG : 0;
}

static bool is_cancelled(const struct connection *connection)
{
	return connection->uapi->cancelled && atomic_load(connection->uapi->cancelled);
}

static int wait_for(const struct connection *connection, short events)
{
	struct pollfd pollfd = { .fd = connection->fd, .events = events };
	uint64_t silent_until = clock_mono_ms(&connection->clock) + connection->uapi->silence_ms;
	uint64_t until = connection->until_ms < silent_until ? connection->until_ms : silent_until;

	for (;;) {
		uint64_t now = clock_mono_ms(&connection->clock), left;
		int r;

		if (is_cancelled(connection))
			return -ECANCELED;
		if (now >= until)
			return -ETIMEDOUT;
		left = until - now;
		if (connection->uapi->cancelled && left > CANCEL_MS)
			left = CANCEL_MS;
		r = poll(&pollfd, 1, (int)left);
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

static int open_connection(const struct wg_uapi *uapi, struct connection *ret)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	strcpy(addr.sun_path, uapi->socket_path); /* same size: wg_uapi_init checked it */
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	ret->uapi = uapi;
	ret->fd = fd;
	ret->clock = clock_real();
	return 0;
}

static int send_all(const struct connection *connection, const uint8_t *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(connection->fd, bytes, len, MSG_NOSIGNAL);

		if (n >= 0) {
			bytes += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			int r = wait_for(connection, POLLOUT);

			if (r < 0)
				return r;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

/* The only empty line of a reply is its end. */
static bool reply_is_whole(const struct buf *reply)
{
	return reply->len >= 2 && reply->data[reply->len - 1] == '\n' && reply->data[reply->len - 2] == '\n';
}

static int receive_reply(const struct connection *connection, struct buf *reply)
{
	while (!reply_is_whole(reply)) {
		uint8_t bytes[16384];
		ssize_t n = recv(connection->fd, bytes, sizeof(bytes), 0);

		if (n > 0) {
			buf_add(reply, bytes, (size_t)n);
			crypto_wipe(bytes, (size_t)n);
			if (buf_failed(reply))
				return -EPROTO;
		} else if (n == 0) {
			return -ECONNRESET;
		} else if (errno == EAGAIN) {
			int r = wait_for(connection, POLLIN);

			if (r < 0)
				return r;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

static int exchange(struct connection *connection, const struct buf *request,
		    void (*each)(void *each_ctx, const struct wg_peer_status *status), void *each_ctx, struct wg_device *ret_device)
{
	struct buf reply = BUF_INIT(REPLY_MAX);
	int answer, r;

	connection->until_ms = clock_mono_ms(&connection->clock) + connection->uapi->timeout_ms;
	r = send_all(connection, request->data, request->len);
	if (r == 0)
		r = receive_reply(connection, &reply);
	if (r == 0)
		r = wg_uapi_parse((const char *)reply.data, reply.len, each, each_ctx, ret_device, &answer);
	if (r == 0)
		r = -answer;
	crypto_wipe(reply.data, reply.len); /* a dump begins with the private key */
	buf_deinit(&reply);
	return r;
}

static int exchange_once(const struct wg_uapi *uapi, const struct buf *request,
			 void (*each)(void *each_ctx, const struct wg_peer_status *status), void *each_ctx,
			 struct wg_device *ret_device)
{
	struct connection connection;
	int r = open_connection(uapi, &connection);

	if (r < 0)
		return r;
	r = exchange(&connection, request, each, each_ctx, ret_device);
	close(connection.fd);
	return r;
}

static int uapi_dump(void *ctx, void (*each)(void *each_ctx, const struct wg_peer_status *status), void *each_ctx,
		     struct wg_device *ret_device)
{
	CLEAN_BUF struct buf request = BUF_INIT(64);

	buf_add_str(&request, "get=1\n\n");
	return buf_failed(&request) ? -ENOMEM : exchange_once(ctx, &request, each, each_ctx, ret_device);
}

static void add_hex(struct buf *text, const char *key, const uint8_t bytes[WG_KEY_LEN])
{
	char hex[2 * WG_KEY_LEN + 1];

	crypto_hex(bytes, WG_KEY_LEN, hex);
	buf_printf(text, "%s=%s\n", key, hex);
	crypto_wipe(hex, sizeof(hex));
}

static int uapi_set_device(void *ctx, const uint8_t private_key[WG_KEY_LEN], uint16_t listen_port)
{
	struct buf request = BUF_INIT(4096);
	uint8_t public_key[WG_KEY_LEN];
	struct wg_device device;
	bool same_key, same_port;
	int r;

	/* Setting a port again makes the process close and open its socket, and a key again ends every session. */
	r = uapi_dump(ctx, NULL, NULL, &device);
	if (r < 0)
		return r;
	crypto_x25519_public(private_key, public_key);
	same_key = device.has_key && crypto_equal(public_key, device.public_key, WG_KEY_LEN);
	same_port = device.listen_port == listen_port;
	if (same_key && same_port)
		return 0;
	buf_add_str(&request, "set=1\n");
	if (!same_key)
		add_hex(&request, "private_key", private_key);
	if (!same_port)
		buf_printf(&request, "listen_port=%u\n", listen_port);
	buf_add_str(&request, "\n");
	r = buf_failed(&request) ? -ENOMEM : exchange_once(ctx, &request, NULL, NULL, NULL);
	crypto_wipe(request.data, request.len);
	buf_deinit(&request);
	return r;
}

static void add_endpoint(struct buf *text, const struct sockaddr_storage *endpoint)
{
	char host[INET6_ADDRSTRLEN];

	if (endpoint->ss_family == AF_INET) {
		const struct sockaddr_in *in4 = (const void *)endpoint;

		inet_ntop(AF_INET, &in4->sin_addr, host, sizeof(host));
		buf_printf(text, "endpoint=%s:%u\n", host, ntohs(in4->sin_port));
	} else if (endpoint->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)endpoint;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		/* a mapped address would go to the IPv6-only socket, which cannot send it */
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) && inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], host, sizeof(host)))
			buf_printf(text, "endpoint=%s:%u\n", host, ntohs(in6->sin6_port));
		else if (in6->sin6_scope_id)
			buf_printf(text, "endpoint=[%s%%%u]:%u\n", host, in6->sin6_scope_id, ntohs(in6->sin6_port));
		else
			buf_printf(text, "endpoint=[%s]:%u\n", host, ntohs(in6->sin6_port));
	}
}

static void add_step(struct buf *text, const struct wg_step *step)
{
	static const uint8_t none[WG_KEY_LEN];
	const struct wg_peer *peer = step->peer;

	add_hex(text, "public_key", peer->public_key);
	if (step->kind == WG_STEP_REMOVE) {
		buf_add_str(text, "remove=true\n");
		return;
	}
	if (step->kind == WG_STEP_UPDATE)
		buf_add_str(text, "update_only=true\n");
	if (step->set_preshared)
		add_hex(text, "preshared_key", peer->has_preshared ? peer->preshared_key : none);
	if (step->set_endpoint)
		add_endpoint(text, &peer->endpoint);
	if (step->set_keepalive)
		buf_printf(text, "persistent_keepalive_interval=%u\n", peer->keepalive_s);
	if (step->replace_allowed)
		buf_add_str(text, "replace_allowed_ips=true\n");
	for (size_t i = 0; i < peer->n_allowed; i++) {
		char host[INET6_ADDRSTRLEN];

		inet_ntop(peer->allowed[i].family, peer->allowed[i].addr, host, sizeof(host));
		buf_printf(text, "allowed_ip=%s/%u\n", host, peer->allowed[i].len);
	}
}

void wg_uapi_format(const struct wg_step *steps, size_t n, struct buf *ret_text)
{
	buf_add_str(ret_text, "set=1\n");
	for (size_t i = 0; i < n; i++)
		add_step(ret_text, &steps[i]);
}

/* Batches: a request per peer costs four times as much, one request for all may take longer than a call may. */
static int uapi_apply(void *ctx, const struct wg_step *steps, size_t n)
{
	CLEAN_BUF struct buf request = BUF_INIT(0);
	struct connection connection;
	size_t i = 0;
	int r;

	if (!n)
		return 0;
	r = open_connection(ctx, &connection);
	if (r < 0)
		return r;
	while (i < n && r == 0) {
		buf_clear(&request);
		wg_uapi_format(NULL, 0, &request);
		while (i < n && request.len < BATCH_BYTES && !buf_failed(&request))
			add_step(&request, &steps[i++]);
		buf_add_str(&request, "\n");
		r = buf_failed(&request) ? -ENOMEM : exchange(&connection, &request, NULL, NULL, NULL);
	}
	if (request.data)
		crypto_wipe(request.data, request.len); /* preshared keys */
	close(connection.fd);
	return r;
}

static const struct wg_ops uapi_ops = {
	.name = "userspace",
	.set_device = uapi_set_device,
	.apply = uapi_apply,
	.dump = uapi_dump,
};

struct wg wg_uapi_backend(struct wg_uapi *uapi)
{
	return (struct wg){ .ops = &uapi_ops, .ctx = uapi };
}
