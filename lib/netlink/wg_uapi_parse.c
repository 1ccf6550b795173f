/* wg_uapi_parse - the door for what the WireGuard process says, see wg_uapi.h. */
#include "lib/base/crypto.h"
#include "lib/netlink/wg_uapi.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

struct line {
	const char *key, *value;
	size_t key_len, value_len;
};

struct parser {
	const char *at, *end;
	void (*each)(void *each_ctx, const struct wg_peer_status *status);
	void *each_ctx;
	struct wg_device device;
	struct wg_peer_status status;
	struct wg_prefix *allowed;
	size_t allowed_cap;
	bool in_peer;
	uint32_t seen; /* bit per entry of the table: no key may come twice, except allowed_ip */
};

/* Digits only, no sign, no spaces, no more than max. */
static int parse_number(const char *text, size_t len, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (!len || len > 20)
		return -EPROTO;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned)(text[i] - '0');

		if (digit > 9 || digit > max || value > (max - digit) / 10)
			return -EPROTO;
		value = value * 10 + digit;
	}
	*ret = value;
	return 0;
}

static int parse_key(const struct line *line, uint8_t ret_key[WG_KEY_LEN])
{
	return crypto_unhex(line->value, line->value_len, ret_key, WG_KEY_LEN) < 0 ? -EPROTO : 0;
}

static int on_private_key(struct parser *parser, const struct line *line)
{
	uint8_t key[WG_KEY_LEN];
	int r = parse_key(line, key);

	if (r == 0) {
		crypto_x25519_public(key, parser->device.public_key);
		parser->device.has_key = true;
	}
	crypto_wipe(key, sizeof(key));
	return r;
}

static int on_listen_port(struct parser *parser, const struct line *line)
{
	uint64_t port;

	if (parse_number(line->value, line->value_len, UINT16_MAX, &port) < 0)
		return -EPROTO;
	parser->device.listen_port = (uint16_t)port;
	return 0;
}

static int on_fwmark(struct parser *parser, const struct line *line)
{
	uint64_t mark;

	(void)parser;
	return parse_number(line->value, line->value_len, UINT32_MAX, &mark);
}

static int on_preshared_key(struct parser *parser, const struct line *line)
{
	static const uint8_t none[WG_KEY_LEN];
	struct wg_peer *peer = &parser->status.peer;
	int r = parse_key(line, peer->preshared_key);

	peer->has_preshared = r == 0 && !crypto_equal(peer->preshared_key, none, WG_KEY_LEN);
	return r;
}

/* "192.0.2.1:51820", "[2001:db8::1]:51820", "[fe80::1%3]:51820". A zone by name is left out: it says nothing outside. */
static int on_endpoint(struct parser *parser, const struct line *line)
{
	struct sockaddr_in6 *in6 = (void *)&parser->status.peer.endpoint;
	struct sockaddr_in *in4 = (void *)&parser->status.peer.endpoint;
	const char *colon = memrchr(line->value, ':', line->value_len);
	char host[80], *zone;
	uint64_t port, scope = 0;
	size_t host_len;

	if (!colon)
		return -EPROTO;
	host_len = (size_t)(colon - line->value);
	if (host_len >= sizeof(host) || parse_number(colon + 1, line->value_len - host_len - 1, UINT16_MAX, &port) < 0)
		return -EPROTO;
	memcpy(host, line->value, host_len);
	host[host_len] = '\0';
	if (host[0] != '[') {
		if (inet_pton(AF_INET, host, &in4->sin_addr) != 1)
			return -EPROTO;
		in4->sin_family = AF_INET;
		in4->sin_port = htons((uint16_t)port);
		return 0;
	}
	if (host_len < 4 || host[host_len - 1] != ']')
		return -EPROTO;
	host[host_len - 1] = '\0';
	zone = strchr(host, '%');
	if (zone) {
		*zone++ = '\0';
		if (!*zone)
			return -EPROTO;
		if (parse_number(zone, strlen(zone), UINT32_MAX, &scope) < 0)
			scope = 0;
	}
	if (inet_pton(AF_INET6, host + 1, &in6->sin6_addr) != 1)
		return -EPROTO;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)port);
	in6->sin6_scope_id = (uint32_t)scope;
	return 0;
}

