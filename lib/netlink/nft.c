/* nft - see nft.h: the library handle and the gate. The gate is described once, as the JSON objects that nftables lists; the same
 * objects are what is added and what a listing is compared with. */
#include "lib/netlink/nft_internal.h"
#include "lib/netlink/netns.h"

#include <linux/netfilter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN "arrival"
#define COUNTER "drops"
#define TRANSIT "transit" /* chain and counter */
#define PRIORITY_RAW (-300)
#define LISTING_MAX (16u << 20)

static const char *const default_devices[] = { "sx*", "sixpn-mesh", "sixpn-peers" };

const struct nft_gate nft_gate_default = {
	.table = "sixpn", .mark = 0x6b, .mask = 0xff, .devices = default_devices, .n_devices = ARRAY_LEN(default_devices),
};

int nft_open(struct nft **ret_nft)
{
	struct nft *nft = calloc(1, sizeof(*nft));
	int r;

	if (!nft)
		return -ENOMEM;
	nft->context = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!nft->context || nft_ctx_buffer_output(nft->context) || nft_ctx_buffer_error(nft->context)) {
		nft_free(nft);
		return -ENOMEM;
	}
	r = nft_generation_open(nft);
	if (r < 0) {
		nft_free(nft);
		return r;
	}
	*ret_nft = nft;
	return 0;
}

static int open_here(void *ctx)
{
	return nft_open(ctx);
}

int nft_open_in(int netns_fd, struct nft **ret_nft)
{
	return netns_call(netns_fd, open_here, ret_nft);
}

struct nft *nft_free(struct nft *nft)
{
	if (!nft)
		return NULL;
	nft_generation_close(nft);
	if (nft->context)
		nft_ctx_free(nft->context);
	free(nft);
	return NULL;
}

const struct why *nft_why(const struct nft *nft)
{
	return &nft->why;
}

bool nft_gate_has_arp(const struct nft *nft)
{
	return !nft->no_arp;
}

/* Both buffers are read every time: reading is what empties them. */
static int run(struct nft *nft, const char *command, unsigned extra_flags, struct buf *ret_output)
{
	const char *output, *error;
	int failed;

	memset(&nft->why, 0, sizeof(nft->why));
	nft_ctx_output_set_flags(nft->context, NFT_CTX_OUTPUT_NUMERIC_ALL | NFT_CTX_OUTPUT_HANDLE | extra_flags);
	failed = nft_run_cmd_from_buffer(nft->context, command);
	output = nft_ctx_get_output_buffer(nft->context);
	error = nft_ctx_get_error_buffer(nft->context);
	if (failed) {
		why_set(&nft->why, "nftables", "", "%.*s", (int)strcspn(error, "\n"), error);
		return -EIO;
	}
	if (!ret_output)
		return 0;
	if (strlen(output) > LISTING_MAX)
		return -EFBIG;
	buf_add_str(ret_output, output);
	return buf_failed(ret_output) ? -ENOMEM : 0;
}

int nft_run_text(struct nft *nft, const char *command, struct buf *ret_output)
{
	return run(nft, command, 0, ret_output);
}

int nft_ask_json(struct nft *nft, const char *command, json_t **ret_output)
{
	CLEAN_BUF struct buf output = BUF_INIT(LISTING_MAX * 2);
	int r = run(nft, command, NFT_CTX_OUTPUT_JSON, ret_output ? &output : NULL);

	if (r < 0 || !ret_output)
		return r;
	*ret_output = json_parse(buf_str(&output), output.len, &nft->why);
	return *ret_output ? 0 : -EIO;
}

int nft_run_json(struct nft *nft, const json_t *command, json_t **ret_output)
{
	char *text = json_dumps(command, JSON_COMPACT);
	int r = text ? nft_ask_json(nft, text, ret_output) : -ENOMEM;

	free(text);
	return r;
}

