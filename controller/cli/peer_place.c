/* peer_place - see peer_place.h. */
#include "controller/cli/peer_place.h"

#include "controller/cli/qr.h"
#include "lib/base/file.h"

#include <string.h>
#include <unistd.h>

/* Flags first; what they leave open is as in the file that is made anew. */
static int choose_form(struct cli *cli, struct peer_place *place)
{
	const struct peer_file *old = place->file.has_form && !place->qr ? &place->file : NULL;
	const char *form = cli_value(cli, "form"), *dns = cli_value(cli, "dns");
	enum peer_dns wanted = PEER_DNS_DEFAULT;
	struct why why;

#ifdef __APPLE__
	place->form = PEER_FORM_MACOS;
#else
	place->form = PEER_FORM_LINUX;
#endif
	place->form = place->qr ? PEER_FORM_ANDROID /* a picture is for a phone */ : old ? old->form : place->form;
	if (form && peer_form_parse(form, &place->form) < 0)
		return cli_fail(cli, EXIT_USAGE, "flag_value", "linux, macos, windows, android or ios", "--form is \"%.40s\"",
				form);
	if (old && old->form == place->form)
		wanted = old->dns_choice;
	if (dns && peer_dns_parse(dns, &wanted) < 0)
		return cli_fail(cli, EXIT_USAGE, "flag_value", "internal: names of the network only; all: every name",
				"--dns is \"%.40s\"", dns);
	if (peer_dns_choose(place->form, wanted, &place->dns, &why) != 0)
		return cli_fail(cli, EXIT_USAGE, why.code, NULL, "%s", why.text);
	return 0;
}

static int check_path(struct cli *cli, const struct peer_place *place, const char *path)
{
	char proposal[4096], hint[4200];
	struct why why;

	if (!path || !strcmp(path, "-") || peer_file_check_path(path, place->form, proposal, sizeof proposal, &why) == 0)
		return 0;
	snprintf(hint, sizeof hint, "the name of the file becomes that of the tunnel; for example: -o %.4000s", proposal);
	return cli_fail(cli, EXIT_USAGE, why.code, hint, "%s", why.text);
}

int peer_place_follow(struct cli *cli, struct peer_place *place)
{
	int r = choose_form(cli, place);

	return r ? r : check_path(cli, place, cli_value(cli, "o"));
}

int peer_place_choose(struct cli *cli, struct peer_place *place)
{
	const char *path = cli_value(cli, "o");

	*place = (struct peer_place){ .secret.fd = -1, .qr = cli_has(cli, "qr") };
	if (place->qr && !cli->out_is_terminal && !cli_has(cli, "dry-run"))
		return cli_fail(cli, EXIT_REFUSED, "secret_to_readable_file", "run it on a terminal, or use -o FILE",
				"a QR code that holds a private key is drawn on a terminal only");
	if (place->qr && path && !strcmp(path, "-"))
		return cli_fail(cli, EXIT_USAGE, "usage", NULL, "--qr and -o - both want standard output");
	place->to_out = !place->qr && (!path || !strcmp(path, "-"));
	if (place->to_out && (cli_has(cli, "json") || cli_has(cli, "tsv") || cli_has(cli, "q")) && !cli_has(cli, "dry-run"))
		return cli_fail(cli, EXIT_USAGE, "usage", "add -o FILE",
				"the file of the peer and --json, --tsv or -q cannot both go to standard output");
	if (cli_has(cli, "from"))
		return choose_form(cli, place); /* the file that is read may say another, and that has a say about the name */
	return peer_place_follow(cli, place);
}

