/* peer_file_write - the text of the files, see peer_file.h. */
#include "controller/cli/peer_file.h"

#include "lib/sixpn/addr.h"

#include <string.h>

static void add_key(struct buf *text, const char *title, const uint8_t key[CRYPTO_KEY_LEN], bool has)
{
	char base64[CRYPTO_BASE64_KEY_LEN + 1] = PEER_FILE_NO_KEY;

	if (has)
		crypto_base64(key, CRYPTO_KEY_LEN, base64);
	buf_printf(text, "%s = %s\n", title, base64);
	crypto_wipe(base64, sizeof base64);
}

void peer_file_reverse_zone(const struct in6_addr *in_network, char ret_zone[PEER_FILE_ZONE_SIZE])
{
	size_t n = 0;

	for (int i = 11; i >= 0; i--) /* 12 nibbles: /48 */
		n += (size_t)snprintf(ret_zone + n, PEER_FILE_ZONE_SIZE - n, "%x.",
				      in_network->s6_addr[i / 2] >> (i % 2 ? 0 : 4) & 0xf);
	snprintf(ret_zone + n, PEER_FILE_ZONE_SIZE - n, "ip6.arpa");
}

/* What wg-quick runs after the interface is up, as root. A line that fails takes the interface down again: none may. No "#": wg-quick
 * cuts lines there. systemd-resolved splits by itself; others can where resolv.conf points at a resolver of this machine; a bare
 * libc asks one server for everything, so there it stays as it is, and people are told; likewise where resolvconf does not know of the
 * local resolver and would take it away. */
static void add_hooks_internal(struct buf *text, const char *dns, const char *zone)
{
	buf_printf(text,
		   "PostUp = if resolvectl dns %%i %s 2>/dev/null; then resolvectl domain %%i '~internal' '~flycast' '~%s'; "
		   "resolvectl default-route %%i no; resolvectl dnssec %%i no; resolvectl dnsovertls %%i no; "
		   "elif grep -Eq '^nameserver (127[.]|::1)' /etc/resolv.conf && command -v resolvconf >/dev/null && "
		   "printf 'nameserver %s\\ndomain internal\\n' | resolvconf -a %%i -p && grep -Eq '^nameserver (127[.]|::1)' "
		   "/etc/resolv.conf; "
		   "then true; else resolvconf -d %%i -f 2>/dev/null; echo 'sixpn: the resolver of this machine cannot ask one "
		   "server for .internal and others for the rest: "
		   "dig @%s NAME AAAA works; see sixpn doctor peer' >&2; fi || true\n",
		   dns, zone, dns, dns);
}

static void add_hooks_all(struct buf *text, const char *dns)
{
	buf_printf(text,
		   "PostUp = if resolvectl dns %%i %s 2>/dev/null; then resolvectl domain %%i '~.'; "
		   "elif command -v resolvconf >/dev/null; then printf 'nameserver %s\\n' | resolvconf -a %%i -m 0 -x; "
		   "else echo 'sixpn: neither systemd-resolved nor resolvconf is here, /etc/resolv.conf stays as it is: "
		   "dig @%s NAME AAAA works; see sixpn doctor peer' >&2; fi || true\n",
		   dns, dns, dns);
}

static void add_linux(const struct peer_file *file, enum peer_dns dns_choice, struct buf *text)
{
	char dns[ADDR_TEXT_LEN], zone[PEER_FILE_ZONE_SIZE];

	addr_text(&file->dns, dns);
	peer_file_reverse_zone(&file->address.address, zone);
	/* above a big underlay (9000 in some clouds) wg-quick would choose more than the rest of the way carries */
	buf_printf(text,
		   "PostUp = ip link show dev %%i | grep -Eq 'mtu 1([0-3][0-9]|4[01])[0-9] |mtu 1420 ' || ip link set dev %%i mtu "
		   "%d || true\n",
		   PEER_FILE_MTU);
	if (dns_choice == PEER_DNS_INTERNAL)
		add_hooks_internal(text, dns, zone);
	else
		add_hooks_all(text, dns);
	buf_add_str(text, "PostDown = command -v resolvconf >/dev/null && resolvconf -d %i -f 2>/dev/null || true\n");
}