static bool is_word(const char *text, size_t max, const char *more)
{
	size_t n = strlen(text);

	if (!n || n > max)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9' && i) || strchr(more, text[i])))
			return false;
	return true;
}

static bool gate_is_valid(const struct nft_gate *gate)
{
	if (!is_word(gate->table, 31, "_") || gate->table[0] == '_' || !gate->mask || gate->mark & ~gate->mask || !gate->n_devices)
		return false;
	for (size_t i = 0; i < gate->n_devices; i++) {
		const char *star = strchr(gate->devices[i], '*');

		if (!is_word(gate->devices[i], 15, "_-.ABCDEFGHIJKLMNOPQRSTUVWXYZ*0123456789") || gate->devices[i][0] == '*' ||
		    (star && star[1]))
			return false;
	}
	return true;
}

json_t *nft_match_mark(const struct nft_gate *gate, const char *op)
{
	json_t *mark = json_pack("{s:{s:s}}", "meta", "key", "mark");

	if (gate->mask != UINT32_MAX) /* nftables lists a full mask as none */
		mark = json_pack("{s:[o, I]}", "&", mark, (json_int_t)gate->mask);
	return json_pack("{s:{s:s, s:o, s:I}}", "match", "op", op, "left", mark, "right", (json_int_t)gate->mark);
}

/* The mark first: what passes is marked and ends there, and reading the name of a device costs several times as much. */
static json_t *describe_rule(const struct nft_gate *gate, const char *family, const char *device)
{
	json_t *from = json_pack("{s:{s:s, s:{s:{s:s}}, s:s}}", "match", "op", "==", "left", "meta", "key", "iifname", "right", device);

	return json_pack("{s:{s:s, s:s, s:s, s:[o, o, {s:s}, {s:n}]}}", "rule", "family", family, "table", gate->table, "chain", CHAIN,
			 "expr", nft_match_mark(gate, "!="), from, "counter", COUNTER, "drop");
}

/* Of what is forwarded only ours has the mark. IPv4 is as the operator has it: we never switched on its forwarding. */
static json_t *describe_transit_rule(const struct nft_gate *gate, const char *family)
{
	json_t *ipv6 = json_pack("{s:{s:s, s:{s:{s:s}}, s:i}}", "match", "op", "==", "left", "meta", "key", "nfproto", "right", NFPROTO_IPV6);

	return json_pack("{s:{s:s, s:s, s:s, s:[o, o, {s:s}, {s:n}]}}", "rule", "family", family, "table", gate->table, "chain", TRANSIT,
			 "expr", nft_match_mark(gate, "!="), ipv6, "counter", TRANSIT, "drop");
}

static json_t *describe_counter(const struct nft_gate *gate, const char *family, const char *name)
{
	return json_pack("{s:{s:s, s:s, s:s}}", "counter", "family", family, "name", name, "table", gate->table);
}

static json_t *describe_chain(const struct nft_gate *gate, const char *family, const char *name, const char *hook, int priority)
{
	return json_pack("{s:{s:s, s:s, s:s, s:s, s:s, s:i, s:s}}", "chain", "family", family, "table", gate->table, "name", name, "type",
			 "filter", "hook", hook, "prio", priority, "policy", "accept");
}

/* The table as nftables lists it, without handles and counts: table, counters, chains, rules. NULL without memory. */
static json_t *describe_table(const struct nft_gate *gate, const char *family)
{
	bool arp = !strcmp(family, "arp"), transit = gate->no_transit && !arp;
	json_t *list = json_pack("[{s:{s:s, s:s}}]", "table", "family", family, "name", gate->table);
	int r = json_array_append_new(list, describe_counter(gate, family, COUNTER));

	if (transit)
		r |= json_array_append_new(list, describe_counter(gate, family, TRANSIT));
	r |= json_array_append_new(list, describe_chain(gate, family, CHAIN, arp ? "input" : "prerouting", arp ? 0 : PRIORITY_RAW));
	if (transit)
		r |= json_array_append_new(list, describe_chain(gate, family, TRANSIT, "forward", 0));
	for (size_t i = 0; i < gate->n_devices; i++)
		r |= json_array_append_new(list, describe_rule(gate, family, gate->devices[i]));
	if (transit)
		r |= json_array_append_new(list, describe_transit_rule(gate, family));
	if (r < 0) {
		json_decref(list);
		return NULL;
	}
	return list;
}