/* A full disk has to show before the request does anything. */
static int write_draft(struct cli *cli, struct peer_place *place)
{
	CLEAN_BUF struct buf text = BUF_INIT(2 * PEER_FILE_TEXT_MAX);
	int r;

	place->file.has_form = true;
	place->file.form = place->form;
	place->file.dns_choice = place->dns;
	peer_file_write_draft(&place->file, &text);
	r = buf_failed(&text) ? -ENOMEM : file_write_all(place->secret.fd, text.data, text.len);
	if (text.data)
		crypto_wipe(text.data, text.cap);
	if (r == 0 && fsync(place->secret.fd) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	secret_abandon(&place->secret);
	return cli_fail(cli, EXIT_REFUSED, "file_unwritable", "nothing was asked of the controller", "cannot write %s: %s",
			place->secret.path, strerror(-r));
}

int peer_place_prepare(struct cli *cli, struct peer_place *place)
{
	const char *path = cli_value(cli, "o");
	int r;

	place->holds_key = place->file.has_private || place->file.has_preshared;
	if (cli_has(cli, "dry-run") || (place->to_out && !place->holds_key) || (place->qr && !path))
		return 0;
	r = secret_prepare(cli, "a private key", &place->secret);
	if (r || place->secret.fd < 0)
		return r;
	file_sync_dir_of(place->secret.path);
	return write_draft(cli, place);
}

static int write_over(struct peer_place *place, const struct buf *text)
{
	int fd = place->secret.fd, r;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	r = file_write_all(fd, text->data, text->len); /* the blocks are there: the draft was longer */
	if (r == 0 && (ftruncate(fd, (off_t)text->len) < 0 || fsync(fd) < 0))
		r = -errno;
	return r;
}

int peer_place_take(struct cli *cli, struct peer_place *place, const json_t *peer)
{
	CLEAN_BUF struct buf text = BUF_INIT(PEER_FILE_TEXT_MAX);
	struct why why;
	int r = 0;

	if (peer_file_from_reply(&place->file, peer, &why) != 0)
		return cli_fail(cli, EXIT_PARTLY, why.code, NULL,
				"the peer is there, but no file can be made of what the controller says: %s", why.text);
	if (place->secret.fd < 0)
		return 0;
	peer_file_write(&place->file, place->form, place->dns, true, &text);
	r = buf_failed(&text) ? -ENOMEM : write_over(place, &text);
	if (text.data)
		crypto_wipe(text.data, text.cap);
	if (r < 0)
		return cli_fail(cli, EXIT_PARTLY, "file_unwritable", NULL, "the peer is there, but %s cannot be written: %s",
				place->secret.path, strerror(-r));
	return 0;
}

/* What is printed is all there is of it: a full disk or a closed pipe must not take it away in silence. */
static int end_output(struct cli *cli, const struct peer_place *place)
{
	errno = 0;
	if (fflush(cli->out) == 0 && !ferror(cli->out))
		return 0;
	return cli_fail(cli, EXIT_PARTLY, "file_unwritable",
			place->holds_key ? "the key is lost: sixpn peer rekey NAME -o FILE gives the peer another" : "ask again: sixpn peer config NAME",
			"cannot write to standard output: %s", errno ? strerror(errno) : "it failed");
}

static int draw(struct cli *cli, struct peer_place *place)
{
	CLEAN_BUF struct buf text = BUF_INIT(PEER_FILE_TEXT_MAX);
	int r;

	peer_file_write(&place->file, place->form, place->dns, false, &text);
	r = buf_failed(&text) ? -ENOMEM : qr_print(buf_str(&text), cli->out);
	if (text.data)
		crypto_wipe(text.data, text.cap);
	if (r < 0)
		return cli_fail(cli, EXIT_PARTLY, "qr_failed", "sixpn peer rekey gives it another key",
				"cannot draw the QR code: %s", strerror(-r));
	if (end_output(cli, place))
		return EXIT_PARTLY;
	if (place->secret.fd < 0)
		cli_note(cli, "The private key exists only in this picture. Lost it?  sixpn peer rekey %s", place->file.name);
	return 0;
}

static int print_file(struct cli *cli, struct peer_place *place)
{
	CLEAN_BUF struct buf text = BUF_INIT(PEER_FILE_TEXT_MAX);

	peer_file_write(&place->file, place->form, place->dns, true, &text);
	fputs(buf_str(&text), cli->out);
	if (text.data)
		crypto_wipe(text.data, text.cap);
	return end_output(cli, place);
}

static void tell_next(struct cli *cli, struct peer_place *place)
{
	const char *path = place->secret.path;
	char name[64];

	cli_note(cli, "wrote %s (0600)%s", path,
		 place->dns == PEER_DNS_INTERNAL ? ", DNS for .internal only" : ", all DNS through the tunnel");
	peer_file_interface(path, name, sizeof name);
	if (place->form == PEER_FORM_LINUX)
		cli_note(cli, "  up:    sudo wg-quick up %s%s        check: sixpn doctor peer %s",
			 path[0] == '/' || path[0] == '.' ? "" : "./", path, path);
	else if (place->form == PEER_FORM_MACOS && place->dns == PEER_DNS_ALL)
		cli_note(cli, "  while the tunnel is up all names are asked there; only .internal: --dns internal");
}

int peer_place_finish(struct cli *cli, struct peer_place *place)
{
	int r = 0;

	if (place->secret.fd >= 0 && place->file.has_gateway_key)
		tell_next(cli, place);
	if (place->qr && place->file.has_gateway_key)
		r = draw(cli, place);
	else if (place->to_out && place->file.has_gateway_key)
		r = print_file(cli, place);
	peer_place_keep(place);
	return r;
}

void peer_place_abandon(struct peer_place *place)
{
	secret_abandon(&place->secret);
	peer_file_wipe(&place->file);
}

void peer_place_keep(struct peer_place *place)
{
	if (place->secret.fd >= 0)
		close(place->secret.fd);
	place->secret.fd = -1;
	peer_file_wipe(&place->file);
}
