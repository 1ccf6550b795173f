/* settings - see settings.h. */
#include "node/settings.h"

#include "lib/dns/upstreams.h"
#include "lib/netlink/wg_backend.h"
#include "lib/sixpn/addr.h"
#include "lib/sixpn/name.h"
#include "lib/sixpn/record.h"

#include <arpa/inet.h>
#include <string.h>

static const struct config_key keys[] = {
	{ "node", "roles", CONFIG_STR, "host", 0, 64, "host, gateway, or both separated by a comma" },
	{ "node", "name", CONFIG_STR, "", 0, 63, "wanted name; empty = host name" },
	{ "node", "endpoint", CONFIG_STR, "auto", 0, 500, "ADDRESS:PORT other nodes dial, several separated by commas; auto = the address of the default route" },
	{ "node", "state_dir", CONFIG_STR, "/var/lib/sixpn/node", 0, 200, "folder of the state file, the identity and the keys" },
	{ "node", "run_dir", CONFIG_STR, "/run/sixpn", 0, 80, "folder of sockets and of per-instance files" },
	{ "node", "repair_interval_ms", CONFIG_INT, "2000", 100, 3600000, "how often the kernel is compared with what it must be" },
	{ "node", "join", CONFIG_SECRET_FILE, "", 0, 200, "file that holds a join token; used once, when this machine is not a node yet" },
	{ "controller", "address", CONFIG_STR, "", 0, 500, "HOST:PORT of the controller, several separated by commas; empty = from the join token" },
	{ "mesh", "port", CONFIG_INT, "51821", 1, 65535, "UDP port of the mesh" },
	{ "gateway", "gateway_host", CONFIG_STR, "", 0, 253, "host name or address customers' WireGuard dials; must be set with the role gateway. A name can be led to another machine" },
	{ "gateway", "gateway_port", CONFIG_INT, "51820", 1, 65535, "UDP port of customers' WireGuard" },
	{ "wireguard", "backend", CONFIG_STR, "auto", 0, 16, "auto, kernel or userspace (wireguard-go); auto = the kernel's where it has one, but a device at work stays what it is" },
	{ "bpf", "attach", CONFIG_STR, "auto", 0, 16, "auto, tcx or clsact" },
	{ "bpf", "pin_dir", CONFIG_STR, "/sys/fs/bpf/sixpn", 0, 200, "folder of the pins, on a bpffs" },
	{ "bpf", "mark", CONFIG_INT, "107", 1, 255, "nfmark of packets that our programs have judged (0x6b)" },
	{ "bpf", "mark_mask", CONFIG_INT, "255", 1, 4294967295LL, "bits of the nfmark that are ours (0xff)" },
	{ "bpf", "underlay", CONFIG_STR, "auto", 0, 200, "uplinks on which fdaa::/16 from outside is dropped; auto = those with an address that is an endpoint" },
	{ "firewall", "manage", CONFIG_BOOL, "yes", 0, 0, "put \"accept our mark\" into foreign chains that drop what we forward" },
	{ "firewall", "transit", CONFIG_STR, "auto", 0, 8, "forward IPv6 that is not the 6PN's: auto = if the machine did before the node came; yes; no" },
	{ "dns", "listen", CONFIG_STR, "fdaa::3", 0, 45, "address of the name server: fdaa::3, or the ::3 of one network" },
	{ "dns", "questions_per_second", CONFIG_INT, "20000", 0, 1000000, "of one instance or peer, by UDP, beyond a burst of 4096; what is more is dropped; 0 = no limit" },
	{ "dns", "forward", CONFIG_STR, "auto", 0, 500, "where names outside the 6PN are resolved: ADDRESS[:PORT], several separated by commas; auto = the name servers of /etc/resolv.conf; off" },
	{ "dns", "forward_cache_mib", CONFIG_INT, "16", 1, 1024, "memory for forwarded answers, in MiB" },
	{ "dns", "forward_mix_case", CONFIG_BOOL, "yes", 0, 0, "ask upstreams in rANdom letters, so that replies are harder to forge; no = for one that keeps neither letters nor TCP" },
	{ "agent", "shim_path", CONFIG_STR, "", 0, 200, "path of sixpn-shim; empty = beside sixpn-node" },
	{ "metrics", "metrics_listen", CONFIG_STR, "[::1]:4282", 0, 250, "ADDRESS:PORT of GET /metrics, several separated by commas; empty = none" },
	{ "log", "log_level", CONFIG_STR, "info", 0, 16, "error, warning, info or debug" },
};

int settings_init(struct config *config)
{
	return config_init(config, keys, ARRAY_LEN(keys));
}

/* Where the name server answers (lib/dns/answer.c). Anything else, a wildcard above all, would take a place of the machine's own. */
static bool is_resolver(const struct in6_addr *a)
{
	struct in6_addr resolver = addr_resolver();
	struct addr_parts parts;

	if (addr_split(a, &parts) != 0)
		return false;
	if (parts.network)
		resolver = addr_network_resolver(parts.network);
	return (!parts.network || addr_network_valid(parts.network)) && !memcmp(a, &resolver, sizeof resolver);
}

int settings_check(const struct config *config, struct why *why)
{
	const char *forward = config_str(config, "forward"), *listen = config_str(config, "listen");
	const char *host = config_str(config, "gateway_host");
	struct dns_upstreams upstreams;
	enum wg_backend backend;
	struct in6_addr own;
	int e = wg_backend_parse(config_str(config, "backend"), &backend, why);

	if (e)
		return e;
	if (inet_pton(AF_INET6, listen, &own) != 1)
		return why_set(why, "value_invalid", "listen", "listen = \"%s\" is not an IPv6 address", listen);
	if (!is_resolver(&own))
		return why_set(why, "value_invalid", "listen", "listen = \"%s\": nobody is answered there, only at fdaa::3 (or at the ::3 of "
			       "one network)", listen);
	if (host[0] && name_check_hostname("gateway_host", host, why))
		return E_REFUSED;
	if (config_int(config, "gateway_port") == config_int(config, "port"))
		return why_set(why, "value_invalid", "gateway_port", "gateway_port and port (of the mesh) are both %d", (int)config_int(config, "port"));
	if (!strcmp(forward, "auto") || !strcmp(forward, "off"))
		return 0;
	return dns_upstreams_parse(forward, &own, &upstreams, why);
}

int settings_check_roles(const struct config *config, uint32_t role_bits, struct why *why)
{
	if (role_bits & ROLE_GATEWAY && !config_str(config, "gateway_host")[0])
		return why_set(why, "value_missing", "gateway_host", "a gateway needs gateway_host = the name (or address) that customers' "
			       "WireGuard dials");
	return 0;
}
