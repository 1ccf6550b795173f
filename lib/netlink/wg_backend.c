/* wg_backend - see wg_backend.h. */
#include "lib/netlink/wg_backend.h"
#include "lib/base/log.h"
#include "lib/netlink/rtnl.h"
#include "lib/netlink/wg_genl.h"
#include "lib/netlink/wg_process.h"

#include <string.h>

#define PROBE_NAME "sxprobe"

static const char *const names[] = {
	[WG_BACKEND_AUTO] = "auto", [WG_BACKEND_KERNEL] = "kernel", [WG_BACKEND_USERSPACE] = "userspace",
};

int wg_backend_parse(const char *text, enum wg_backend *ret_backend, struct why *why)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(text, names[i]))
			continue;
		*ret_backend = (enum wg_backend)i;
		return 0;
	}
	return why_set(why, "value_invalid", "backend", "backend = \"%s\": auto, kernel or userspace", text);
}

const char *wg_backend_name(enum wg_backend backend)
{
	return names[backend];
}

int wg_backend_probe(struct rtnl *rtnl, bool *ret_has)
{
	struct rtnl_link probe;
	int e = rtnl_link_add(rtnl, PROBE_NAME, "wireguard", 0);

	if (e == -EOPNOTSUPP) {
		*ret_has = false;
		return 0;
	}
	if (e == 0)
		e = rtnl_link_by_name(rtnl, PROBE_NAME, &probe);
	if (e == 0)
		e = rtnl_link_del(rtnl, probe.ifindex);
	if (e == 0)
		*ret_has = true;
	return e;
}

int wg_backend_decide(enum wg_backend wanted, const struct wg_backend_found *found, const char *device_name,
		      struct wg_backend_choice *ret_choice, struct why *why)
{
	enum wg_backend fresh = found->kernel_has ? WG_BACKEND_KERNEL : WG_BACKEND_USERSPACE, backend = wanted;
	bool keeps = found->device == WG_DEVICE_KERNEL || (found->device == WG_DEVICE_TUN && found->served);

	if (found->device == WG_DEVICE_OTHER)
		return why_set(why, "device_taken", "device", "the name %s belongs to a device that is neither WireGuard nor a tun: remove or "
			       "rename it", device_name);
	if (wanted == WG_BACKEND_KERNEL && !found->kernel_has)
		return why_set(why, "backend_missing", "backend", "backend = kernel, but this kernel makes no device of kind wireguard (its "
			       "module is not there, or may not be loaded); auto and userspace work without");
	if (wanted == WG_BACKEND_AUTO && keeps)
		backend = found->device == WG_DEVICE_KERNEL ? WG_BACKEND_KERNEL : WG_BACKEND_USERSPACE;
	else if (wanted == WG_BACKEND_AUTO)
		backend = fresh;
	*ret_choice = (struct wg_backend_choice){
		.backend = backend,
		.replace = found->device == (backend == WG_BACKEND_KERNEL ? WG_DEVICE_TUN : WG_DEVICE_KERNEL),
		.kept = wanted == WG_BACKEND_AUTO && backend != fresh,
	};
	return 0;
}

/* ---- the effects ---- */

static int look(struct rtnl *rtnl, enum wg_backend wanted, const struct wg_process_config *config, struct wg_backend_found *ret_found)
{
	struct wg_process process = WG_PROCESS_NONE;
	struct rtnl_link link;
	int e = rtnl_link_by_name(rtnl, config->name, &link);

	if (e < 0 && e != -ENODEV)
		return e;
	if (e == 0)
		ret_found->device = !strcmp(link.kind, "wireguard") ? WG_DEVICE_KERNEL : !strcmp(link.kind, "tun") ? WG_DEVICE_TUN : WG_DEVICE_OTHER;
	if (ret_found->device == WG_DEVICE_TUN)
		ret_found->served = wg_process_find(config, &process) == 0;
	wg_process_release(&process);
	if (ret_found->device == WG_DEVICE_KERNEL)
		ret_found->kernel_has = true;
	else if (wanted != WG_BACKEND_USERSPACE) /* who does not want the kernel's does not make it load a module */
		return wg_backend_probe(rtnl, &ret_found->kernel_has);
	return 0;
}

int wg_backend_remove_kernel(const char *device_name)
{
	struct wg_genl *genl;
	int e = wg_genl_open(device_name, &genl);

	if (e == 0) {
		struct wg wg = wg_genl_backend(genl);

		e = wg_reconcile(&wg, NULL, 0, NULL, NULL);
		wg_genl_free(genl);
	}
	return e < 0 && e != -ENODEV ? e : wg_process_device_remove(device_name);
}

static int remove_other(const struct wg_process_config *config, enum wg_backend backend)
{
	struct wg_process process = WG_PROCESS_NONE;
	int e = 0;

	if (backend == WG_BACKEND_USERSPACE)
		return wg_backend_remove_kernel(config->name);
	if (wg_process_find(config, &process) == 0)
		e = wg_process_stop(config, &process);
	wg_process_release(&process);
	return e < 0 ? e : wg_process_device_remove(config->name);
}

int wg_backend_remove(struct rtnl *rtnl, const struct wg_process_config *config)
{
	struct rtnl_link link;
	int e = rtnl_link_by_name(rtnl, config->name, &link);

	if (e < 0)
		return e == -ENODEV ? 0 : e; /* a process that lost its device ends by itself; one that has it elsewhere is not ours */
	if (!strcmp(link.kind, "wireguard"))
		return wg_backend_remove_kernel(config->name);
	return strcmp(link.kind, "tun") ? -EEXIST : remove_other(config, WG_BACKEND_KERNEL);
}

static void say(const char *area, const char *device, enum wg_backend wanted, const struct wg_backend_found *found,
		const struct wg_backend_choice *choice)
{
	const char *where = choice->backend == WG_BACKEND_KERNEL ? "in the kernel" : "in userspace (wireguard-go)";
	bool lacks = choice->backend == WG_BACKEND_USERSPACE && wanted == WG_BACKEND_AUTO && !found->kernel_has;

	if (choice->replace)
		log_warn(area, "%s: WireGuard %s from now on; the device of the other backend is removed, and its sessions end", device, where);
	else if (choice->kept)
		log_info(area, "%s: WireGuard %s, as it is at work; this kernel has WireGuard too, and backend = kernel would change to it (that "
			 "ends the sessions)", device, where);
	else
		log_info(area, "%s: WireGuard %s%s", device, where, lacks ? "; this kernel has none" : "");
}

int wg_backend_settle(struct rtnl *rtnl, enum wg_backend wanted, const char *area, const struct wg_process_config *config,
		      enum wg_backend *ret_backend, struct why *why)
{
	struct wg_backend_found found = { 0 };
	struct wg_backend_choice choice;
	int e = look(rtnl, wanted, config, &found);

	if (e == 0)
		e = wg_backend_decide(wanted, &found, config->name, &choice, why);
	if (e)
		return e;
	say(area, config->name, wanted, &found, &choice);
	if (choice.replace)
		e = remove_other(config, choice.backend);
	if (e == 0)
		*ret_backend = choice.backend;
	return e;
}
