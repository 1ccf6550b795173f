/* cli_ip - private addresses that apps reserve. */
#include "controller/cli/commands.h"

#include "controller/cli/output.h"

int cli_ip_create(struct cli *cli)
{
	json_t *body = json_object();
	int r;

	cli_body_strings(cli, body, (const char *const[]){ "org", "app", "network", NULL });
	r = cli_write(cli, "POST", "/v1/ips", body, "reserved");
	if (r == 0)
		cli_note(cli, "nothing answers there yet: this version has no proxy");
	return r;
}
