/* wg_tunnel - see wg_tunnel.h. A process behind the device may die: the device stays, its sessions go. Its pidfd tells the loop, which
 * starts another; the caller gives it the whole configuration again. */
#include "lib/netlink/wg_tunnel.h"

#include "lib/base/crypto.h"
#include "lib/base/log.h"
#include "lib/netlink/rtnl.h"
#include "lib/netlink/sysctl.h"
#include "lib/netlink/wg_genl.h"
#include "lib/netlink/wg_process.h"
#include "lib/netlink/wg_uapi.h"

#include <linux/if_link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RESTART_MS 100
#define LOOK_SILENCE_MS 3000 /* 65,536 peers, the most that wireguard-go takes, are dumped in 1.2 s */
#define LOOK_TIMEOUT_MS 30000
#define UNANSWERED_MAX 3 /* a process that misses one look may only be short of processor time */

struct wg_tunnel {
	struct loop *loop;
	struct rtnl *rtnl;
	struct wg_tunnel_config config;
	char name[IFNAMSIZ], run_dir[96], log_file[200];
	uint8_t private_key[WG_KEY_LEN], public_key[WG_KEY_LEN];
	struct wg_process_config process_config;
	struct wg_process process;
	struct loop_io death;
	struct loop_timer restart;
	enum wg_backend backend;
	bool made;             /* in the kernel: the device is new, and nobody was told yet */
	struct wg_uapi uapi;   /* of the userspace backend */
	struct wg_genl *genl;  /* of the kernel's */
	struct wg wg;
	uint32_t ifindex;
	uint64_t restarts;
	struct wg_look *look;
	bool coming_back;    /* it has none of its peers yet */
	unsigned unanswered; /* looks in a row that the process did not answer */
};

static void tell(struct wg_tunnel *t, enum wg_tunnel_repair what, const char *which, int error)
{
	char object[160];

	snprintf(object, sizeof object, "%s%s", t->name, which);
	t->config.repaired(t->config.ctx, what, object, error);
}

/* ---- making it ---- */

/* A machine whose IPv6 is off by default gives the device none, and without it there is no way into it. Ours alone is switched on;
 * the setting goes with the device. */
static int need_ipv6(struct wg_tunnel *t, bool *ret_was_off)
{
	char name[SYSCTL_NAME_MAX], now[SYSCTL_VALUE_MAX];
	int e;

	snprintf(name, sizeof name, "net/ipv6/conf/%s/disable_ipv6", t->name);
	e = sysctl_read(name, now, sizeof now);
	*ret_was_off = e == 0 && strcmp(now, "0");
	return *ret_was_off ? sysctl_write(name, "0") : e;
}

static int make_kernel_device(struct wg_tunnel *t)
{
	struct rtnl_link link;
	int e = rtnl_link_by_name(t->rtnl, t->name, &link);

	if (e == -ENODEV) {
		e = rtnl_link_add(t->rtnl, t->name, "wireguard", t->config.mtu);
		t->made = t->made || e == 0;
		if (e == 0)
			e = rtnl_link_by_name(t->rtnl, t->name, &link);
	}
	if (e == 0 && strcmp(link.kind, "wireguard"))
		e = -EEXIST;
	if (e == 0)
		t->ifindex = link.ifindex;
	return e;
}

static int make_device(struct wg_tunnel *t)
{
	bool was_off;
	int e = t->backend == WG_BACKEND_KERNEL ? make_kernel_device(t) : wg_process_device(t->name, &t->ifindex);

	/* The kernel forgets this when wireguard-go lets go of the tun, and EINVAL here only says that it never made an address. */
	if (e == 0 && rtnl_link_set_addrgenmode_none(t->rtnl, t->ifindex) < 0)
		log_debug(t->config.area, "%s keeps its address generation mode", t->name);
	if (e == 0)
		e = rtnl_link_set_mtu(t->rtnl, t->ifindex, t->config.mtu);
	return e == 0 ? need_ipv6(t, &was_off) : e;
}

