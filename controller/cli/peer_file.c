/* peer_file - see peer_file.h. */
#include "controller/cli/peer_file.h"

#include "lib/sixpn/addr.h"
#include "lib/sixpn/name.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct peer_form_traits peer_form_traits[] = {
	[PEER_FORM_LINUX] = { "linux", 15, true, true, false },	     [PEER_FORM_MACOS] = { "macos", 15, false, true, false },
	[PEER_FORM_WINDOWS] = { "windows", 32, false, true, false }, [PEER_FORM_ANDROID] = { "android", 15, false, false, true },
	[PEER_FORM_IOS] = { "ios", 15, false, false, true },
};

int peer_form_parse(const char *text, enum peer_form *ret_form)
{
	for (size_t i = 0; i < ARRAY_LEN(peer_form_traits); i++)
		if (!strcmp(text, peer_form_traits[i].name)) {
			*ret_form = (enum peer_form)i;
			return 0;
		}
	return -EINVAL;
}

int peer_dns_parse(const char *text, enum peer_dns *ret_dns)
{
	if (strcmp(text, "internal") && strcmp(text, "all"))
		return -EINVAL;
	*ret_dns = text[0] == 'i' ? PEER_DNS_INTERNAL : PEER_DNS_ALL;
	return 0;
}

int peer_dns_choose(enum peer_form form, enum peer_dns dns, enum peer_dns *ret_dns, struct why *why)
{
	if (dns == PEER_DNS_INTERNAL && !peer_form_traits[form].can_split)
		return why_set(why, "dns_not_split", "dns",
			       "WireGuard for %s sends all names to the tunnel's name server or none: --dns all",
			       peer_form_traits[form].name);
	*ret_dns = dns != PEER_DNS_DEFAULT ? dns : peer_form_traits[form].splits_by_default ? PEER_DNS_INTERNAL : PEER_DNS_ALL;
	return 0;
}

void peer_file_wipe(struct peer_file *file)
{
	crypto_wipe(file, sizeof *file);
}

/* ---- parts of both directions ---- */

/* "address/len", or an address alone (/128), below fdaa::/16. */
static int take_prefix(const char *text, const char *field, struct peer_prefix *ret, struct why *why)
{
	const char *slash = strchr(text, '/');
	struct peer_prefix prefix = { .len = 128 };
	struct addr_parts parts;
	char address[INET6_ADDRSTRLEN + 1], *end = NULL;

	snprintf(address, sizeof address, "%.*s", (int)(slash ? slash - text : (long)strnlen(text, sizeof address)), text);
	if (slash) {
		unsigned long len = strtoul(slash + 1, &end, 10);

		if (slash[1] < '0' || slash[1] > '9' || *end || len > 128)
			return why_set(why, "prefix_invalid", field, "%s \"%.60s\" is no prefix", field, text);
		prefix.len = (uint8_t)len;
	}
	if (inet_pton(AF_INET6, address, &prefix.address) != 1)
		return why_set(why, "prefix_invalid", field, "%s \"%.60s\" is no IPv6 address or prefix", field, text);
	if (addr_split(&prefix.address, &parts) != 0 || prefix.len < 16)
		return why_set(why, "prefix_foreign", field, "%s \"%.60s\" is no part of a 6PN (fdaa::/16)", field, text);
	*ret = prefix;
	return 0;
}

static bool host_valid(const char *host)
{
	struct in6_addr v6;
	size_t n = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");

	return (n && !host[n] && host[0] != '-') || inet_pton(AF_INET6, host, &v6) == 1;
}

