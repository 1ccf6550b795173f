/* settings - see settings.h. */
#include "controller/settings.h"

static const struct config_key keys[] = {
	{ "api", "listen", CONFIG_STR, "127.0.0.1:4280,[::1]:4280", 0, 500, "ADDRESS:PORT of the HTTP API, several separated by commas; plain http, so keep it on loopback or a private network" },
	{ "api", "socket", CONFIG_STR, "/run/sixpn/controller.sock", 0, 100, "local socket of the HTTP API; empty = none" },
	{ "api", "socket_group", CONFIG_STR, "sixpn-admin", 0, 32, "group whose members are operators at the local socket; root always is" },
	{ "api", "host_names", CONFIG_STR, "", 0, 500, "names that clients may use for this controller in the header Host, separated by commas" },
	{ "api", "external_url", CONFIG_STR, "", 0, 250, "URL at which others reach the HTTP API, for links and `sixpn env`; empty = the first address of listen" },
	{ "api", "tls_listen", CONFIG_STR, "", 0, 500, "ADDRESS:PORT of the HTTP API by https, several separated by commas, for example [::]:4283; empty = none" },
	{ "api", "tls_cert", CONFIG_STR, "", 0, 200, "PEM file of the certificate for tls_listen, with those between it and the authority; read again at SIGHUP; empty = one is made here, which clients pin" },
	{ "api", "tls_key", CONFIG_STR, "", 0, 200, "PEM file of its key, which others may not read" },
	{ "api", "connections", CONFIG_INT, "10240", 16, 100000, "connections to the API by TCP; if there are more, the one that has waited longest for its client goes" },
	{ "api", "connections_per_address", CONFIG_INT, "256", 1, 100000, "of these, from one IPv4 address or IPv6 /64" },
	{ "api", "requests_per_address", CONFIG_INT, "200", 0, 1000000, "requests a second from one IPv4 address or IPv6 /64, five times as many at once; loopback is not counted; 0 = no limit" },
	{ "api", "requests_per_token", CONFIG_INT, "500", 0, 1000000, "requests a second with one token of a customer, five times as many at once; 0 = no limit" },
	{ "link", "link_listen", CONFIG_STR, "[::]:4281", 0, 500, "ADDRESS:PORT of the control link, several separated by commas" },
	{ "link", "advertise", CONFIG_STR, "", 0, 500, "HOST:PORT at which nodes reach the control link; it is written into join tokens" },
	{ "store", "path", CONFIG_STR, "/var/lib/sixpn/controller/sixpn.db", 1, 200, "the database; the keys are in the folder keys/ beside it" },
	{ "store", "backup_dir", CONFIG_STR, "", 0, 200, "folder of the backups; empty = backups/ beside the database" },
	{ "log", "log_level", CONFIG_STR, "info", 0, 16, "error, warning, info or debug" },
	{ "log", "window_changes", CONFIG_INT, "65536", 16, 1048576, "how many of the newest changes are kept in memory for nodes that are behind; one that is further behind gets a snapshot" },
	{ "timing", "park_ms", CONFIG_INT, "0", 0, 120000,
	  "how long a node's poll is kept when there is no news; 0 = 20 s, and more the more nodes there are, up to 120 s" },
};

int settings_init(struct config *config)
{
	return config_init(config, keys, ARRAY_LEN(keys));
}
