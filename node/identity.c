/* identity - see identity.h. */
#include "node/identity.h"

#include "lib/base/file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_FILE 4096

static const char *path_in(const char *dir, const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s", dir, name);
	return path;
}

static int parse_key(const struct buf *text, uint8_t ret[CRYPTO_KEY_LEN])
{
	size_t n = text->len;

	while (n && (text->data[n - 1] == '\n' || text->data[n - 1] == ' '))
		n--;
	return crypto_unbase64((const char *)text->data, n, ret, CRYPTO_KEY_LEN);
}

static int load_or_make_key(const char *path, uint8_t ret_private[CRYPTO_KEY_LEN], uint8_t ret_public[CRYPTO_KEY_LEN], struct why *why)
{
	CLEAN_BUF struct buf text = BUF_INIT(SMALL_FILE);
	char line[CRYPTO_BASE64_KEY_LEN + 2];
	int e = file_read(path, SMALL_FILE - 1, &text);

	if (e == 0) {
		e = parse_key(&text, ret_private);
		if (text.data)
			crypto_wipe(text.data, text.len);
		if (e)
			return why_set(why, "key_broken", "", "%s does not hold a key (32 bytes in base64); restore it or move it away and enrol again", path);
		crypto_x25519_public(ret_private, ret_public);
		return 0;
	}
	if (e != -ENOENT)
		return e;
	crypto_x25519_keypair(ret_private, ret_public);
	crypto_base64(ret_private, CRYPTO_KEY_LEN, line);
	strcat(line, "\n");
	e = file_create(path, line, strlen(line), 0600);
	crypto_wipe(line, sizeof line);
	return e;
}

static int read_line(struct identity *id, const char *key, const char *value, struct why *why)
{
	if (!strcmp(key, "host")) {
		uint8_t host[4];

		if (crypto_unhex(value, strlen(value), host, sizeof host) || !addr_host_valid(get_u32(host)))
			return why_set(why, "identity_broken", "host", "host word \"%.20s\" cannot be", value);
		id->host = get_u32(host);
		return 0;
	}
	if (!strcmp(key, "name")) {
		snprintf(id->name, sizeof id->name, "%s", value);
		return name_check_node(value, why);
	}
	if (!strcmp(key, "region")) {
		snprintf(id->region, sizeof id->region, "%s", value);
		return name_check_region(value, why);
	}
	if (!strcmp(key, "controller_key"))
		return crypto_unhex(value, strlen(value), id->controller_key, CRYPTO_KEY_LEN) ?
			       why_set(why, "identity_broken", key, "the controller's key is not 64 hex digits") :
			       0;
	if (!strcmp(key, "controller_addresses")) {
		if (strlen(value) >= sizeof id->controller_addresses)
			return why_set(why, "identity_broken", key, "more than %d bytes of addresses", IDENTITY_ADDRESSES_MAX - 1);
		snprintf(id->controller_addresses, sizeof id->controller_addresses, "%s", value);
		return 0;
	}
	return why_set(why, "identity_broken", key, "unknown key \"%.40s\"", key);
}

static int load_enrolment(const char *path, struct identity *id, struct why *why)
{
	CLEAN_BUF struct buf text = BUF_INIT(SMALL_FILE);
	static const uint8_t no_key[CRYPTO_KEY_LEN];
	char *save = NULL, *line;
	int e = file_read(path, SMALL_FILE - 1, &text);

	if (e == -ENOENT)
		return 0;
	if (e < 0)
		return e;
	for (line = strtok_r((char *)(uintptr_t)buf_str(&text), "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *equals = strstr(line, " = ");

		if (!equals)
			return why_set(why, "identity_broken", "", "%s: a line without \" = \"", path);
		*equals = 0;
		e = read_line(id, line, equals + 3, why);
		if (e)
			return e;
	}
	if (!id->host || !id->name[0] || !id->region[0] || !id->controller_addresses[0] || !memcmp(id->controller_key, no_key, sizeof no_key))
		return why_set(why, "identity_broken", "", "%s is not complete", path);
	id->enrolled = true;
	return 0;
}

int identity_load(const char *state_dir, const struct clock *clock, struct identity *ret_identity, struct why *why)
{
	struct identity id = { 0 };
	char path[PATH_MAX];
	int e = file_make_dirs(path_in(state_dir, "keys", path), 0700);

	if (e == 0)
		e = load_or_make_key(path_in(state_dir, "keys/link.key", path), id.link_private, id.link_public, why);
	if (e == 0)
		e = load_or_make_key(path_in(state_dir, "keys/mesh.key", path), id.mesh_private, id.mesh_public, why);
	if (e == 0)
		e = load_enrolment(path_in(state_dir, "identity", path), &id, why);
	clock_random(clock, id.boot_id, sizeof id.boot_id);
	if (e == 0)
		*ret_identity = id;
	identity_wipe(&id);
	return e;
}

int identity_load_gateway(const char *state_dir, struct identity *identity, struct why *why)
{
	char path[PATH_MAX];
	int e = load_or_make_key(path_in(state_dir, "keys/gateway.key", path), identity->gateway_private, identity->gateway_public, why);

	identity->has_gateway_key = e == 0;
	return e;
}

int identity_save(const char *state_dir, const struct identity *identity)
{
	CLEAN_BUF struct buf text = BUF_INIT(SMALL_FILE);
	char path[PATH_MAX], key[2 * CRYPTO_KEY_LEN + 1];

	crypto_hex(identity->controller_key, CRYPTO_KEY_LEN, key);
	buf_printf(&text, "host = %08x\nname = %s\nregion = %s\ncontroller_key = %s\ncontroller_addresses = %s\n", identity->host,
		   identity->name, identity->region, key, identity->controller_addresses);
	if (buf_failed(&text))
		return -ENOMEM;
	return file_replace(path_in(state_dir, "identity", path), text.data, text.len, 0600);
}

/* 0 = that is no count */
static uint64_t parse_count(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits && digits <= 15 && (!text[digits] || !strcmp(text + digits, "\n")) ? strtoull(text, NULL, 10) : 0;
}

int identity_count_boot(const char *state_dir, const struct clock *clock, struct identity *identity)
{
	CLEAN_BUF struct buf text = BUF_INIT(64);
	char path[PATH_MAX], line[32];
	uint64_t count = 0;
	int e = file_read(path_in(state_dir, "boot", path), 32, &text);

	if (e == 0)
		count = parse_count(buf_str(&text));
	else if (e != -ENOENT && e != -EFBIG)
		return e;
	/* a lost file must not make this start look older than the last: time stands in for the count */
	if (!count)
		count = clock_real_ms(clock) / 1000;
	identity->boot_count = count + 1;
	snprintf(line, sizeof line, "%llu\n", (unsigned long long)identity->boot_count);
	return file_replace(path, line, strlen(line), 0600);
}

void identity_wipe(struct identity *identity)
{
	crypto_wipe(identity->link_private, sizeof identity->link_private);
	crypto_wipe(identity->mesh_private, sizeof identity->mesh_private);
	crypto_wipe(identity->gateway_private, sizeof identity->gateway_private);
}