/* "host:port", "[v6]:port". */
static int take_endpoint(const char *text, struct peer_file *file, struct why *why)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	bool bracket = n >= 2 && text[0] == '[' && text[n - 1] == ']';
	char host[PEER_FILE_HOST_SIZE], *end = NULL;
	unsigned long port = colon && colon[1] >= '0' && colon[1] <= '9' ? strtoul(colon + 1, &end, 10) : 0;

	if (bracket) {
		text++;
		n -= 2;
	}
	if (!n || n >= sizeof host || !port || port > 65535 || *end)
		return why_set(why, "endpoint_invalid", "endpoint", "endpoint \"%.80s\" is not HOST:PORT", text);
	memcpy(host, text, n);
	host[n] = 0;
	if (!host_valid(host) || bracket != (strchr(host, ':') != NULL))
		return why_set(why, "endpoint_invalid", "endpoint", "endpoint: \"%.80s\" is no name of a machine and no address",
			       host);
	memcpy(file->host, host, n + 1);
	file->port = (uint16_t)port;
	return 0;
}

static int take_key(const char *text, const char *field, uint8_t ret_key[CRYPTO_KEY_LEN], bool *ret_has, struct why *why)
{
	if (crypto_unbase64(text, strlen(text), ret_key, CRYPTO_KEY_LEN) < 0)
		return why_set(why, "key_invalid", field, "%s is no WireGuard key (32 bytes in base64)",
			       field); /* not the text: it may be secret */
	*ret_has = true;
	return 0;
}

static struct in6_addr resolver_of(const struct in6_addr *address)
{
	struct addr_parts parts = { 0 };

	if (addr_split(address, &parts) != 0)
		return (struct in6_addr){ 0 };
	return addr_network_resolver(parts.network);
}

/* ---- from the API ---- */

static int take_ips(struct peer_file *file, const json_t *list, struct why *why)
{
	size_t n = json_array_size(list);
	int r = 0;

	if (!n || n > PEER_FILE_IPS_MAX)
		return why_set(why, "reply_invalid", "allowed_ips", "allowed_ips has %zu prefixes, not 1 to %d", n,
			       PEER_FILE_IPS_MAX);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		r = take_prefix(text ? text : "", "allowed_ips", &file->ips[i], why);
	}
	file->n_ips = n;
	return r;
}

static void take_word(const json_t *peer, const char *field, char *ret, size_t size)
{
	const char *text = json_string_value(json_object_get(peer, field));

	snprintf(ret, size, "%s", text ? text : "");
	name_tame(ret);
}

static const char *text_of(const json_t *peer, const char *field)
{
	const char *text = json_string_value(json_object_get(peer, field));

	return text ? text : "";
}

int peer_file_from_reply(struct peer_file *file, const json_t *peer, struct why *why)
{
	struct peer_file f = *file;
	struct peer_prefix dns;
	int r;

	take_word(peer, "name", f.name, sizeof f.name);
	take_word(peer, "org", f.org, sizeof f.org);
	take_word(peer, "network", f.network, sizeof f.network);
	take_word(peer, "region", f.region, sizeof f.region);
	take_word(peer, "gateway", f.gateway, sizeof f.gateway);
	r = take_prefix(text_of(peer, "address"), "address", &f.address, why);
	f.address.len = 120;
	if (r == 0)
		r = take_prefix(text_of(peer, "dns"), "dns", &dns, why);
	if (r == 0)
		r = take_ips(&f, json_object_get(peer, "allowed_ips"), why);
	if (r == 0 && json_is_null(json_object_get(peer, "endpoint")))
		r = why_set(why, "endpoint_unknown", "endpoint", "gateway %s has not told yet under which name it is reached",
			    f.gateway);
	if (r == 0)
		r = take_endpoint(text_of(peer, "endpoint"), &f, why);
	if (r == 0)
		r = take_key(text_of(peer, "gateway_public_key"), "gateway_public_key", f.gateway_key, &f.has_gateway_key, why);
	if (r == 0) {
		f.lacks_preshared = json_is_true(json_object_get(peer, "preshared")) && !f.has_preshared;
		f.dns = dns.address;
		*file = f;
	}
	peer_file_wipe(&f);
	return r;
}

/* ---- from a disk ---- */

enum section { SECTION_NONE, SECTION_INTERFACE, SECTION_PEER };

/* Text without spaces around it, NUL-ended, in place. */
static char *trim(char *text)
{
	size_t n;

	text += strspn(text, " \t\r");
	n = strlen(text);
	while (n && strchr(" \t\r", text[n - 1]))
		n--;
	text[n] = 0;
	return text;
}

