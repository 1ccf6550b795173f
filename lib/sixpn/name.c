/* name - see name.h. */
#include "lib/sixpn/name.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the character at p; 0 = none that UTF-8 knows. */
static size_t character(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *start = p;
	unsigned more, min;
	uint32_t c = *p++;

	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		more = 1, min = 0x80, c &= 0x1f;
	else if ((c & 0xf0) == 0xe0)
		more = 2, min = 0x800, c &= 0x0f;
	else if (c >= 0xf0 && c <= 0xf4)
		more = 3, min = 0x10000, c &= 0x07;
	else
		return 0;
	while (more--) {
		if (p == end || (*p & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (*p++ & 0x3f);
	}
	return c < min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : (size_t)(p - start);
}

bool name_is_utf8(const void *bytes, size_t n)
{
	const uint8_t *p = bytes, *end = p + n;

	for (size_t len; p < end; p += len) {
		len = character(p, end);
		if (!len)
			return false;
	}
	return true;
}

void name_tame(char *text)
{
	uint8_t *p = (uint8_t *)text, *end = p + strlen(text);

	for (size_t len; p < end; p += len ? len : 1) {
		len = character(p, end);
		if (!len)
			*p = '?';
		else if (*p < 0x20 || *p == 0x7f)
			*p = ' ';
	}
}

static void suggest(const char *name, char out[NAME_SIZE])
{
	size_t n = 0;

	for (const char *p = name; *p && n < NAME_LABEL_MAX; p++) {
		char c = (char)tolower((unsigned char)*p);

		if (n == 0 && !(c >= 'a' && c <= 'z'))
			continue;
		out[n++] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
	}
	while (n && out[n - 1] == '-')
		n--;
	out[n] = 0;
	if (!n)
		strcpy(out, "my-name");
}

static int check_label(const char *noun, const char *name, struct why *why)
{
	size_t n = strlen(name), i;
	char better[NAME_SIZE];

	if (!n)
		return why_set(why, "name_invalid", "name", "%s name is empty; use a-z, 0-9 and \"-\", start with a letter", noun);
	suggest(name, better);
	if (n > NAME_LABEL_MAX)
		return why_set(why, "name_invalid", "name", "%s name \"%.20s...\" has %zu characters, at most %d are allowed", noun, name, n,
			       NAME_LABEL_MAX);
	for (i = 0; i < n; i++) {
		char c = name[i];

		if ((c >= 'a' && c <= 'z') || (i && ((c >= '0' && c <= '9') || (c == '-' && i + 1 < n))))
			continue;
		return why_set(why, "name_invalid", "name",
			       "%s name \"%s\": character \"%.*s\" at position %zu is not allowed there; use a-z, 0-9 and \"-\", start with a letter, end with a letter or digit; for example \"%s\"",
			       noun, name, isprint((unsigned char)c) ? 1 : 0, name + i, i + 1, better);
	}
	return 0;
}

static int check_reserved(const char *noun, const char *name, const char *const *reserved, struct why *why)
{
	for (; *reserved; reserved++)
		if (!strcmp(name, *reserved))
			return why_set(why, "name_reserved", "name", "%s name \"%s\" is reserved: it has a meaning of its own in DNS", noun, name);
	return 0;
}

int name_check_app(const char *name, struct why *why)
{
	static const char *const reserved[] = { "global", "vms", "regions", "all", "vm", "process", "nearest", "internal", "flycast", NULL };
	int r = check_label("app", name, why);

	return r ? r : check_reserved("app", name, reserved, why);
}

int name_check_org(const char *name, struct why *why)
{
	return check_label("org", name, why);
}

int name_check_network(const char *name, struct why *why)
{
	return check_label("network", name, why);
}

int name_check_node(const char *name, struct why *why)
{
	return check_label("node", name, why);
}

int name_check_group(const char *name, struct why *why)
{
	return check_label("process group", name, why);
}

int name_check_region(const char *name, struct why *why)
{
	static const char *const reserved[] = { "all", "any", "vms", "not", NULL };

	if (strlen(name) != 3)
		goto refuse;
	for (int i = 0; i < 3; i++)
		if (name[i] < 'a' || name[i] > 'z')
			goto refuse;
	return check_reserved("region", name, reserved, why);
refuse:
	return why_set(why, "name_invalid", "region", "region \"%.40s\" is not three lower-case letters, like \"ord\"", name);
}

int name_check_instance_id(const char *id, struct why *why)
{
	if (strlen(id) == NAME_INSTANCE_ID_LEN && strspn(id, "0123456789abcdef") == NAME_INSTANCE_ID_LEN)
		return 0;
	return why_set(why, "id_invalid", "id", "instance id \"%.40s\" is not 14 lower-case hex digits", id);
}

int name_check_text(const char *field, const char *text, size_t max, struct why *why)
{
	size_t n = strlen(text);

	if (n > max)
		return why_set(why, "too_long", field, "%s has %zu bytes, at most %zu are allowed", field, n, max);
	if (!name_is_utf8(text, n))
		return why_set(why, "text_invalid", field, "%s is not UTF-8", field);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return why_set(why, "text_invalid", field, "%s holds a control character at position %zu", field, i + 1);
	return 0;
}

static bool is_dns_name(const char *name)
{
	const char *label = name;

	for (const char *p = name;; p++) {
		bool ends = !*p || *p == '.';

		if (ends && (p == label || p - label > NAME_LABEL_MAX || *label == '-' || p[-1] == '-'))
			return false;
		if (!*p)
			return strspn(label, "0123456789") != (size_t)(p - label); /* else an address, and a broken one */
		if (ends)
			label = p + 1;
		else if (!isalnum((unsigned char)*p) && *p != '-')
			return false;
	}
}

int name_check_hostname(const char *field, const char *name, struct why *why)
{
	uint8_t address[16];

	if (strlen(name) > 253)
		return why_set(why, "too_long", field, "%s has %zu bytes, at most 253 are allowed", field, strlen(name));
	if (is_dns_name(name) || inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
		return 0;
	return why_set(why, "host_invalid", field, "%s = \"%.100s\" is no host name and no address (without port or brackets)", field, name);
}

int name_check_metadata(const char *key, const char *value, struct why *why)
{
	size_t n = strlen(key);

	if (!n || n > NAME_LABEL_MAX || strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != n)
		return why_set(why, "metadata_invalid", "metadata", "metadata key \"%.63s\": use 1 to 63 letters, digits, \"_\", \"-\" and \".\"", key);
	return name_check_text("metadata", value, 255, why);
}