/* Adding the table before deleting it makes the delete good whether or not it was there. */
static int add_replacement(json_t *commands, const struct nft_gate *gate, const char *family)
{
	CLEAN_JSON json_t *objects = describe_table(gate, family);
	static const char *const first[] = { "add", "delete" };
	json_t *object;
	size_t i;

	for (i = 0; i < ARRAY_LEN(first); i++)
		if (json_array_append_new(commands, json_pack("{s:{s:{s:s, s:s}}}", first[i], "table", "family", family, "name",
							      gate->table)) < 0)
			return -ENOMEM;
	if (!objects)
		return -ENOMEM;
	json_array_foreach(objects, i, object)
		if (json_array_append_new(commands, json_pack("{s:O}", "add", object)) < 0)
			return -ENOMEM;
	return 0;
}

static int load(struct nft *nft, const struct nft_gate *gate, bool with_arp)
{
	CLEAN_JSON json_t *document = json_pack("{s:[]}", "nftables");
	json_t *commands = json_object_get(document, "nftables");
	int r = add_replacement(commands, gate, "inet");

	if (r == 0 && with_arp)
		r = add_replacement(commands, gate, "arp");
	return r < 0 ? r : nft_run_json(nft, document, NULL);
}

int nft_gate_load(struct nft *nft, const struct nft_gate *gate)
{
	int r;

	if (!gate_is_valid(gate))
		return -EINVAL;
	r = load(nft, gate, true);
	nft->no_arp = false;
	if (r != -EIO)
		return r;
	/* a kernel without the arp family refuses the whole transaction; whether that was it shows when the rest alone works */
	r = load(nft, gate, false);
	nft->no_arp = r == 0;
	return r;
}

/* Existence by the text listing: the JSON listing of tables in libnftables 1.0.6 reads freed memory when a table has flags. */
static int has_table(struct nft *nft, const char *family, const char *name, bool *ret_has)
{
	CLEAN_BUF struct buf output = BUF_INIT(LISTING_MAX * 2);
	char wanted[64];
	int r = nft_run_text(nft, "list tables", &output);
	size_t n;

	if (r < 0)
		return r;
	n = (size_t)snprintf(wanted, sizeof(wanted), "table %s %s", family, name);
	*ret_has = false;
	for (const char *line = buf_str(&output); line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, wanted, n) && (line[n] == '\n' || line[n] == '\0' || line[n] == ' '))
			*ret_has = true;
	}
	return 0;
}

static int has_flags(struct nft *nft, const char *family, const char *name, bool *ret_has)
{
	CLEAN_BUF struct buf output = BUF_INIT(LISTING_MAX * 2);
	char command[64];
	int r;

	snprintf(command, sizeof(command), "list table %s %s", family, name);
	r = nft_run_text(nft, command, &output);
	if (r == 0)
		*ret_has = strstr(buf_str(&output), "\n\tflags ") != NULL;
	return r;
}

/* Takes out what differs from one listing to the next, and the head. */
static void strip_listing(json_t *list)
{
	json_t *entry, *object;
	const char *kind;
	size_t i = 0;

	while (i < json_array_size(list)) {
		entry = json_array_get(list, i);
		if (json_object_get(entry, "metainfo")) {
			json_array_remove(list, i);
			continue;
		}
		json_object_foreach(entry, kind, object) {
			json_object_del(object, "handle");
			if (!strcmp(kind, "counter")) {
				json_object_del(object, "packets");
				json_object_del(object, "bytes");
			}
		}
		i++;
	}
}

