/* audit_json - what the audit says of a record, before and after: JSON that names what people may know and never a secret. Of what only
 * one node may see, a digest with the store's own key stands for the bytes: it shows that they changed, and nobody can guess them by it. */
#pragma once
#include "controller/store/audit_row.h"
#include "lib/base/json.h"
#include "lib/sixpn/record.h"

#define AUDIT_JSON_MAX 8192 /* bytes; what is longer is told by its length and digest */

/* New reference. secret: of the store. A body that does not decode is told by length and digest, too. NULL = no memory. */
json_t *audit_json_of(const struct record *record, const uint8_t secret[CRYPTO_KEY_LEN]);
/* How people call it: "web", "ann@example.com"; "" = it has no name. */
const char *audit_json_name(const json_t *json);
/* Its text, for free(), not longer than AUDIT_JSON_MAX. NULL = no memory. */
char *audit_json_text(const json_t *json, const uint8_t secret[CRYPTO_KEY_LEN]);