/* Where the file itself cannot split, the system can: once, by hand. */
static void add_split_by_hand(const struct peer_file *file, enum peer_form form, struct buf *text)
{
	char dns[ADDR_TEXT_LEN];

	addr_text(&file->dns, dns);
	if (form == PEER_FORM_MACOS)
		buf_printf(text,
			   "# No DNS line: names in .internal only, by this, once, in a terminal:\n"
			   "#   sudo mkdir -p /etc/resolver && echo nameserver %s | sudo tee /etc/resolver/internal\n",
			   dns);
	if (form == PEER_FORM_WINDOWS)
		buf_printf(text,
			   "# No DNS line: names in .internal only, by this, once, in a PowerShell of an administrator:\n"
			   "#   Add-DnsClientNrptRule -Namespace .internal -NameServers %s\n",
			   dns);
}

static void add_interface(const struct peer_file *file, enum peer_form form, enum peer_dns dns, bool comments, struct buf *text)
{
	char address[ADDR_TEXT_LEN];

	buf_add_str(text, "[Interface]\n");
	add_key(text, "PrivateKey", file->private_key, file->has_private);
	buf_printf(text, "Address = %s/%u\n", addr_text(&file->address.address, address), file->address.len);
	if (form == PEER_FORM_LINUX)
		add_linux(file, dns, text);
	else if (dns == PEER_DNS_ALL)
		buf_printf(text, "DNS = %s\n", addr_text(&file->dns, address));
	else if (comments)
		add_split_by_hand(file, form, text);
}

static void add_peer(const struct peer_file *file, enum peer_form form, bool comments, struct buf *text)
{
	char address[ADDR_TEXT_LEN];

	buf_add_str(text, "\n[Peer]\n");
	if (comments && file->gateway[0])
		buf_printf(text, "# gateway %s%s%s\n", file->gateway, file->region[0] ? " in " : "", file->region);
	add_key(text, "PublicKey", file->gateway_key, file->has_gateway_key);
	if (file->has_preshared || file->lacks_preshared)
		add_key(text, "PresharedKey", file->preshared, file->has_preshared);
	buf_add_str(text, "AllowedIPs = ");
	for (size_t i = 0; i < file->n_ips; i++)
		buf_printf(text, "%s%s/%u", i ? ", " : "", addr_text(&file->ips[i].address, address), file->ips[i].len);
	buf_printf(text, "%s\n", peer_form_traits[form].wants_global_route ? ", 2000::/128" : "");
	buf_printf(text, strchr(file->host, ':') ? "Endpoint = [%s]:%u\n" : "Endpoint = %s:%u\n", file->host, file->port);
	buf_printf(text, "PersistentKeepalive = %d\n", PEER_FILE_KEEPALIVE_S);
}

static void add_form(enum peer_form form, enum peer_dns dns, struct buf *text)
{
	buf_printf(text, "# form %s, dns %s\n", peer_form_traits[form].name, dns == PEER_DNS_ALL ? "all" : "internal");
}

void peer_file_write(const struct peer_file *file, enum peer_form form, enum peer_dns dns, bool comments, struct buf *ret_text)
{
	if (comments) {
		buf_printf(ret_text, "# peer %s%s%s%s%s\n", file->name, file->org[0] ? " of " : "", file->org,
			   file->network[0] ? ", network " : "", file->network);
		add_form(form, dns, ret_text);
		if (file->has_private)
			buf_add_str(ret_text, "# Whoever reads this file is this peer. Lost or leaked: sixpn peer rekey\n");
	}
	add_interface(file, form, dns, comments, ret_text);
	add_peer(file, form, comments, ret_text);
}

void peer_file_write_draft(const struct peer_file *file, struct buf *ret_text)
{
	buf_printf(ret_text,
		   "# sixpn: not finished, for the answer to the request for peer %s has not come (yet). It has this key, if it is "
		   "there.\n"
		   "# Look:                 sixpn peer show NAME\n"
		   "# There: finish it by   sixpn peer config NAME --from THIS-FILE -o NEW-FILE\n"
		   "# Not there: remove this file, and ask again.\n",
		   file->name);
	if (file->has_form)
		add_form(file->form, file->dns_choice, ret_text);
	buf_add_str(ret_text, "[Interface]\n");
	add_key(ret_text, "PrivateKey", file->private_key, file->has_private);
	if (file->has_preshared) {
		buf_add_str(ret_text, "[Peer]\n");
		add_key(ret_text, "PresharedKey", file->preshared, true);
	}
	while (ret_text->len < PEER_FILE_TEXT_MAX && !buf_failed(ret_text))
		buf_add_u8(ret_text, '\n');
}
