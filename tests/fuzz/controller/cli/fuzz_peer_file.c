/* The two doors of the file of a peer: what the API says of one, and a file from a disk. What is written of either reads back, and has
 * no line that this program would not write. */
#include "controller/cli/peer_file.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lines(const char *text)
{
	static const char *const begins[] = { "#",
					      "[Interface]\n",
					      "[Peer]\n",
					      "PrivateKey = ",
					      "Address = fdaa",
					      "PostUp = i",
					      "PostDown = command -v ",
					      "DNS = fdaa",
					      "PublicKey = ",
					      "PresharedKey = ",
					      "AllowedIPs = ",
					      "Endpoint = ",
					      "PersistentKeepalive = 25\n",
					      "\n" };

	for (; *text; text += strcspn(text, "\n") + 1) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_LEN(begins); i++)
			known |= !strncmp(text, begins[i], strlen(begins[i]));
		if (!known)
			abort();
	}
}

static void write_and_read(const struct peer_file *file)
{
	for (enum peer_form form = PEER_FORM_LINUX; form <= PEER_FORM_IOS; form++) {
		CLEAN_BUF struct buf text = BUF_INIT(PEER_FILE_TEXT_MAX);
		struct peer_file back;
		enum peer_dns dns;

		if (peer_dns_choose(form, PEER_DNS_DEFAULT, &dns, NULL) != 0)
			abort();
		peer_file_write(file, form, dns, true, &text);
		if (buf_failed(&text))
			abort();
		check_lines(buf_str(&text));
		if (peer_file_parse(buf_str(&text), text.len, &back, NULL) != 0 || back.port != file->port ||
		    strcmp(back.host, file->host) || memcmp(&back.ips, &file->ips, sizeof back.ips))
			abort();
	}
}

/* Lines of the input become the fields of a reply; where a line is missing or empty the field is a good one. */
static json_t *reply_of(const uint8_t *data, size_t size)
{
	static const char *const fields[][2] = { { "endpoint", "gw:51820" },
						 { "address", "fdaa:1:2a:ae03:2:0:a:102" },
						 { "dns", "fdaa:1:2a::3" },
						 { "", "fdaa:1:2a::/48" },
						 { "gateway_public_key", "Z2F0ZXdheWdhdGV3YXlnYXRld2F5Z2F0ZXdheWdhdGU=" },
						 { "name", "laptop" },
						 { "org", "acme" },
						 { "gateway", "dev-2" } };
	json_t *json = json_object();

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const uint8_t *end = size ? memchr(data, 1, size) : NULL;
		size_t n = end ? (size_t)(end - data) : size;
		json_t *value = json_stringn(n ? (const char *)data : fields[i][1], n ? n : strlen(fields[i][1]));

		json_object_set_new(json, fields[i][0][0] ? fields[i][0] : "allowed_ips",
				    fields[i][0][0] ? value : json_pack("[o]", value));
		data += end ? n + 1 : n;
		size -= end ? n + 1 : n;
	}
	return json;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peer_file file = { 0 }, read;
	CLEAN_JSON json_t *json = reply_of(data, size);

	if (peer_file_from_reply(&file, json, NULL) == 0)
		write_and_read(&file);
	if (peer_file_parse((const char *)data, size, &read, NULL) == 0 && read.n_ips > PEER_FILE_IPS_MAX)
		abort();
	return 0;
}