static void process_died(struct loop_io *io, uint32_t revents);

static void watch_process(struct wg_tunnel *t)
{
	int e;

	t->death = (struct loop_io){ .fd = t->process.pidfd, .events = EPOLLIN, .ready = process_died };
	e = loop_add_io(t->loop, &t->death);
	if (e < 0)
		log_err(t->config.area, "wireguard-go cannot be watched: %s", strerror(-e));
}

static int bring_process(struct wg_tunnel *t, bool *ret_started)
{
	int e = wg_process_ensure(&t->process_config, &t->process, ret_started);

	if (e < 0)
		return e;
	log_info(t->config.area, "%s: wireguard-go pid %d %s", t->name, (int)t->process.pid, *ret_started ? "started" : "adopted");
	watch_process(t);
	return 0;
}

/* Whatever of it is there already stays. A device that was made anew has its programs before it is up. */
static int bring_up(struct wg_tunnel *t, bool *ret_started)
{
	int e = make_device(t);

	*ret_started = t->made;
	t->made = false;
	if (e == 0)
		e = t->config.guard(t->config.ctx, t->ifindex);
	if (e == 0 && t->backend == WG_BACKEND_USERSPACE)
		e = bring_process(t, ret_started);
	if (e < 0)
		return e;
	t->unanswered = 0;
	e = rtnl_link_set_up(t->rtnl, t->ifindex, true);
	return e == 0 ? t->config.route(t->config.ctx, t->ifindex) : e;
}

/* ---- coming back ---- */

static void restart_expired(struct loop_timer *timer)
{
	struct wg_tunnel *t = container_of(timer, struct wg_tunnel, restart);
	uint32_t before = t->ifindex;
	struct why why = { 0 };
	bool started;
	int e = t->process.pidfd < 0 ? bring_up(t, &started) : 0;

	if (e == 0)
		e = wg_tunnel_set_device(t);
	if (e == 0)
		e = t->config.replay(t->config.ctx, &why);
	if (t->ifindex != before)
		tell(t, WG_TUNNEL_DEVICE, ", which was gone", e);
	if (e) {
		log_err(t->config.area, "%s cannot be brought back: %s; trying again", t->name, e > 0 ? why.text : strerror(-e));
		if (loop_set_timer_in(t->loop, &t->restart, 10 * RESTART_MS) < 0)
			log_err(t->config.area, "no memory for a timer");
		return;
	}
	t->coming_back = false;
	log_info(t->config.area, "%s: configuration replayed", t->name);
}

static void process_died(struct loop_io *io, uint32_t revents)
{
	struct wg_tunnel *t = container_of(io, struct wg_tunnel, death);

	(void)revents;
	log_err(t->config.area, "%s: wireguard-go (pid %d) has ended; starting it again", t->name, (int)t->process.pid);
	loop_remove_io(&t->death);
	wg_process_release(&t->process);
	t->restarts++;
	t->coming_back = true;
	restart_expired(&t->restart);
}

/* The process comes back by its death, which the loop watches; without one the device comes back by the timer. */
static void end_process(struct wg_tunnel *t)
{
	t->coming_back = true;
	if (t->process.pidfd >= 0)
		syscall(SYS_pidfd_send_signal, t->process.pidfd, SIGKILL, NULL, 0);
	else if (loop_set_timer_in(t->loop, &t->restart, 0) < 0)
		log_err(t->config.area, "no memory for a timer");
}

/* ---- looking ---- */

static int dump_kernel(const char *name, struct wg_observed *ret_observed)
{
	struct wg_genl *genl;
	struct wg wg;
	int e = wg_genl_open(name, &genl);

	if (e < 0)
		return e;
	wg = wg_genl_backend(genl);
	e = wg_observe(&wg, ret_observed);
	wg_genl_free(genl);
	return e;
}

