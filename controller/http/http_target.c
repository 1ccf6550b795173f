/* http_target - see http_target.h. Works in place on one copy: decoding never makes a text longer. */
#include "controller/http/http_target.h"

#include "lib/sixpn/name.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int decode(char *text, bool plus_is_space, struct why *why)
{
	char *out = text;

	for (const char *p = text; *p; p++) {
		int c = (unsigned char)*p;

		if (c == '%') {
			int high = hex_digit(p[1]), low = high < 0 ? -1 : hex_digit(p[2]);

			if (low < 0)
				return why_set(why, "path_invalid", "", "\"%.60s\" has a \"%%\" that is not followed by two hex digits", text);
			c = high << 4 | low;
			p += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		if (c < 0x20 || c == 0x7f)
			return why_set(why, "path_invalid", "", "the path or query holds a control character (code %d)", c);
		*out++ = (char)c;
	}
	*out = 0;
	if (!name_is_utf8(text, (size_t)(out - text)))
		return why_set(why, "path_invalid", "", "the path or query is not UTF-8");
	return 0;
}

static int parse_query(char *at, struct http_target *ret, struct why *why)
{
	char *rest = at, *pair;

	while ((pair = strsep(&rest, "&"))) {
		struct http_query *q = &ret->query[ret->n_query];
		char *equals = strchr(pair, '=');

		if (!*pair)
			continue;
		if (ret->n_query == HTTP_QUERY_MAX)
			return why_set(why, "query_invalid", "", "more than %d query parameters", HTTP_QUERY_MAX);
		q->name = pair;
		q->value = equals ? equals + 1 : pair + strlen(pair);
		if (equals)
			*equals = 0;
		if (decode(q->name, true, why) || decode(q->value, true, why))
			return E_REFUSED;
		/* flyctl names each state that it waits for; which routes take that, their table says */
		if (strcmp(q->name, "state") != 0 && http_target_query(ret, q->name))
			return why_set(why, "query_invalid", q->name, "query parameter \"%.60s\" is given twice", q->name);
		ret->n_query++;
	}
	return 0;
}

int http_target_parse(const char *text, struct http_target *ret, struct why *why)
{
	size_t len = strnlen(text, HTTP_TARGET_MAX + 1);
	char *query, *rest, *segment;

	ret->n_segments = ret->n_query = 0;
	if (len > HTTP_TARGET_MAX)
		return why_set(why, "target_too_long", "", "path and query are longer than %d bytes", HTTP_TARGET_MAX);
	if (text[0] != '/')
		return why_set(why, "path_invalid", "", "the request target must begin with \"/\"");
	memcpy(ret->text, text, len + 1);
	query = strchr(ret->text, '?');
	if (query) {
		*query++ = 0;
		if (parse_query(query, ret, why))
			return E_REFUSED;
	}
	rest = ret->text + 1;
	if (!*rest)
		return 0;
	while ((segment = strsep(&rest, "/"))) {
		if (!*segment)
			return why_set(why, "path_invalid", "", "the path has an empty part (\"//\" or \"/\" at its end)");
		if (ret->n_segments == HTTP_SEGMENTS_MAX)
			return why_set(why, "path_invalid", "", "the path has more than %d parts", HTTP_SEGMENTS_MAX);
		if (decode(segment, false, why))
			return E_REFUSED;
		ret->segments[ret->n_segments++] = segment;
	}
	return 0;
}

const char *http_target_query(const struct http_target *t, const char *name)
{
	for (size_t i = 0; i < t->n_query; i++)
		if (!strcmp(t->query[i].name, name))
			return t->query[i].value;
	return NULL;
}

/* Nothing, or a port: what else stands there would be read as the host where we name ourselves by it (localhost:80@elsewhere). */
static bool is_port(const char *text)
{
	size_t len = strlen(text);

	return len == 0 || (text[0] == ':' && len <= 6 && text[1 + strspn(text + 1, "0123456789")] == 0);
}

bool http_host_accepted(const char *host, const char *const *names, size_t n_names)
{
	uint8_t address[16];
	char name[256];
	size_t len;

	if (host[0] == '[') {
		len = strcspn(++host, "]");
		if (host[len] != ']' || !is_port(host + len + 1))
			return false;
	} else {
		len = strcspn(host, ":");
		if (!is_port(host + len))
			return false;
	}
	if (len == 0 || len >= sizeof name)
		return false;
	memcpy(name, host, len);
	name[len] = 0;
	if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1 || !strcasecmp(name, "localhost"))
		return true;
	for (size_t i = 0; i < n_names; i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return false;
}