static int check_table(struct nft *nft, const struct nft_gate *gate, const char *family, enum nft_gate_state *ret_state)
{
	CLEAN_JSON json_t *wanted = NULL, *found = NULL;
	bool has = false, flags = false;
	char command[64];
	int r = has_table(nft, family, gate->table, &has);

	if (r == 0 && has)
		r = has_flags(nft, family, gate->table, &flags);
	if (r < 0)
		return r;
	if (!has || flags) {
		*ret_state = has ? NFT_GATE_DIFFERS : NFT_GATE_MISSING;
		return 0;
	}
	snprintf(command, sizeof(command), "list table %s %s", family, gate->table);
	r = nft_ask_json(nft, command, &found);
	if (r < 0)
		return r;
	wanted = describe_table(gate, family);
	if (!wanted)
		return -ENOMEM;
	strip_listing(json_object_get(found, "nftables"));
	*ret_state = json_equal(wanted, json_object_get(found, "nftables")) ? NFT_GATE_OK : NFT_GATE_DIFFERS;
	return 0;
}

int nft_gate_check(struct nft *nft, const struct nft_gate *gate, enum nft_gate_state *ret_state)
{
	enum nft_gate_state inet, arp = NFT_GATE_OK;
	int r;

	if (!gate_is_valid(gate))
		return -EINVAL;
	r = check_table(nft, gate, "inet", &inet);
	if (r == 0 && !nft->no_arp)
		r = check_table(nft, gate, "arp", &arp);
	if (r < 0)
		return r;
	*ret_state = inet != NFT_GATE_OK ? inet : arp == NFT_GATE_OK ? NFT_GATE_OK : NFT_GATE_DIFFERS;
	return 0;
}

static int add_drops(struct nft *nft, const struct nft_gate *gate, const char *family, const char *name, struct nft_counter *drops)
{
	CLEAN_JSON json_t *found = NULL;
	json_int_t packets = 0, bytes = 0;
	const json_t *entry, *counter;
	char command[96];
	size_t i;
	int r;

	snprintf(command, sizeof(command), "list counter %s %s %s", family, gate->table, name);
	r = nft_ask_json(nft, command, &found);
	if (r < 0)
		return r;
	json_array_foreach(json_object_get(found, "nftables"), i, entry) {
		counter = json_object_get(entry, "counter");
		if (!counter)
			continue;
		packets = json_integer_value(json_object_get(counter, "packets"));
		bytes = json_integer_value(json_object_get(counter, "bytes"));
	}
	drops->packets += (uint64_t)packets;
	drops->bytes += (uint64_t)bytes;
	return 0;
}

int nft_gate_drops(struct nft *nft, const struct nft_gate *gate, struct nft_counter *ret_drops)
{
	static const char *const families[] = { "inet", "arp" };
	struct nft_counter drops = { 0 };

	if (!gate_is_valid(gate))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		bool has;
		int r = has_table(nft, families[i], gate->table, &has);

		if (r == 0 && has)
			r = add_drops(nft, gate, families[i], COUNTER, &drops);
		else if (r == 0 && i == 0)
			r = -ENOENT;
		if (r < 0)
			return r;
	}
	*ret_drops = drops;
	return 0;
}

int nft_gate_transit_drops(struct nft *nft, const struct nft_gate *gate, struct nft_counter *ret_drops)
{
	*ret_drops = (struct nft_counter){ 0 };
	if (!gate_is_valid(gate))
		return -EINVAL;
	return gate->no_transit ? add_drops(nft, gate, "inet", TRANSIT, ret_drops) : 0;
}

int nft_gate_remove(struct nft *nft, const struct nft_gate *gate)
{
	static const char *const families[] = { "inet", "arp" };

	if (!gate_is_valid(gate))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		char command[64];
		bool has;
		int r = has_table(nft, families[i], gate->table, &has);

		snprintf(command, sizeof(command), "delete table %s %s", families[i], gate->table);
		if (r == 0 && has)
			r = nft_run_text(nft, command, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}
