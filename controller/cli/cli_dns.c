/* cli_dns - `sixpn dns query`: one question to one name server, as a program in an instance would ask it. */
#include "controller/cli/commands.h"

#include "controller/cli/output.h"

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define DEFAULT_SERVER "fdaa::3"

static int set_up(struct cli *cli, ldns_resolver **ret_resolver)
{
	const char *server = cli_value(cli, "server"), *port = cli_value(cli, "port");
	ldns_resolver *resolver = ldns_resolver_new();
	ldns_rdf *address;

	if (!server)
		server = DEFAULT_SERVER;
	address = ldns_rdf_new_frm_str(strchr(server, ':') ? LDNS_RDF_TYPE_AAAA : LDNS_RDF_TYPE_A, server);
	if (!resolver || !address || ldns_resolver_push_nameserver(resolver, address) != LDNS_STATUS_OK) {
		ldns_rdf_deep_free(address);
		ldns_resolver_deep_free(resolver);
		return cli_fail(cli, EXIT_USAGE, "flag_value", "an address, for example --server " DEFAULT_SERVER, "\"%.60s\" is no name server",
				server);
	}
	ldns_rdf_deep_free(address);
	ldns_resolver_set_port(resolver, port ? (uint16_t)atoi(port) : 53);
	ldns_resolver_set_timeout(resolver, (struct timeval){ .tv_sec = 3 });
	ldns_resolver_set_retry(resolver, 2);
	ldns_resolver_set_recursive(resolver, true);
	ldns_resolver_set_usevc(resolver, cli_has(cli, "tcp"));
	*ret_resolver = resolver;
	return 0;
}

static json_t *answers_json(const ldns_pkt *packet)
{
	const ldns_rr_list *list = ldns_pkt_answer(packet);
	json_t *answers = json_array();

	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);
		char *owner = ldns_rdf2str(ldns_rr_owner(rr)), *type = ldns_rr_type2str(ldns_rr_get_type(rr));
		CLEAN_BUF struct buf data = BUF_INIT(1u << 17);

		for (size_t d = 0; d < ldns_rr_rd_count(rr); d++) {
			char *text = ldns_rdf2str(ldns_rr_rdf(rr, d));

			buf_printf(&data, "%s%s", d ? " " : "", text ? text : "");
			free(text);
		}
		json_array_append_new(answers, json_pack("{s:s,s:i,s:s,s:s}", "name", owner, "ttl", (int)ldns_rr_ttl(rr), "type", type, "data",
							 buf_str(&data)));
		free(owner);
		free(type);
	}
	return answers;
}

static int print(struct cli *cli, const ldns_pkt *packet, const char *name)
{
	static const struct cli_column columns[] = { { "NAME", "name" }, { "TTL", "ttl" }, { "TYPE", "type" }, { "DATA", "data" }, { 0 } };
	ldns_pkt_rcode rcode = ldns_pkt_get_rcode(packet);
	CLEAN_JSON json_t *answers = answers_json(packet);
	char *rcode_text = ldns_pkt_rcode2str(rcode);
	bool none = json_array_size(answers) == 0;

	if (cli_has(cli, "json")) {
		CLEAN_JSON json_t *whole = json_pack("{s:s,s:s,s:b,s:I,s:O}", "name", name, "rcode", rcode_text, "authoritative",
						     ldns_pkt_aa(packet), "ms", (json_int_t)ldns_pkt_querytime(packet), "answers", answers);

		output_json(cli, whole);
	} else {
		if (!none)
			output_list(cli, answers, columns, "data");
		cli_note(cli, "%s%s, %u ms", rcode_text, rcode == LDNS_RCODE_NOERROR && none ? ", no data (the name exists, nothing of this type)" : "",
			 (unsigned)ldns_pkt_querytime(packet));
	}
	free(rcode_text);
	if (rcode == LDNS_RCODE_NXDOMAIN)
		return EXIT_NOT_FOUND;
	return rcode == LDNS_RCODE_NOERROR && !none ? EXIT_GOOD : EXIT_REFUSED;
}

int cli_dns_query(struct cli *cli)
{
	const char *name = cli->args[0], *type_text = cli->n_args > 1 ? cli->args[1] : "AAAA";
	ldns_rr_type type = ldns_get_rr_type_by_name(type_text);
	ldns_resolver *resolver = NULL;
	ldns_pkt *packet = NULL;
	ldns_rdf *question;
	int r;

	if (cli_has(cli, "as") || cli_has(cli, "at"))
		return cli_fail(cli, EXIT_REFUSED, "not_in_this_version", "run it inside the instance, or give --server ADDRESS",
				"asking through the controller (--as, --at) is not in this version");
	if (!type)
		return cli_fail(cli, EXIT_USAGE, "usage", "for example AAAA, TXT or A", "\"%.20s\" is no type of record", type_text);
	question = ldns_dname_new_frm_str(name);
	if (!question)
		return cli_fail(cli, EXIT_USAGE, "usage", NULL, "\"%.80s\" is no domain name", name);
	r = set_up(cli, &resolver);
	if (r == 0) {
		if (ldns_resolver_send(&packet, resolver, question, type, LDNS_RR_CLASS_IN, LDNS_RD) != LDNS_STATUS_OK || !packet)
			r = cli_fail(cli, EXIT_UNREACHABLE, "name_server_unreachable", "it answers only inside a 6PN, to addresses of a network",
				     "the name server %s gives no answer", cli_value(cli, "server") ? cli_value(cli, "server") : DEFAULT_SERVER);
		else
			r = print(cli, packet, name);
		ldns_pkt_free(packet);
		ldns_resolver_deep_free(resolver);
	}
	ldns_rdf_deep_free(question);
	return r;
}