/* Prefixes that are no part of a 6PN (2000::/128 of phones, an IPv4 of the owner's) are not ours to judge. */
static void parse_ips(struct peer_file *file, char *list)
{
	char *save, *word;

	for (word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save))
		if (file->n_ips < PEER_FILE_IPS_MAX && take_prefix(trim(word), "AllowedIPs", &file->ips[file->n_ips], NULL) == 0)
			file->n_ips++;
}

static void parse_address(struct peer_file *file, char *list)
{
	char *save, *word;

	for (word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save))
		if (!file->address.len && take_prefix(trim(word), "Address", &file->address, NULL) == 0)
			file->dns = resolver_of(&file->address.address);
}

static int parse_pair(struct peer_file *file, enum section section, const char *key, char *value, struct why *why)
{
	if (section == SECTION_INTERFACE) {
		if (!strcasecmp(key, "PrivateKey") && strcmp(value, PEER_FILE_NO_KEY))
			return take_key(value, "PrivateKey", file->private_key, &file->has_private, why);
		if (!strcasecmp(key, "Address"))
			parse_address(file, value);
		file->has_dns_line |= !strcasecmp(key, "DNS");
		file->has_post_up |= !strcasecmp(key, "PostUp");
	} else if (section == SECTION_PEER) {
		if (!strcasecmp(key, "PublicKey"))
			return take_key(value, "PublicKey", file->gateway_key, &file->has_gateway_key, why);
		if (!strcasecmp(key, "PresharedKey") && strcmp(value, PEER_FILE_NO_KEY))
			return take_key(value, "PresharedKey", file->preshared, &file->has_preshared, why);
		if (!strcasecmp(key, "AllowedIPs"))
			parse_ips(file, value);
		if (!strcasecmp(key, "Endpoint"))
			return take_endpoint(value, file, why);
	}
	return 0;
}

/* "# peer NAME of ORG, network ..." as peer_file_write says it: whose file this is. */
static void parse_comment(struct peer_file *file, const char *line)
{
	static const char begin[] = "# peer ";
	const char *of = strstr(line, " of ");

	if (file->name[0] || strncmp(line, begin, sizeof begin - 1) || !of)
		return;
	line += sizeof begin - 1;
	snprintf(file->name, sizeof file->name, "%.*s", (int)(of > line ? of - line : 0), line);
	snprintf(file->org, sizeof file->org, "%.*s", (int)strcspn(of + 4, ", \t\r"), of + 4);
	name_tame(file->name);
	name_tame(file->org);
}

/* "# form NAME, dns NAME" as peer_file_write says it. */
static void parse_form(struct peer_file *file, const char *line)
{
	char form[16], dns[16];
	int end = 0;

	if (file->has_form || sscanf(line, "# form %15[a-z], dns %15[a-z]%n", form, dns, &end) != 2 || line[end + (int)strspn(line + end, " \t\r")])
		return;
	file->has_form = peer_form_parse(form, &file->form) == 0 && peer_dns_parse(dns, &file->dns_choice) == 0 &&
			 peer_dns_choose(file->form, file->dns_choice, &file->dns_choice, NULL) == 0;
}

static int parse_line(struct peer_file *file, enum section *section, unsigned *n_peers, char *line, struct why *why)
{
	char *equals;

	if (line[0] == '#') {
		parse_comment(file, line);
		parse_form(file, line);
	}
	line[strcspn(line, "#")] = 0;
	line = trim(line);
	if (!line[0])
		return 0;
	if (line[0] == '[') {
		*section = !strcasecmp(line, "[Interface]") ? SECTION_INTERFACE
			   : !strcasecmp(line, "[Peer]")    ? SECTION_PEER
							    : SECTION_NONE;
		if (*section == SECTION_PEER && ++*n_peers > 1)
			*section = SECTION_NONE; /* a tunnel of one's own that goes elsewhere too: ours is the first */
		return *section == SECTION_NONE && *n_peers < 2
			       ? why_set(why, "file_invalid", "", "\"%.40s\" is no part of a WireGuard file", line)
			       : 0;
	}
	equals = strchr(line, '=');
	if (!equals)
		return why_set(why, "file_invalid", "", "a line without \"=\"");
	*equals = 0;
	return parse_pair(file, *section, trim(line), trim(equals + 1), why);
}

