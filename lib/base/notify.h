/* notify - tells whoever set NOTIFY_SOCKET (systemd, Type=notify) how the daemon is doing: sd_notify(3) without its library. */
#pragma once

/* "READY=1", "STOPPING=1", "WATCHDOG=1" ... Without NOTIFY_SOCKET nothing happens; a failure is logged and survived. */
void notify_send(const char *state);
