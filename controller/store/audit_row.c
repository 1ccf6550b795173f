/* audit_row - see audit_row.h. The hash has no key: who can write the file could read a key that lies in it, and without one anybody
 * who has the file can check the chain. What a key would have given is given by a head that is kept elsewhere. */
#include "controller/store/audit_row.h"


#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_number(struct crypto_hash *h, uint64_t number)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(number >> (56 - 8 * i));
	crypto_hash_add(h, bytes, sizeof bytes);
}

/* NULL is another text than "". */
static void add_text(struct crypto_hash *h, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	add_number(h, text ? len : UINT64_MAX);
	crypto_hash_add(h, text ? text : "", len);
}

void audit_row_hash(const uint8_t before[AUDIT_HASH_LEN], const struct audit_row *row, uint8_t ret_hash[AUDIT_HASH_LEN])
{
	static const char domain[] = "sixpn-audit-1";
	const char *const texts[] = { row->org_name, row->principal, row->token, row->address, row->request_id, row->verb,
				      row->noun,     row->object,    row->name,  row->before,  row->after };
	struct crypto_hash h;

	crypto_hash_begin(&h);
	crypto_hash_add(&h, domain, sizeof domain);
	crypto_hash_add(&h, before, AUDIT_HASH_LEN);
	add_number(&h, row->n);
	add_number(&h, row->at_ms);
	add_number(&h, row->v);
	add_number(&h, row->has_org);
	crypto_hash_add(&h, row->org, row->has_org ? ID_LEN : 0);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		add_text(&h, texts[i]);
	crypto_hash_end(&h, ret_hash);
}

const char *audit_place_text(const struct audit_place *place, char ret_text[AUDIT_PLACE_TEXT_SIZE])
{
	char hash[AUDIT_HASH_TEXT_SIZE];

	crypto_hex(place->hash, sizeof place->hash, hash);
	snprintf(ret_text, AUDIT_PLACE_TEXT_SIZE, "%" PRIu64 ":%s", place->n, hash);
	return ret_text;
}

int audit_place_parse(const char *field, const char *text, struct audit_place *ret_place, struct why *why)
{
	size_t digits = strspn(text, "0123456789");
	struct audit_place place = { .n = 0 };

	if (digits < 1 || digits > 18 || text[digits] != ':' ||
	    crypto_unhex(text + digits + 1, strlen(text + digits + 1), place.hash, sizeof place.hash) < 0)
		return why_set(why, "value_invalid", field, "%s is \"%.90s\": it must be what \"sixpn audit head\" printed, a number, a colon and 64 hex digits",
			       field, text);
	place.n = strtoull(text, NULL, 10);
	*ret_place = place;
	return 0;
}