int peer_file_parse(const char *text, size_t len, struct peer_file *ret_file, struct why *why)
{
	struct peer_file file = { 0 };
	enum section section = SECTION_NONE;
	unsigned n_peers = 0, number = 0;
	char line[1024];
	struct why inner = { 0 };
	int r = 0;

	for (size_t at = 0; r == 0 && at < len;) {
		const char *newline = memchr(text + at, '\n', len - at);
		size_t n = newline ? (size_t)(newline - text) - at : len - at;

		number++;
		if (n >= sizeof line || memchr(text + at, 0, n)) {
			r = why_set(&inner, "file_invalid", "", "longer than a line can be, or not text");
			break;
		}
		memcpy(line, text + at, n);
		line[n] = 0;
		r = parse_line(&file, &section, &n_peers, line, &inner);
		at += n + 1;
	}
	crypto_wipe(line, sizeof line);
	if (r == 0)
		*ret_file = file;
	else
		r = why_set(why, inner.code, inner.field, "line %u: %s", number, inner.text);
	peer_file_wipe(&file);
	return r;
}

/* ---- names of files ---- */

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_=+.-";

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void peer_file_interface(const char *path, char *ret_name, size_t size)
{
	const char *base = base_of(path);
	size_t n = strlen(base);

	if (n >= 5 && !strcmp(base + n - 5, ".conf"))
		n -= 5;
	snprintf(ret_name, size, "%.*s", (int)n, base);
}

/* What no interface of Linux can be called, or always one is. */
static bool is_reserved(const char *name, size_t n)
{
	static const char *const words[] = { "all", "default", "lo", ".", ".." };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i]) == n && !memcmp(words[i], name, n))
			return true;
	return false;
}

/* Shorter by whole words where there are some: "my-office-laptop-in-berlin" -> "my-office". */
static void propose(const char *path, const char *name, size_t max, char *ret, size_t size)
{
	char short_name[64];
	size_t n = 0;

	for (; *name && n < max && n + 1 < sizeof short_name; name++)
		if (*name > 0 && strchr(alphabet, *name))
			short_name[n++] = *name;
	if (*name)
		for (size_t cut = n; cut > 3; cut--)
			if (strchr("-_.+=", short_name[cut - 1])) {
				n = cut - 1;
				break;
			}
	if (!n || is_reserved(short_name, n)) {
		memcpy(short_name, "wg0", 3);
		n = 3;
	}
	snprintf(ret, size, "%.*s%.*s.conf", (int)(base_of(path) - path), path, (int)n, short_name);
}

int peer_file_check_path(const char *path, enum peer_form form, char *ret_proposal, size_t size, struct why *why)
{
	char name[300];
	size_t max = peer_form_traits[form].tunnel_name_max, n = strlen(path);
	bool conf = n > 5 && !strcmp(path + n - 5, ".conf");

	peer_file_interface(path, name, sizeof name);
	propose(path, name, max, ret_proposal, size);
	if (!conf)
		return why_set(why, "file_name_invalid", "o", "\"%.80s\" does not end in .conf, which WireGuard for %s wants", path,
			       peer_form_traits[form].name);
	if (!name[0] || strlen(name) > max || strspn(name, alphabet) != strlen(name))
		return why_set(why, "file_name_invalid", "o",
			       "\"%.80s\" cannot be the name of a tunnel: at most %zu of a-z, A-Z, 0-9 and _=+.- (this has %zu)",
			       name, max, strlen(name));
	if (is_reserved(name, strlen(name)))
		return why_set(why, "file_name_invalid", "o",
			       "\"%s\" cannot be the name of a tunnel: the system keeps it for itself", name);
	return 0;
}