/* In a thread of its own, with nothing of the loop's but the name and what never changes. */
static int dump_apart(void *ctx, const atomic_bool *cancelled, struct wg_observed *ret_observed)
{
	const struct wg_tunnel *t = ctx;
	struct wg_uapi uapi = t->uapi;
	struct wg wg = wg_uapi_backend(&uapi);

	if (t->backend == WG_BACKEND_KERNEL)
		return dump_kernel(t->name, ret_observed);
	uapi.silence_ms = LOOK_SILENCE_MS;
	uapi.timeout_ms = LOOK_TIMEOUT_MS;
	uapi.cancelled = cancelled;
	return wg_observe(&wg, ret_observed);
}

static void look_done(void *ctx, struct wg_look_result *result)
{
	struct wg_tunnel *t = ctx;

	wg_tunnel_looked(t, result->error, &result->observed.device);
	t->config.looked(t->config.ctx, result);
}

int wg_tunnel_look(struct wg_tunnel *t)
{
	return wg_look_start(t->look);
}

/* ---- life ---- */

static void set_config(struct wg_tunnel *t, const struct wg_tunnel_config *config)
{
	t->config = *config;
	snprintf(t->name, sizeof t->name, "%s", config->name);
	snprintf(t->run_dir, sizeof t->run_dir, "%s", config->run_dir);
	snprintf(t->log_file, sizeof t->log_file, "%s", config->log_file ? config->log_file : "");
	memcpy(t->private_key, config->private_key, WG_KEY_LEN);
	crypto_x25519_public(t->private_key, t->public_key);
	t->process_config = (struct wg_process_config){ .name = t->name, .run_dir = t->run_dir, .log_file = t->log_file[0] ? t->log_file : NULL };
	t->config.run_dir = t->config.log_file = t->config.name = NULL; /* ours are copies */
	t->config.private_key = NULL;
}

static int open_backend(struct wg_tunnel *t)
{
	int e = t->backend == WG_BACKEND_KERNEL ? wg_genl_open(t->name, &t->genl) : wg_uapi_init(&t->uapi, t->name, NULL);

	if (e < 0)
		return e;
	if (t->config.patience_ms)
		t->uapi.silence_ms = t->config.patience_ms;
	t->wg = t->backend == WG_BACKEND_KERNEL ? wg_genl_backend(t->genl) : wg_uapi_backend(&t->uapi);
	return 0;
}

int wg_tunnel_new(struct loop *loop, struct rtnl *rtnl, const struct wg_tunnel_config *config, struct wg_tunnel **ret_tunnel, struct why *why)
{
	struct wg_tunnel *t = calloc(1, sizeof *t);
	int e;

	if (!t)
		return -ENOMEM;
	*t = (struct wg_tunnel){ .loop = loop, .rtnl = rtnl, .process = WG_PROCESS_NONE, .restart.expired = restart_expired };
	set_config(t, config);
	e = wg_backend_settle(rtnl, config->backend, config->area, &t->process_config, &t->backend, why);
	if (e == 0)
		e = open_backend(t);
	if (e == 0)
		e = make_device(t);
	if (e < 0)
		e = why_set(why, "device", "", "device %s cannot be made: %s", t->name, strerror(-e));
	if (e == 0 && config->looked)
		e = wg_look_new(loop, dump_apart, look_done, t, &t->look);
	if (e)
		wg_tunnel_free(t);
	else
		*ret_tunnel = t;
	return e;
}

int wg_tunnel_up(struct wg_tunnel *t, bool *ret_started)
{
	bool started;
	int e = bring_up(t, &started);

	if (ret_started)
		*ret_started = started;
	return e;
}

struct wg_tunnel *wg_tunnel_free(struct wg_tunnel *t)
{
	if (!t)
		return NULL;
	wg_look_free(t->look);
	loop_remove_io(&t->death);
	loop_cancel_timer(&t->restart);
	wg_process_release(&t->process);
	wg_genl_free(t->genl);
	crypto_wipe(t->private_key, sizeof t->private_key);
	free(t);
	return NULL;
}