static int on_handshake_sec(struct parser *parser, const struct line *line)
{
	return parse_number(line->value, line->value_len, INT64_MAX, &parser->status.last_handshake_s);
}

static int on_handshake_nsec(struct parser *parser, const struct line *line)
{
	uint64_t nsec;

	(void)parser;
	return parse_number(line->value, line->value_len, 999999999, &nsec);
}

static int on_rx(struct parser *parser, const struct line *line)
{
	return parse_number(line->value, line->value_len, UINT64_MAX, &parser->status.rx_bytes);
}

static int on_tx(struct parser *parser, const struct line *line)
{
	return parse_number(line->value, line->value_len, UINT64_MAX, &parser->status.tx_bytes);
}

static int on_keepalive(struct parser *parser, const struct line *line)
{
	uint64_t seconds;

	if (parse_number(line->value, line->value_len, UINT16_MAX, &seconds) < 0)
		return -EPROTO;
	parser->status.peer.keepalive_s = (uint16_t)seconds;
	return 0;
}

static int on_protocol_version(struct parser *parser, const struct line *line)
{
	uint64_t version;

	(void)parser;
	return parse_number(line->value, line->value_len, 1, &version) < 0 || version != 1 ? -EPROTO : 0;
}

static int add_allowed(struct parser *parser, const struct wg_prefix *prefix)
{
	struct wg_peer *peer = &parser->status.peer;

	if (peer->n_allowed == WG_ALLOWED_MAX)
		return -EPROTO;
	if (peer->n_allowed == parser->allowed_cap) {
		size_t cap = parser->allowed_cap ? parser->allowed_cap * 2 : 16;
		struct wg_prefix *allowed = reallocarray(parser->allowed, cap, sizeof(*allowed));

		if (!allowed)
			return -ENOMEM;
		parser->allowed = allowed;
		parser->allowed_cap = cap;
	}
	parser->allowed[peer->n_allowed++] = *prefix;
	return 0;
}

static int on_allowed_ip(struct parser *parser, const struct line *line)
{
	const char *slash = memchr(line->value, '/', line->value_len);
	struct wg_prefix prefix = { .family = AF_INET6 };
	struct in6_addr addr = { 0 };
	char host[INET6_ADDRSTRLEN];
	size_t host_len;
	uint64_t len;

	if (!slash)
		return -EPROTO;
	host_len = (size_t)(slash - line->value);
	if (host_len >= sizeof(host))
		return -EPROTO;
	memcpy(host, line->value, host_len);
	host[host_len] = '\0';
	if (!memchr(host, ':', host_len))
		prefix.family = AF_INET;
	if (parse_number(slash + 1, line->value_len - host_len - 1, prefix.family == AF_INET ? 32 : 128, &len) < 0 ||
	    inet_pton(prefix.family, host, &addr) != 1)
		return -EPROTO;
	/* clearing the bits behind the length is the same in both families: the address stands at the front */
	prefix = (struct wg_prefix){ .family = prefix.family, .len = (uint8_t)len };
	memcpy(prefix.addr, wg_prefix_in6(&addr, (uint8_t)len).addr, sizeof(prefix.addr));
	return add_allowed(parser, &prefix);
}

