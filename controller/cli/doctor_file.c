/* doctor_file - the file of the peer, and what this machine needs to bring it up. */
#include "controller/cli/doctor_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static void check_mode(struct doctor *d)
{
	unsigned mode = 0;

	if (d->ops->file_mode(d->ctx, d->path, &mode) < 0)
		return; /* reading it says why */
	if (mode & 077)
		doctor_say(d, DOCTOR_FAIL, "file-mode", "chmod 600 it; if others may have read it: sixpn peer rekey",
			   "%.120s can be read by others (mode %04o): whoever has it is this peer", d->path, mode & 07777);
	else
		doctor_say(d, DOCTOR_OK, "file-mode", NULL, "%.120s is yours alone (mode %04o)", d->path, mode & 07777);
}

static void check_name(struct doctor *d)
{
	char proposal[300], next[400];
	struct why why;

	peer_file_interface(d->path, d->interface, sizeof d->interface);
	if (peer_file_check_path(d->path, PEER_FORM_LINUX, proposal, sizeof proposal, &why) == 0)
		return;
	snprintf(next, sizeof next, "mv it to %.300s", proposal);
	doctor_say(d, DOCTOR_FAIL, "file-name", next, "%s", why.text);
}

static void check_content(struct doctor *d)
{
	if (!d->file.has_private)
		doctor_say(d, DOCTOR_FAIL, "file-key",
			   "put the key of the machine that made it there, or: sixpn peer rekey NAME -o NEW-FILE",
			   "the file has no private key");
	if (!d->file.has_gateway_key || !d->file.port)
		doctor_say(d, DOCTOR_FAIL, "file-unfinished", "sixpn peer config NAME --from THIS-FILE -o NEW-FILE",
			   "the file is not finished: it names no gateway");
	else if (!d->file.address.len)
		doctor_say(d, DOCTOR_FAIL, "file-address", "sixpn peer config NAME --from THIS-FILE -o NEW-FILE",
			   "the file has no address of a 6PN");
	else
		d->parsed = true;
}

void doctor_check_file(struct doctor *d)
{
	CLEAN_BUF struct buf text = BUF_INIT(PEER_FILE_READ_MAX + 1);
	struct why why;
	int r = d->ops->read_file(d->ctx, d->path, &text);

	check_mode(d);
	if (r < 0) {
		doctor_say(d, DOCTOR_FAIL, "file", r == -EACCES ? "sudo sixpn doctor peer FILE" : NULL, "cannot read %.120s: %s",
			   d->path, strerror(-r));
		return;
	}
	check_name(d);
	r = peer_file_parse(buf_str(&text), text.len, &d->file, &why);
	if (text.data)
		crypto_wipe(text.data, text.cap);
	if (r) {
		doctor_say(d, DOCTOR_FAIL, "file", "sixpn peer config NAME -o NEW-FILE writes it again", "%.120s: %s", d->path,
			   why.text);
		return;
	}
	inet_ntop(AF_INET6, &d->file.dns, d->dns, sizeof d->dns);
	check_content(d);
}

static bool there_is(struct doctor *d, const char *program, const char *argument)
{
	CLEAN_BUF struct buf text = BUF_INIT(1u << 16);

	return DOCTOR_RUN(d, &text, program, argument) != -ENOENT;
}

static bool kernel_can(struct doctor *d)
{
	CLEAN_BUF struct buf text = BUF_INIT(1u << 16);
	unsigned mode;

	return d->ops->file_mode(d->ctx, "/sys/module/wireguard", &mode) == 0 ||
	       DOCTOR_RUN(d, &text, "modprobe", "-n", "-q", "wireguard") == 0;
}

void doctor_check_programs(struct doctor *d)
{
	bool resolvconf;

	if (!there_is(d, "wg", "--version") || !there_is(d, "wg-quick", "--help"))
		doctor_say(d, DOCTOR_FAIL, "programs", "apt install wireguard-tools", "wg or wg-quick is not here");
	else
		doctor_say(d, DOCTOR_OK, "programs", NULL, "wg and wg-quick are here");
	if (kernel_can(d))
		doctor_say(d, DOCTOR_OK, "wireguard", NULL, "this kernel has WireGuard");
	else if (there_is(d, "wireguard-go", "--version"))
		doctor_say(d, DOCTOR_OK, "wireguard", NULL, "this kernel has no WireGuard; wireguard-go is here, which is slower");
	else
		doctor_say(d, DOCTOR_FAIL, "wireguard", "apt install wireguard-go, or boot a kernel that has it",
			   "nothing here speaks WireGuard");
	resolvconf = !d->file.has_dns_line || there_is(d, "resolvconf", "--version");
	if (!resolvconf)
		doctor_say(d, DOCTOR_FAIL, "dns-line",
			   "sixpn peer config NAME --from THIS-FILE --form linux -o NEW-FILE has none; or: apt install openresolv",
			   "the file has a DNS line, and no resolvconf is here: wg-quick will fail (status 127) and take the "
			   "tunnel down again");
}

static bool is_one(struct doctor *d, const char *path)
{
	CLEAN_BUF struct buf text = BUF_INIT(4096);

	return d->ops->read_file(d->ctx, path, &text) == 0 && buf_str(&text)[0] == '1';
}

void doctor_check_ipv6(struct doctor *d)
{
	char path[120];
	unsigned mode;

	snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", d->interface);
	if (d->ops->file_mode(d->ctx, "/proc/sys/net/ipv6", &mode) == -ENOENT)
		doctor_say(d, DOCTOR_FAIL, "ipv6", "boot without ipv6.disable=1", "this kernel runs without IPv6");
	else if (is_one(d, "/proc/sys/net/ipv6/conf/all/disable_ipv6") || is_one(d, "/proc/sys/net/ipv6/conf/default/disable_ipv6"))
		doctor_say(d, DOCTOR_FAIL, "ipv6",
			   "sysctl -w net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0, and wherever it is "
			   "set in /etc/sysctl.d",
			   "IPv6 is disabled on this machine: the tunnel cannot have its address");
	else if (is_one(d, path))
		doctor_say(d, DOCTOR_FAIL, "ipv6", "wg-quick down, then up", "IPv6 is disabled on %s", d->interface);
	else
		doctor_say(d, DOCTOR_OK, "ipv6", NULL, "IPv6 is enabled (the tunnel needs it inside, not outside)");
}
