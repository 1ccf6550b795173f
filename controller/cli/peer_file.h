/* peer_file - the file with which a customer's machine joins a network by stock WireGuard: written from what the API says of a peer,
 * and read again from what is on a disk. Pure: plain structs and text.
 *
 * wg-quick runs lines of this file as root, and a program routes what AllowedIPs says: so nothing of a reply reaches the text that was
 * not parsed and printed anew, and no prefix outside fdaa::/16 is taken. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/crypto.h"
#include "lib/base/json.h"

#include <netinet/in.h>

#define PEER_FILE_TEXT_MAX 8192 /* of one file that is written */
#define PEER_FILE_READ_MAX 65536
#define PEER_FILE_IPS_MAX 16
#define PEER_FILE_NAME_SIZE 256
#define PEER_FILE_HOST_SIZE 254
#define PEER_FILE_KEEPALIVE_S 25
#define PEER_FILE_MTU 1420
#define PEER_FILE_NO_KEY "PUT-THE-PRIVATE-KEY-HERE"

/* What will read the file. */
enum peer_form { PEER_FORM_LINUX, PEER_FORM_MACOS, PEER_FORM_WINDOWS, PEER_FORM_ANDROID, PEER_FORM_IOS };
/* Which names are asked at the gateway's name server: those of 6PNs (the rest stays as it is), or all. */
enum peer_dns { PEER_DNS_DEFAULT, PEER_DNS_INTERNAL, PEER_DNS_ALL };

struct peer_prefix {
	struct in6_addr address;
	uint8_t len;
};

struct peer_file {
	char name[PEER_FILE_NAME_SIZE], org[64], network[64], region[64], gateway[64]; /* of comments; "" = not known */
	bool has_private, has_preshared, has_gateway_key;
	bool lacks_preshared; /* there is one, but not here: a placeholder stands for it */
	uint8_t private_key[CRYPTO_KEY_LEN], preshared[CRYPTO_KEY_LEN], gateway_key[CRYPTO_KEY_LEN];
	struct peer_prefix address; /* the peer's own /120, with the address inside it */
	struct in6_addr dns;
	struct peer_prefix ips[PEER_FILE_IPS_MAX];
	size_t n_ips;
	char host[PEER_FILE_HOST_SIZE]; /* a name, or an address without brackets; "" = the file says none */
	uint16_t port;
	bool has_dns_line, has_post_up; /* of a file that was read */
	bool has_form; /* the file says for what it was made; kept when it is made anew */
	enum peer_form form;
	enum peer_dns dns_choice;
};

struct peer_form_traits {
	const char *name;
	size_t tunnel_name_max; /* an interface of Linux has 15 characters, WireGuard for Windows takes 32 */
	bool splits_by_default, can_split;
	bool wants_global_route; /* asks for AAAA only if a route covers some of 2000::/3: one address that nobody has is enough */
};
extern const struct peer_form_traits peer_form_traits[]; /* by enum peer_form */
int peer_form_parse(const char *text, enum peer_form *ret_form) MUST_CHECK; /* -EINVAL */
int peer_dns_parse(const char *text, enum peer_dns *ret_dns) MUST_CHECK; /* "internal", "all"; -EINVAL */
/* What `dns` means for this form: PEER_DNS_INTERNAL or PEER_DNS_ALL. E_REFUSED if this form cannot do it. */
int peer_dns_choose(enum peer_form form, enum peer_dns dns, enum peer_dns *ret_dns, struct why *why) MUST_CHECK;

/* A peer as the API gives it. Keeps what *file has of keys that only this machine knows. Untouched on refusal. */
int peer_file_from_reply(struct peer_file *file, const json_t *peer, struct why *why) MUST_CHECK;
/* A file in the format of wg-quick; E_REFUSED names the line. What sixpn does not use is passed over. */
int peer_file_parse(const char *text, size_t len, struct peer_file *ret_file, struct why *why) MUST_CHECK;
/* comments: false for a QR code, where every byte is a square. dns: as peer_dns_choose gave it. */
void peer_file_write(const struct peer_file *file, enum peer_form form, enum peer_dns dns, bool comments, struct buf *ret_text);
/* What is kept on the disk while the answer to a request is not known: the key, and what to do with it. Padded to the size that the
 * whole file may take, so that a disk that takes this takes that. */
void peer_file_write_draft(const struct peer_file *file, struct buf *ret_text);
void peer_file_wipe(struct peer_file *file);

/* The name of a file becomes that of the interface (tunnel): E_REFUSED if it cannot. ret_proposal gets a path in the same folder that
 * can, always. */
int peer_file_check_path(const char *path, enum peer_form form, char *ret_proposal, size_t size, struct why *why) MUST_CHECK;
/* "laptop" of "/etc/wireguard/laptop.conf". */
void peer_file_interface(const char *path, char *ret_name, size_t size);
/* The zone of the reverse names of a network: "a.2.0.0.0.0.0.0.a.a.d.f.ip6.arpa". */
#define PEER_FILE_ZONE_SIZE 64
void peer_file_reverse_zone(const struct in6_addr *in_network, char ret_zone[PEER_FILE_ZONE_SIZE]);
