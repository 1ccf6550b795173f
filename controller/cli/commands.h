/* commands - the verbs that the table (table.c) names, by file cli_<noun>.c. */
#pragma once
#include "controller/cli/cli.h"

int cli_init(struct cli *cli);
int cli_status(struct cli *cli);
int cli_events(struct cli *cli);
int cli_version(struct cli *cli);
int cli_whoami(struct cli *cli);
int cli_env_command(struct cli *cli);
int cli_login(struct cli *cli);
int cli_logout(struct cli *cli);
int cli_context_create(struct cli *cli);
int cli_context_list(struct cli *cli);
int cli_context_use(struct cli *cli);
int cli_context_delete(struct cli *cli);
int cli_completion(struct cli *cli);
int cli_dns_query(struct cli *cli);
int cli_region_create(struct cli *cli);
int cli_region_update(struct cli *cli);
int cli_node_join(struct cli *cli);
int cli_node_errors(struct cli *cli);
int cli_node_release_held(struct cli *cli);
int cli_node_update(struct cli *cli);
int cli_node_drain(struct cli *cli);
int cli_node_undrain(struct cli *cli);
int cli_node_move_peers(struct cli *cli);
int cli_node_token_create(struct cli *cli);
int cli_org_create(struct cli *cli);
int cli_org_update(struct cli *cli);
int cli_org_suspend(struct cli *cli);
int cli_org_resume(struct cli *cli);
int cli_network_create(struct cli *cli);
int cli_rule_create(struct cli *cli);
int cli_rule_accept(struct cli *cli);
int cli_app_create(struct cli *cli);
int cli_ip_create(struct cli *cli);
int cli_user_create(struct cli *cli);
int cli_member_add(struct cli *cli);
int cli_member_update(struct cli *cli);
int cli_instance_create(struct cli *cli);
int cli_instance_update(struct cli *cli);
int cli_instance_start(struct cli *cli);
int cli_instance_stop(struct cli *cli);
int cli_instance_restart(struct cli *cli);
int cli_peer_create(struct cli *cli);
int cli_peer_status(struct cli *cli);
int cli_peer_update(struct cli *cli);
int cli_peer_rekey(struct cli *cli);
int cli_peer_move(struct cli *cli);
int cli_peer_config(struct cli *cli);
int cli_peer_prune(struct cli *cli);
int cli_doctor_peer(struct cli *cli);
int cli_token_create(struct cli *cli);
int cli_backup_create(struct cli *cli);
int cli_backup_verify(struct cli *cli);
int cli_backup_restore(struct cli *cli);
int cli_store_check(struct cli *cli);
int cli_audit_head(struct cli *cli);
int cli_audit_verify(struct cli *cli);

/* A line per event of an array. */
void events_print(struct cli *cli, const json_t *events);
/* A request whose reply holds a secret in "token": the place first, then the request; body is taken. */
int cli_create_secret(struct cli *cli, const char *path, json_t *body, const char *what);
/* GET /v1/peers/{what ref means}/status; 0 or an exit status. */
int cli_peer_status_get(struct cli *cli, const char *ref, json_t **ret_status);
/* "38 s", "3 min", "5 h", "2 days". */
void peer_age_text(long long s, struct buf *ret_text);
/* "30m", "12h", "7d" of a flag as a number of seconds in the body; "never" is 0, or nothing for a new one. 0 or an exit status. */
int cli_peer_add_time(struct cli *cli, json_t *body, const char *flag, const char *field);
/* --region, --gateway, --strict and --now of a move. 0 or an exit status. */
int cli_peer_add_target(struct cli *cli, json_t *body);
