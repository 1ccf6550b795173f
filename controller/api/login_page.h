/* login_page - the page of a login: one file, no other host, no cookie, nothing stored. Its text is ASCII without backslashes. */
#pragma once

/* What a browser may do here: this script and style (by their hashes, which test_api_login checks), and call us and the program that waits on
 * the person's own machine. No frame around it. */
#define LOGIN_PAGE_POLICY_FORMAT \
	"default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; connect-src 'self' http://127.0.0.1:*; base-uri 'none'; " \
	"form-action 'none'; frame-ancestors 'none'"

extern const char login_page_head[], login_page_style[], login_page_body[], login_page_script[], login_page_end[];