void wg_tunnel_wipe(struct wg_tunnel *t)
{
	loop_remove_io(&t->death);
	loop_cancel_timer(&t->restart);
	if (t->backend == WG_BACKEND_KERNEL) {
		wg_backend_remove_kernel(t->name);
		return;
	}
	wg_process_stop(&t->process_config, &t->process);
	wg_process_device_remove(t->name);
}

uint32_t wg_tunnel_ifindex(const struct wg_tunnel *t)
{
	return t->ifindex;
}

const struct wg *wg_tunnel_wg(const struct wg_tunnel *t)
{
	return &t->wg;
}

const uint8_t *wg_tunnel_public_key(const struct wg_tunnel *t)
{
	return t->public_key;
}

int wg_tunnel_set_device(struct wg_tunnel *t)
{
	return wg_set_device(&t->wg, t->private_key, t->config.port);
}

bool wg_tunnel_answers(const struct wg_tunnel *t)
{
	return !t->unanswered && !t->coming_back;
}

uint64_t wg_tunnel_restarts(const struct wg_tunnel *t)
{
	return t->restarts;
}

/* ---- repair ---- */

static int up_again(struct wg_tunnel *t, uint32_t ifindex)
{
	int e = t->config.guard(t->config.ctx, ifindex);

	if (e == 0)
		e = rtnl_link_set_up(t->rtnl, ifindex, true);
	return e == 0 ? t->config.route(t->config.ctx, ifindex) : e;
}

bool wg_tunnel_repair(struct wg_tunnel *t)
{
	struct rtnl_link link;
	bool was_off;
	int e = rtnl_link_by_name(t->rtnl, t->name, &link);

	if (e == -ENODEV || (e == 0 && link.ifindex != t->ifindex)) {
		log_err(t->config.area, "%s is gone; it is made anew", t->name);
		end_process(t); /* it serves a device that nobody has */
		return false;
	}
	if (e == 0 && link.mtu != t->config.mtu)
		tell(t, WG_TUNNEL_DEVICE, ", which had another MTU", rtnl_link_set_mtu(t->rtnl, link.ifindex, t->config.mtu));
	if (e == 0) {
		e = need_ipv6(t, &was_off); /* the way into it was deleted with its IPv6, and is looked at next */
		if (was_off)
			tell(t, WG_TUNNEL_DEVICE, ", on which IPv6 was off", e);
	}
	if (e == 0 && !(link.flags & IFF_UP)) {
		e = up_again(t, link.ifindex);
		if (e == 0 && t->config.reopened)
			t->config.reopened(t->config.ctx);
		tell(t, WG_TUNNEL_DEVICE, ", which was down", e);
	}
	return e == 0 && (t->backend == WG_BACKEND_KERNEL || t->process.pidfd >= 0);
}

static void not_answered(struct wg_tunnel *t, int error)
{
	char object[96];

	t->unanswered++;
	if (t->backend == WG_BACKEND_KERNEL) {
		log_limited(LOG_L_WARN, t->config.area, "%s: the kernel does not tell of its peers: %s", t->name, strerror(-error));
		return;
	}
	log_limited(LOG_L_WARN, t->config.area, "%s: wireguard-go (pid %d) does not answer: %s", t->name, (int)t->process.pid,
		    strerror(-error));
	if (t->unanswered < UNANSWERED_MAX)
		return;
	snprintf(object, sizeof object, ": wireguard-go (pid %d), which did not answer", (int)t->process.pid);
	tell(t, WG_TUNNEL_PROCESS, object, 0);
	t->unanswered = 0;
	end_process(t);
}

void wg_tunnel_looked(struct wg_tunnel *t, int error, const struct wg_device *device)
{
	if (error < 0) {
		not_answered(t, error);
		return;
	}
	t->unanswered = 0;
	if (!device->has_key || memcmp(device->public_key, t->public_key, WG_KEY_LEN) || device->listen_port != t->config.port)
		tell(t, WG_TUNNEL_DEVICE, ", which had another key or port", wg_tunnel_set_device(t));
}
