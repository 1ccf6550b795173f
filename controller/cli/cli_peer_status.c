/* cli_peer_status - what the gateway last said of a peer. */
#include "controller/cli/commands.h"

#include "controller/cli/output.h"
#include "controller/cli/request.h"

#include <string.h>

static void add_bytes(struct buf *text, const json_t *value)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double n = (double)json_integer_value(value);
	size_t unit = 0;

	for (; n >= 1024 && unit + 1 < ARRAY_LEN(units); unit++)
		n /= 1024;
	buf_printf(text, unit ? "%.1f %s" : "%.0f %s", n, units[unit]);
}

void peer_age_text(long long s, struct buf *ret_text)
{
	if (s < 120)
		buf_printf(ret_text, "%lld s", s);
	else if (s < 2 * 3600)
		buf_printf(ret_text, "%lld min", s / 60);
	else if (s < 2 * 86400)
		buf_printf(ret_text, "%lld h", s / 3600);
	else
		buf_printf(ret_text, "%lld days", s / 86400);
}

static void add_handshake(struct buf *text, const json_t *status)
{
	const json_t *age = json_object_get(status, "handshake_age_s");

	if (!json_is_integer(age)) {
		buf_add_str(text, "no handshake yet");
		return;
	}
	buf_add_str(text, "handshake ");
	peer_age_text(json_integer_value(age), text);
	buf_add_str(text, " ago");
}

/* Received by the gateway is sent by the peer: whoever reads this is the peer. */
static void print(struct cli *cli, const json_t *status)
{
	CLEAN_BUF struct buf name = BUF_INIT(1024), state = BUF_INIT(64), handshake = BUF_INIT(128), endpoint = BUF_INIT(128),
			     sent = BUF_INIT(64), received = BUF_INIT(64), gateway = BUF_INIT(128), age = BUF_INIT(64);
	const json_t *state_age = json_object_get(status, "state_age_ms");

	output_text(status, "peer", &name);
	output_text(status, "state", &state);
	output_text(status, "endpoint", &endpoint);
	output_text(status, "gateway", &gateway);
	add_handshake(&handshake, status);
	add_bytes(&sent, json_object_get(status, "rx_bytes"));
	add_bytes(&received, json_object_get(status, "tx_bytes"));
	fprintf(cli->out, "%s  %s  %s%s%s  via %s%s\n", buf_str(&name), buf_str(&state), buf_str(&handshake),
		endpoint.len ? "  from " : "", buf_str(&endpoint), buf_str(&gateway),
		json_is_false(json_object_get(status, "gateway_live")) ? " (the controller does not hear it)" : "");
	fprintf(cli->out, "  sent %s, received %s", buf_str(&sent), buf_str(&received));
	if (json_is_integer(state_age)) {
		peer_age_text(json_integer_value(state_age) / 1000, &age);
		fprintf(cli->out, "; as the gateway said %s ago", buf_str(&age));
	}
	fputc('\n', cli->out);
}

int cli_peer_status_get(struct cli *cli, const char *ref, json_t **ret_status)
{
	CLEAN_BUF struct buf path = BUF_INIT(8192), whole = BUF_INIT(8192);
	struct request_reply reply;
	int r = cli_resolve(cli, cli_noun_find("peer"), ref, &path);
	const char *query;

	if (r)
		return r;
	query = strchr(buf_str(&path), '?');
	query = query ? query : "";
	buf_printf(&whole, "%.*s/status%s", (int)(path.len - strlen(query)), buf_str(&path), query);
	r = request_send(cli, "GET", buf_str(&whole), NULL, false, &reply);
	if (r == 0)
		*ret_status = reply.body;
	return r;
}

int cli_peer_status(struct cli *cli)
{
	static const struct cli_column columns[] = { { "PEER", "peer" },
						     { "STATE", "state" },
						     { "HANDSHAKE AGE S", "handshake_age_s" },
						     { "ENDPOINT", "endpoint" },
						     { "RX BYTES", "rx_bytes" },
						     { "TX BYTES", "tx_bytes" },
						     { "GATEWAY", "gateway" },
						     { 0 } };
	CLEAN_JSON json_t *status = NULL;
	int r = cli_peer_status_get(cli, cli->args[0], &status);

	if (r)
		return r;
	if (cli_has(cli, "json") || cli_has(cli, "tsv") || cli_has(cli, "q"))
		output_object(cli, status, columns, "state");
	else
		print(cli, status);
	return EXIT_GOOD;
}