static const struct {
	const char *key;
	bool of_peer;
	int (*handle)(struct parser *parser, const struct line *line);
} keys[] = {
	{ "private_key", false, on_private_key },
	{ "listen_port", false, on_listen_port },
	{ "fwmark", false, on_fwmark },
	{ "preshared_key", true, on_preshared_key },
	{ "protocol_version", true, on_protocol_version },
	{ "endpoint", true, on_endpoint },
	{ "last_handshake_time_sec", true, on_handshake_sec },
	{ "last_handshake_time_nsec", true, on_handshake_nsec },
	{ "tx_bytes", true, on_tx },
	{ "rx_bytes", true, on_rx },
	{ "persistent_keepalive_interval", true, on_keepalive },
	{ "allowed_ip", true, on_allowed_ip },
};

static bool key_is(const struct line *line, const char *key)
{
	return strlen(key) == line->key_len && !memcmp(line->key, key, line->key_len);
}

/* The next line, split at its first '='. Every line ends with a newline; the key is of [a-z0-9_]. */
static int next_line(struct parser *parser, struct line *ret_line)
{
	const char *newline = memchr(parser->at, '\n', (size_t)(parser->end - parser->at));
	const char *equals;

	if (!newline)
		return -EPROTO;
	equals = memchr(parser->at, '=', (size_t)(newline - parser->at));
	if (!equals || equals == parser->at)
		return -EPROTO;
	for (const char *c = parser->at; c < equals; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_'))
			return -EPROTO;
	*ret_line = (struct line){ .key = parser->at, .key_len = (size_t)(equals - parser->at), .value = equals + 1,
				   .value_len = (size_t)(newline - equals - 1) };
	parser->at = newline + 1;
	return 0;
}

static void deliver_peer(struct parser *parser)
{
	if (!parser->in_peer)
		return;
	parser->status.peer.allowed = parser->allowed;
	if (parser->each)
		parser->each(parser->each_ctx, &parser->status);
}

static int begin_peer(struct parser *parser, const struct line *line)
{
	deliver_peer(parser);
	memset(&parser->status, 0, sizeof(parser->status));
	parser->in_peer = true;
	parser->seen = 0;
	return parse_key(line, parser->status.peer.public_key);
}

static int handle_line(struct parser *parser, const struct line *line)
{
	if (key_is(line, "public_key"))
		return begin_peer(parser, line);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (!key_is(line, keys[i].key))
			continue;
		if (keys[i].of_peer != parser->in_peer)
			return -EPROTO;
		if (parser->seen & 1u << i && keys[i].handle != on_allowed_ip)
			return -EPROTO;
		parser->seen |= 1u << i;
		return keys[i].handle(parser, line);
	}
	return 0;
}

/* "errno=N", N perhaps negative, then the empty line, then nothing. */
static int parse_end(const struct parser *parser, const struct line *line, int *ret_errno)
{
	bool minus = line->value_len && line->value[0] == '-';
	uint64_t value;

	if (parse_number(line->value + minus, line->value_len - minus, 4095, &value) < 0)
		return -EPROTO;
	if (parser->end - parser->at != 1 || *parser->at != '\n')
		return -EPROTO;
	*ret_errno = (int)value;
	return 0;
}

static int parse_lines(struct parser *parser, int *ret_errno)
{
	for (;;) {
		struct line line;
		int r = next_line(parser, &line);

		if (r < 0)
			return r;
		if (key_is(&line, "errno")) {
			r = parse_end(parser, &line, ret_errno);
			if (r == 0)
				deliver_peer(parser);
			return r;
		}
		r = handle_line(parser, &line);
		if (r < 0)
			return r;
	}
}

int wg_uapi_parse(const char *text, size_t len, void (*each)(void *each_ctx, const struct wg_peer_status *status), void *each_ctx,
		  struct wg_device *ret_device, int *ret_errno)
{
	struct parser parser = { .at = text, .end = text + len, .each = each, .each_ctx = each_ctx };
	int answer, r = parse_lines(&parser, &answer);

	free(parser.allowed);
	crypto_wipe(parser.status.peer.preshared_key, WG_KEY_LEN);
	if (r < 0)
		return r;
	if (ret_device)
		*ret_device = parser.device;
	*ret_errno = answer;
	return 0;
}
