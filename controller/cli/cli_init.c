/* cli_init - `sixpn init`: the first operator token, through the local socket. */
#include "controller/cli/commands.h"

#include "controller/cli/context.h"
#include "controller/cli/output.h"
#include "controller/cli/request.h"
#include "lib/base/crypto.h"

#include <string.h>

static void tell_region(struct cli *cli, const json_t *region)
{
	double latitude = json_number_value(json_object_get(region, "latitude"));
	double longitude = json_number_value(json_object_get(region, "longitude"));

	fprintf(cli->out, "region %-8s created     %s, %.2f %c %.2f %c   (from the built-in list)\n",
		json_string_value(json_object_get(region, "name")), json_string_value(json_object_get(region, "city")),
		latitude < 0 ? -latitude : latitude, latitude < 0 ? 'S' : 'N', longitude < 0 ? -longitude : longitude,
		longitude < 0 ? 'W' : 'E');
}

/* How others get here: only with this line does a person elsewhere know that it is this controller. */
static void tell_certificate(struct cli *cli, const json_t *access)
{
	const json_t *certificate = json_object_get(access, "certificate");
	const char *pin = json_string_value(json_object_get(certificate, "pin"));

	if (pin)
		fprintf(cli->out, "certificate     %s %s   until %.10s\n", json_is_true(json_object_get(certificate, "self_made")) ? "self-made  " : "your files ",
			pin, json_string_value(json_object_get(certificate, "not_after")));
	if (pin && json_is_true(json_object_get(certificate, "self_made")))
		cli_note(cli, "elsewhere:  sixpn context create NAME --url https://ADDRESS:PORT --pin %s --token-file FILE", pin);
}

static void tell(struct cli *cli, const json_t *body, const char *saved)
{
	const json_t *region = json_object_get(body, "region");

	fprintf(cli->out, "controller key  %s\n", json_string_value(json_object_get(body, "controller_key")));
	tell_certificate(cli, json_object_get(body, "access"));
	if (json_is_object(region))
		tell_region(cli, region);
	fprintf(cli->out, "you are         operator    %s\n", saved);
	if (json_is_object(region))
		cli_note(cli, "\nNext:  sixpn node token create --region %s     join machines",
			 json_string_value(json_object_get(region, "name")));
	else
		cli_note(cli, "\nNext:  sixpn region create ord     (or another place), then sixpn node token create --region ord");
}

static int keep(struct cli *cli, struct secret_place *place, const json_t *body)
{
	const char *token = json_string_value(json_object_get(body, "token"));
	struct context context = { 0 };
	char saved[4200];
	int r;

	if (!token)
		return cli_fail(cli, EXIT_PARTLY, "unexpected_reply", NULL, "the controller gave no token");
	if (cli_has(cli, "o")) {
		r = secret_write(cli, place, token);
		snprintf(saved, sizeof saved, "token in %s", cli_value(cli, "o"));
	} else {
		snprintf(context.url, sizeof context.url, "unix:%s", context_socket(cli));
		snprintf(context.token, sizeof context.token, "%s", token);
		r = secret_write_context(cli, place, "local", &context);
		crypto_wipe(&context, sizeof context);
		snprintf(saved, sizeof saved, "context \"local\" saved in %s", place->final_path);
	}
	if (r == 0 && !(cli_has(cli, "o") && !strcmp(cli_value(cli, "o"), "-")))
		tell(cli, body, saved);
	return r;
}

int cli_init(struct cli *cli)
{
	struct request_reply reply;
	struct secret_place place;
	json_t *body = json_object();
	int r = cli_has(cli, "o") ? secret_prepare(cli, "the operator token", &place) : secret_prepare_context(cli, &place);

	if (r) {
		json_decref(body);
		return r;
	}
	cli->local = true;
	cli_body_strings(cli, body, (const char *const[]){ "region", NULL });
	r = request_send(cli, "POST", "/v1/init", body, false, &reply);
	if (r == 0) {
		r = keep(cli, &place, reply.body);
		request_reply_deinit(&reply);
	}
	secret_abandon(&place);
	return r;
}
