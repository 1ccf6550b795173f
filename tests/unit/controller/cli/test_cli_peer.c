/* `sixpn peer` against a faked controller: where the private key goes and where it never goes, and what is left when something fails
 * half way. */
#include "controller/cli/peer_file.h"
#include "tests/unit/controller/cli/cli_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define GATEWAY_KEY "Z2F0ZXdheWdhdGV3YXlnYXRld2F5Z2F0ZXdheWdhdGU="
#define PEER_WITH(key, gateway, more)                                                                                              \
	"{\"id\":\"aa\",\"name\":\"laptop\",\"org\":\"acme\",\"network\":\"default\",\"region\":\"ord\",\"gateway\":\"" gateway    \
	"\","                                                                                                                      \
	"\"endpoint\":\"" gateway ".example.net:51820\",\"gateway_public_key\":\"" GATEWAY_KEY "\","                               \
	"\"prefix\":\"fdaa:1:2a:ae03:2:0:a:100/120\",\"address\":\"fdaa:1:2a:ae03:2:0:a:102\",\"allowed_ips\":[\"fdaa:1:2a::/"     \
	"48\"],"                                                                                                                   \
	"\"dns\":\"fdaa:1:2a::3\",\"public_key\":\"" key "\",\"preshared\":false" more "}"
#define DONE ",\"v\":7,\"applied\":true,\"nodes\":4,\"unknown\":[],\"laggards\":[],\"errors\":[],\"held\":[]"
#define LATE                                                                                                                       \
	",\"v\":7,\"applied\":false,\"nodes\":4,\"unknown\":[],\"laggards\":[\"ord-1\"],\"errors\":[],\"held\":[],\"continue\":"   \
	"\"/v1/wait?v=7&first_v=6\""
#define PEER PEER_WITH(THE_KEY, "ord-1", DONE ",\"warnings\":[]")

static const char *path_of(const struct fixture *f, const char *name, char ret[160])
{
	snprintf(ret, 160, "%s/%s", f->dir, name);
	return ret;
}

static int run_with(struct fixture *f, const char *words, const char *file)
{
	char text[512], path[160];

	snprintf(text, sizeof text, "%s %s", words, path_of(f, file, path));
	return run(f, text);
}

/* The file as it is on the disk; fails if it is not there or its mode is not 0600. */
static struct buf read_back(struct fixture *f, const char *name, struct peer_file *ret_file)
{
	struct buf text = BUF_INIT(PEER_FILE_READ_MAX);
	char path[160];
	struct stat st;
	struct why why;

	assert_int_equal(stat(path_of(f, name, path), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(file_read(path, PEER_FILE_READ_MAX, &text), 0);
	if (peer_file_parse(buf_str(&text), text.len, ret_file, &why) != 0)
		fail_msg("%s", why.text);
	return text;
}

static bool is_there(struct fixture *f, const char *name)
{
	char path[160];

	return access(path_of(f, name, path), F_OK) == 0;
}

static void key_texts(const struct peer_file *file, char ret_private[45], char ret_public[45])
{
	uint8_t public_key[32];

	assert_true(file->has_private);
	crypto_x25519_public(file->private_key, public_key);
	crypto_base64(file->private_key, 32, ret_private);
	crypto_base64(public_key, 32, ret_public);
}

static void never_sent(struct fixture *f, const char *secret)
{
	for (size_t i = 0; i < f->n_requests; i++)
		assert_null(strstr(f->exchanges[i].request, secret));
	assert_null(strstr(f->err, secret));
}

static void the_key_is_made_here_and_only_its_public_half_leaves(void **state)
{
	struct fixture *f = *state;
	char private_key[45], public_key[45];
	struct peer_file file;

	answer(f, 201, PEER);
	assert_int_equal(run_with(f, "peer create --org acme laptop --region ord --expires 2h -o", "laptop.conf"), 0);
	CLEAN_BUF struct buf text = read_back(f, "laptop.conf", &file);
	key_texts(&file, private_key, public_key);
	has(request(f, 0), "POST /v1/peers?wait=applied&timeout=1000ms ");
	has(request(f, 0), "\"org\":\"acme\"");
	has(request(f, 0), "\"name\":\"laptop\"");
	has(request(f, 0), "\"region\":\"ord\"");
	has(request(f, 0), "\"expires_in_s\":7200");
	has(request(f, 0), public_key);
	never_sent(f, private_key);
	assert_null(strstr(f->out, private_key));
	has(f->out, "peer laptop  fdaa:1:2a:ae03:2:0:a:100/120  ord-1  created");
	has(f->err, "sudo wg-quick up ");
	has(buf_str(&text), "Endpoint = ord-1.example.net:51820");
	assert_string_equal(file.host, "ord-1.example.net");
}

static void two_peers_have_two_keys(void **state)
{
	struct fixture *f = *state;
	struct peer_file a, b;

	answer(f, 201, PEER);
	answer(f, 201, PEER);
	assert_int_equal(run_with(f, "peer create laptop -o", "a.conf"), 0);
	assert_int_equal(run_with(f, "peer create laptop -o", "b.conf"), 0);
	CLEAN_BUF struct buf text_a = read_back(f, "a.conf", &a), text_b = read_back(f, "b.conf", &b);
	assert_memory_not_equal(a.private_key, b.private_key, 32);
}

static void a_fallback_is_said_on_standard_error(void **state)
{
	struct fixture *f = *state;

	answer(f, 201, PEER_WITH(THE_KEY, "ord-1", DONE ",\"warnings\":[\"nrt has no gateway; the nearest that has one is ord\"]"));
	assert_int_equal(run_with(f, "peer create --org acme laptop --region nrt -o", "laptop.conf"), 0);
	has(f->err, "note: nrt has no gateway; the nearest that has one is ord\n");
	assert_null(strstr(f->out, "nrt has no gateway"));
}

static void a_name_that_does_not_fit_is_said_as_it_is_in_dns(void **state)
{
	struct fixture *f = *state;

	answer(f, 201, PEER_WITH(THE_KEY, "ord-1", ",\"label\":\"laptop\"" DONE));
	assert_int_equal(run_with(f, "peer create laptop -o", "a.conf"), 0);
	assert_null(strstr(f->err, "_peer.internal"));
	answer(f, 201, PEER_WITH(THE_KEY, "ord-1", ",\"label\":\"static-laptop-1a2b3c\"" DONE));
	assert_int_equal(run_with(f, "peer create laptop -o", "b.conf"), 0);
	has(f->err, "in names it is called static-laptop-1a2b3c._peer.internal\n");
}

static void a_refusal_leaves_no_file_and_a_file_that_is_there_no_request(void **state)
{
	struct fixture *f = *state;

	answer(f, 409, "{\"error\":{\"code\":\"name_taken\",\"message\":\"taken\"}}");
	assert_int_equal(run_with(f, "peer create laptop -o", "laptop.conf"), 1);
	assert_false(is_there(f, "laptop.conf"));
	answer(f, 201, PEER);
	assert_int_equal(run_with(f, "peer create laptop -o", "laptop.conf"), 0);
	assert_int_equal(run_with(f, "peer create laptop -o", "laptop.conf"), 1);
	has(f->err, "code: file_exists");
	assert_int_equal(run_with(f, "peer create laptop -o", "none/laptop.conf"), 1);
	assert_int_equal(f->n_requests, 2);
}

static void a_link_that_is_there_is_not_followed(void **state)
{
	struct fixture *f = *state;
	char link[160], target[160];

	assert_int_equal(symlink(path_of(f, "target", target), path_of(f, "laptop.conf", link)), 0);
	assert_int_equal(run_with(f, "peer create laptop -o", "laptop.conf"), 1);
	assert_int_equal(f->n_requests, 0);
	assert_false(is_there(f, "target"));
}

static void no_umask_opens_the_file_or_locks_its_owner_out(void **state)
{
	static const mode_t masks[] = { 0, 0777 };
	struct fixture *f = *state;
	struct peer_file file;

	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		mode_t old = umask(masks[i]);
		const char *name = i ? "b.conf" : "a.conf";

		answer(f, 201, PEER);
		assert_int_equal(run_with(f, "peer create laptop -o", name), 0);
		umask(old);
		CLEAN_BUF struct buf text = read_back(f, name, &file);
	}
}

static void a_lost_answer_is_looked_for_and_the_file_finished(void **state)
{
	struct fixture *f = *state;
	struct peer_file file;

	for (int i = 0; i < 3; i++)
		answer(f, HANGS_UP, "");
	answer(f, 200, PEER_WITH(THE_KEY, "ord-1", ""));
	assert_int_equal(run_with(f, "peer create --org acme laptop -o", "laptop.conf"), 0);
	has(request(f, 3), "GET /v1/peers/laptop?org=acme ");
	has(f->err, "the answer was lost, but it was done");
	CLEAN_BUF struct buf text = read_back(f, "laptop.conf", &file);
	assert_true(file.has_gateway_key);
}

static void an_unknown_outcome_keeps_the_key_and_says_what_to_do(void **state)
{
	struct fixture *f = *state;
	char private_key[45], public_key[45], path[160], words[512];
	struct peer_file draft, whole;

	for (int i = 0; i < 4; i++) /* three times the peer, once the look for it */
		answer(f, HANGS_UP, "");
	assert_int_equal(run_with(f, "peer create laptop -o", "laptop.conf"), 5);
	has(f->err, "it is not known whether the controller has done it");
	has(f->err, "sixpn peer show laptop");
	snprintf(words, sizeof words, "sixpn peer config laptop --from %s -o NEW-FILE", path_of(f, "laptop.conf", path));
	has(f->err, words);
	CLEAN_BUF struct buf text = read_back(f, "laptop.conf", &draft);
	key_texts(&draft, private_key, public_key);
	never_sent(f, private_key);

	/* it was done: what was said to do finishes the file */
	answer(f, 200, PEER_WITH(THE_KEY, "ord-1", ""));
	answer(f, 200, PEER_WITH(THE_KEY, "ord-1", ""));
	answer(f, 200, PEER_WITH(THE_KEY, "ord-1", ""));
	snprintf(words, sizeof words, "peer config laptop --from %s -o", path);
	assert_int_equal(run_with(f, words, "new.conf"), 0);
	CLEAN_BUF struct buf text2 = read_back(f, "new.conf", &whole);
	assert_memory_equal(whole.private_key, draft.private_key, 32);
	assert_true(whole.has_gateway_key);
	never_sent(f, private_key);
}

static void somebody_elses_peer_of_that_name_is_not_taken_for_ours(void **state)
{
	struct fixture *f = *state;
	struct peer_file draft;

	for (int i = 0; i < 3; i++)
		answer(f, HANGS_UP, "");
	answer(f, 200, PEER_WITH(GATEWAY_KEY, "ord-1", ""));
	assert_int_equal(run_with(f, "peer create laptop -o", "laptop.conf"), 5);
	CLEAN_BUF struct buf text = read_back(f, "laptop.conf", &draft);
	assert_false(draft.has_gateway_key);
}

static void a_controller_that_is_not_there_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* bound, not listening: refused */

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	snprintf(f->url, sizeof f->url, "SIXPN_URL=http://127.0.0.1:%u", ntohs(a.sin_port));
	assert_int_equal(run_with(f, "peer create laptop -o", "laptop.conf"), 5);
	assert_false(is_there(f, "laptop.conf"));
	close(fd);
}

static void a_name_that_is_no_interface_is_refused_with_one_that_is(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "peer create laptop -o /tmp/my-office-laptop-in-berlin.conf"), 2);
	has(f->err, "for example: -o /tmp/my-office.conf");
	has(f->err, "code: file_name_invalid");
	assert_int_equal(run(f, "peer create laptop -o /tmp/laptop"), 2);
	assert_int_equal(f->n_requests, 0);
}

static void a_key_goes_to_no_output_that_others_read(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "peer create laptop"), 1);
	has(f->err, "code: secret_to_readable_file");
	assert_int_equal(run(f, "peer create laptop --qr"), 1);
	has(f->err, "code: secret_to_readable_file");
	assert_int_equal(run(f, "peer rekey laptop --json"), 2);
	assert_int_equal(f->n_requests, 0);
}

/* As `sixpn peer create laptop > FILE` from a shell. */
static int run_redirected(struct fixture *f, const char *words, const char *name, unsigned mode)
{
	char text[256], *argv[16] = { (char *)(uintptr_t) "sixpn" }, *rest = text, path[160];
	struct cli cli = { .env = f->env, .in = stdin };
	int argc = 1, r, fd = open(path_of(f, name, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(fchmod(fd, mode), 0);
	free(f->err);
	cli.out = fdopen(fd, "w");
	cli.err = open_memstream(&f->err, &f->err_len);
	snprintf(text, sizeof text, "%s", words);
	while (rest)
		argv[argc++] = strsep(&rest, " ");
	r = cli_main(&cli, argc, argv);
	fclose(cli.out);
	fclose(cli.err);
	return r;
}

static void a_redirect_is_taken_only_if_nobody_else_can_read_it(void **state)
{
	static const char *const words[] = { "peer create laptop", "peer create laptop -o -" };
	struct fixture *f = *state;
	struct peer_file file;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		assert_int_equal(run_redirected(f, words[i], "open.conf", 0644), 1);
		has(f->err, "refusing to write a private key to a file that others can read (standard output, mode 0644)");
		has(f->err, "code: secret_to_readable_file");
	}
	assert_int_equal(f->n_requests, 0);
	answer(f, 201, PEER);
	assert_int_equal(run_redirected(f, "peer create laptop", "closed.conf", 0600), 0);
	CLEAN_BUF struct buf text = read_back(f, "closed.conf", &file); /* the file and nothing else */
	assert_true(file.has_private && file.has_gateway_key);
	assert_int_equal(strncmp(buf_str(&text), "# peer laptop", 13), 0);
}

/* To standard output as it is, which nobody can write to. */
static void a_key_that_could_not_be_printed_is_said_to_be_lost(void **state)
{
	static const char *const words[] = { "peer create laptop -o -", "peer create laptop --qr" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		char text[64], *argv[10] = { (char *)(uintptr_t) "sixpn" }, *rest = text;
		struct cli cli = { .env = f->env, .out = fopen("/dev/full", "w"), .out_is_terminal = true };
		int argc = 1;

		answer(f, 201, PEER);
		free(f->err);
		cli.err = open_memstream(&f->err, &f->err_len);
		snprintf(text, sizeof text, "%s", words[i]);
		while (rest)
			argv[argc++] = strsep(&rest, " ");
		assert_int_equal(cli_main(&cli, argc, argv), 7);
		fclose(cli.out);
		fclose(cli.err);
		has(f->err, "cannot write to standard output: No space left on device");
		has(f->err, "sixpn peer rekey");
	}
}

static void text_that_is_not_utf8_is_refused_and_not_left_out(void **state)
{
	static const char *const words[] = { "peer create lap\xff -o -", "peer create laptop --region or\xff -o -",
					     "peer prune --org \xff --never-used --yes", "instance create --app a --region ord -- /bin/\xff" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		assert_int_equal(run(f, words[i]), 2);
		has(f->err, "code: not_utf8");
	}
	assert_int_equal(f->n_requests, 0);
}

/* The token goes where the URL says: "continue" of a reply is a path there, and no "@ELSEWHERE". */
static void a_reply_cannot_send_the_token_elsewhere(void **state)
{
	struct fixture *f = *state;
	char body[4096];

	snprintf(body, sizeof body,
		 "{\"name\":\"laptop\",\"applied\":false,\"v\":7,\"nodes\":4,\"laggards\":[\"ord-1\"],\"continue\":\"@127.0.0.1:%s/elsewhere\"}",
		 strrchr(f->url, ':') + 1);
	answer(f, 200, "{}");
	answer(f, 202, body);
	assert_int_equal(run(f, "peer update laptop --suspended yes"), 6);
	assert_int_equal(f->n_requests, 2);
	has(f->err, "behind:  ord-1");
}

/* "sixpn instance delete $ID --yes" in a script that has none: a beginning of any name, and so of the only one. */
static void an_empty_name_means_nobody(void **state)
{
	static const char *const words[] = { "instance delete  --yes", "peer delete  --yes", "peer create  -o -" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		answer(f, 200, "{\"items\":[{\"id\":\"00000000000001\",\"name\":\"laptop\"}]}");
		answer(f, 200, "{}");
		assert_int_equal(run(f, words[i]), 2);
		has(f->err, "a name is empty");
	}
	assert_int_equal(f->n_requests, 0);
}

/* A page that somebody else gives, as in a hotel's network, deletes nothing and lists nothing. */
static void a_200_without_an_object_is_no_success(void **state)
{
	static const char *const pages[] = { "", "<html>welcome</html>", "[]" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		answer(f, 200, pages[i]);
		assert_int_equal(run(f, "peer list"), 5);
		has(f->err, "code: unexpected_reply");
		answer(f, 200, "{}");
		answer(f, 200, pages[i]);
		assert_int_equal(run(f, "peer delete laptop --yes"), 5);
		has(f->err, "code: unexpected_reply");
		assert_string_equal(f->out, "");
	}
}

static void a_controller_cannot_give_commands_to_the_terminal(void **state)
{
	struct fixture *f = *state;

	answer(f, 409, "{\"error\":{\"code\":\"a\\u001b[2J\",\"message\":\"b\\u001b]0;x\\u0007\\nc\",\"hint\":\"\\u001b[1m\",\"field\":\"\\u001b\"}}");
	assert_int_equal(run(f, "peer create laptop -o -"), 1);
	answer(f, 200, "{}");
	answer(f, 202, "{\"name\":\"laptop\",\"applied\":false,\"v\":7,\"nodes\":4,\"laggards\":[\"\\u001b[2J\",5],\"observed\":\"\\u001b\"}");
	has(f->err, "error: b?]0;x??c\n");
	assert_null(strchr(f->err, 0x1b));
	assert_int_equal(run(f, "peer update laptop --suspended yes"), 6);
	has(f->err, "behind:  ?[2J, 5");
	assert_null(strchr(f->err, 0x1b));
	answer(f, 201, PEER_WITH(THE_KEY, "\\u001b[2J", ""));
	assert_int_equal(run(f, "peer create laptop -o -"), 7);
	has(f->err, "endpoint");
	assert_null(strchr(f->err, 0x1b));
	answer(f, 404, "{}");
	answer(f, 200, "{\"items\":[{\"name\":\"\\u001b[2J\"}]}");
	assert_int_equal(run(f, "peer show x"), 3);
	has(f->err, "peers: ?[2J");
	assert_null(strchr(f->err, 0x1b));
}

static void a_terminal_gets_the_file_or_a_picture(void **state)
{
	struct fixture *f = *state;

	answer(f, 201, PEER);
	assert_int_equal(run_on(f, true, NULL, "peer create laptop"), 0);
	has(f->out, "[Interface]\nPrivateKey = ");
	answer(f, 201, PEER);
	assert_int_equal(run_on(f, true, NULL, "peer create laptop --qr"), 0);
	has(f->out, "\u2580");
	assert_null(strstr(f->out, "PrivateKey"));
	has(f->err, "The private key exists only in this picture");
}

static void a_gateway_that_fell_silent_meanwhile_is_not_in_the_file(void **state)
{
	struct fixture *f = *state;
	struct peer_file file;

	answer(f, 202, PEER_WITH(THE_KEY, "ord-1", LATE ",\"warnings\":[]"));
	answer(f, 200, "{\"applied\":true,\"v\":9,\"nodes\":4,\"unknown\":[],\"laggards\":[],\"errors\":[],\"held\":[]}");
	answer(f, 200, PEER_WITH(THE_KEY, "ord-2", ""));
	assert_int_equal(run_with(f, "peer create laptop -o", "laptop.conf"), 0);
	has(f->err, "waiting for gateway ord-1 ...");
	CLEAN_BUF struct buf text = read_back(f, "laptop.conf", &file);
	assert_string_equal(file.host, "ord-2.example.net");
}

static void a_reply_that_makes_no_file_exits_7_and_keeps_the_key(void **state)
{
	struct fixture *f = *state;
	struct peer_file file;

	answer(f, 201,
	       "{\"name\":\"laptop\",\"address\":\"fdaa:1:2a:ae03:2:0:a:102\",\"dns\":\"fdaa:1:2a::3\",\"allowed_ips\":[\"::/"
	       "0\"]}");
	assert_int_equal(run_with(f, "peer create laptop --no-wait -o", "laptop.conf"), 7);
	has(f->err, "code: prefix_foreign");
	has(f->err, "  later:  sixpn peer config laptop --from ");
	assert_null(strstr(f->err, "it is not known"));
	CLEAN_BUF struct buf text = read_back(f, "laptop.conf", &file);
	assert_false(file.has_gateway_key);
}

static void rekey_makes_another_key_for_the_same_peer(void **state)
{
	struct fixture *f = *state;
	char private_key[45], public_key[45];
	struct peer_file file;

	answer(f, 200, PEER_WITH(GATEWAY_KEY, "ord-1", ""));
	answer(f, 200, PEER);
	assert_int_equal(run_with(f, "peer rekey laptop --org acme --preshared -o", "laptop2.conf"), 0);
	CLEAN_BUF struct buf text = read_back(f, "laptop2.conf", &file);
	key_texts(&file, private_key, public_key);
	has(request(f, 1), "POST /v1/peers/laptop/rekey?org=acme&wait=applied");
	has(request(f, 1), public_key);
	has(request(f, 1), "\"preshared_key\":");
	assert_true(file.has_preshared);
	never_sent(f, private_key);
}

static void is_shown_after_an_interrupt(struct fixture *f)
{
	assert_int_equal(run(f, "peer create laptop -o -"), 130);
	has(f->out, "PrivateKey = ");
	has(f->out, "Endpoint = ord-1.example.net:51820\n");
	assert_null(strstr(f->out, "PUT-THE-PRIVATE-KEY-HERE"));
	has(f->err, "sixpn peer delete laptop");
	has(f->err, "code: interrupted");
	assert_null(strstr(f->err, "PrivateKey"));
}

static void an_interrupt_while_it_is_waited_for_does_not_take_the_key_away(void **state)
{
	struct fixture *f = *state;

	answer(f, 202, PEER_WITH(THE_KEY, "ord-1", LATE));
	answer(f, INTERRUPTS, "{}");
	is_shown_after_an_interrupt(f);
	assert_int_equal(f->n_requests, 2); /* nothing is asked after it */
}

static void an_interrupt_while_it_is_asked_for_does_not_take_the_key_away(void **state)
{
	struct fixture *f = *state;

	answer(f, INTERRUPTS, "{}"); /* and the answer says nothing: the peer itself does */
	answer(f, 200, PEER_WITH(THE_KEY, "ord-1", ""));
	is_shown_after_an_interrupt(f);
}

static void no_preshared_key_is_said_as_null(void **state)
{
	struct fixture *f = *state;

	answer(f, 200, PEER_WITH(GATEWAY_KEY, "ord-1", ""));
	answer(f, 200, PEER);
	assert_int_equal(run_with(f, "peer rekey laptop --org acme --no-preshared -o", "laptop2.conf"), 0);
	has(request(f, 1), "\"preshared_key\":null");
	answer(f, 200, PEER_WITH(GATEWAY_KEY, "ord-1", ""));
	answer(f, 200, PEER);
	assert_int_equal(run_with(f, "peer rekey laptop --org acme -o", "laptop3.conf"), 0);
	assert_null(strstr(request(f, 3), "preshared_key"));
	assert_int_equal(run_with(f, "peer rekey laptop --org acme --preshared --no-preshared -o", "laptop4.conf"), 2);
	assert_int_equal(f->n_requests, 4);
}

static void config_without_the_key_says_how_to_merge_and_is_no_secret(void **state)
{
	struct fixture *f = *state;

	answer(f, 200, PEER);
	answer(f, 200, PEER);
	assert_int_equal(run(f, "peer config laptop"), 0);
	has(f->out, "PrivateKey = PUT-THE-PRIVATE-KEY-HERE\n");
	has(f->err, "--from OLD-FILE");
}

static void the_key_of_another_peer_is_not_merged(void **state)
{
	struct fixture *f = *state;
	char words[256], path[160];

	answer(f, 201, PEER);
	assert_int_equal(run_with(f, "peer create laptop -o", "laptop.conf"), 0);
	for (int i = 0; i < 2; i++)
		answer(f, 200, PEER_WITH(GATEWAY_KEY, "ord-1", ""));
	snprintf(words, sizeof words, "peer config laptop --from %s -o", path_of(f, "laptop.conf", path));
	assert_int_equal(run_with(f, words, "new.conf"), 1);
	has(f->err, "code: key_differs");
	assert_false(is_there(f, "new.conf"));
}

static void a_move_writes_the_new_file_with_the_old_key_or_says_the_two_lines(void **state)
{
	struct fixture *f = *state;
	char words[256], path[160];
	struct peer_file before, after;

	answer(f, 201, PEER);
	assert_int_equal(run_with(f, "peer create laptop -o", "laptop.conf"), 0);
	CLEAN_BUF struct buf text = read_back(f, "laptop.conf", &before);
	answer(f, 200, PEER);
	answer(f, 200, PEER);
	answer(f, 200, PEER_WITH(THE_KEY, "nrt-1", DONE ",\"warnings\":[]"));
	snprintf(words, sizeof words, "peer move laptop --region nrt --from %s -o", path_of(f, "laptop.conf", path));
	assert_int_equal(run_with(f, words, "new.conf"), 0);
	has(request(f, 3), "POST /v1/peers/laptop/move?wait=applied");
	has(request(f, 3), "{\"region\":\"nrt\"}");
	CLEAN_BUF struct buf text2 = read_back(f, "new.conf", &after);
	assert_memory_equal(before.private_key, after.private_key, 32);
	assert_memory_equal(&before.address, &after.address, sizeof before.address);
	assert_string_equal(after.host, "nrt-1.example.net");

	answer(f, 200, PEER);
	answer(f, 200, PEER_WITH(THE_KEY, "nrt-1", DONE ",\"warnings\":[]"));
	assert_int_equal(run(f, "peer move laptop --region nrt"), 0);
	has(f->err, "  PublicKey = " GATEWAY_KEY "\n  Endpoint = nrt-1.example.net:51820");
}

/* What was made for Windows without a DNS line is made anew so, under a name that only Windows takes; a flag says otherwise. */
static void a_file_that_is_made_anew_keeps_its_form(void **state)
{
	static const struct {
		const char *flags;
		enum peer_form form;
		enum peer_dns dns;
	} rows[] = { { "", PEER_FORM_WINDOWS, PEER_DNS_INTERNAL },
		     { "--dns all", PEER_FORM_WINDOWS, PEER_DNS_ALL },
		     { "--form linux", PEER_FORM_LINUX, PEER_DNS_INTERNAL } };
	struct fixture *f = *state;
	char words[300], path[160];
	struct peer_file file;

	answer(f, 201, PEER);
	assert_int_equal(run_with(f, "peer create laptop --form windows --dns internal -o", "laptop-of-the-office.conf"), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char name[40];

		snprintf(name, sizeof name, i < 2 ? "another-one-for-windows-%zu.conf" : "new%zu.conf", i);
		for (int n = 0; n < 3; n++)
			answer(f, 200, PEER);
		snprintf(words, sizeof words, "peer config laptop --from %s %s%s-o", path_of(f, "laptop-of-the-office.conf", path), rows[i].flags,
			 *rows[i].flags ? " " : "");
		assert_int_equal(run_with(f, words, name), 0);
		CLEAN_BUF struct buf text = read_back(f, name, &file);
		assert_true(file.has_form && file.form == rows[i].form && file.dns_choice == rows[i].dns);
		assert_int_equal(file.has_post_up, rows[i].form == PEER_FORM_LINUX);
	}
}

static void status_speaks_from_the_side_of_the_peer(void **state)
{
	struct fixture *f = *state;

	answer(f, 200, PEER);
	answer(f, 200,
	       "{\"peer\":\"laptop\",\"state\":\"online\",\"endpoint\":\"198.51.100.7:41641\",\"handshake_age_s\":38,\"rx_bytes\":"
	       "1258291,"
	       "\"tx_bytes\":512,\"gateway\":\"ord-1\",\"gateway_live\":true,\"state_age_ms\":3100}");
	assert_int_equal(run(f, "peer status laptop --org acme"), 0);
	has(request(f, 1), "GET /v1/peers/laptop/status?org=acme ");
	assert_string_equal(f->out, "laptop  online  handshake 38 s ago  from 198.51.100.7:41641  via ord-1\n"
				    "  sent 1.2 MiB, received 512 B; as the gateway said 3 s ago\n");
	answer(f, 200, PEER);
	answer(f, 200,
	       "{\"peer\":\"laptop\",\"state\":\"never\",\"endpoint\":null,\"handshake_age_s\":null,\"gateway\":\"ord-1\","
	       "\"gateway_live\":false}");
	assert_int_equal(run(f, "peer status laptop"), 0);
	has(f->out, "laptop  never  no handshake yet  via ord-1 (the controller does not hear it)\n");
}

static void all_peers_of_a_gateway_move_by_the_hundred_until_none_is_left(void **state)
{
	struct fixture *f = *state;

	answer(f, 200, "{\"name\":\"gw-1\"}");
	answer(f, 200, "{\"node\":\"gw-1\",\"moved\":100,\"left\":3,\"on_their_way\":100" DONE "}");
	answer(f, 200, "{\"node\":\"gw-1\",\"moved\":3,\"left\":0,\"on_their_way\":103" DONE "}");
	assert_int_equal(run(f, "node move-peers gw-1 --region ord --now"), 0);
	has(request(f, 2), "POST /v1/nodes/gw-1/move-peers?wait=applied");
	has(request(f, 2), "{\"region\":\"ord\",\"now\":true}");
	assert_string_equal(f->out, "node gw-1  103 peers told to move, 103 on their way, 0 stay\n");
	assert_int_equal(f->n_requests, 3);
	answer(f, 200, "{\"name\":\"gw-1\"}");
	answer(f, 200, "{\"node\":\"gw-1\",\"moved\":0,\"left\":2,\"on_their_way\":0" DONE "}"); /* nowhere to go: no second try */
	assert_int_equal(run(f, "node move-peers gw-1 --region ord"), 7);
	has(f->err, "2 peers stay at gw-1");
	assert_int_equal(f->n_requests, 5);
	assert_int_equal(run(f, "node move-peers gw-1"), 2);
}

static void prune_wants_its_reason_its_org_and_a_yes(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "peer prune --org acme --yes"), 2);
	assert_int_equal(run(f, "peer prune --never-used --yes"), 2);
	assert_int_equal(f->n_requests, 0);
	answer(f, 200, "{\"dry_run\":true,\"pruned\":[\"old-1\",\"old-2\"],\"count\":2,\"more\":false}");
	assert_int_equal(run(f, "peer prune --org acme --never-used --older-than 2d"), 2); /* nobody is there to type */
	has(f->err, "  old-1\n  old-2\nthis deletes these peers of acme");
	has(request(f, 0), "POST /v1/peers/prune?dry_run=1 ");
	has(request(f, 0), "\"older_than_s\":172800");
	has(request(f, 0), "\"never_used\":true");
	assert_int_equal(f->n_requests, 1);
	answer(f, 200, "{\"pruned\":[\"old-1\"],\"count\":1,\"more\":false" DONE "}");
	assert_int_equal(run(f, "peer prune --org acme --never-used --yes"), 0);
	assert_string_equal(f->out, "old-1\n");
	has(request(f, 1), "POST /v1/peers/prune?wait=applied");
	answer(f, 200, "{\"dry_run\":true,\"pruned\":[],\"count\":0,\"more\":false}");
	assert_int_equal(run(f, "peer prune --org acme --never-used"), 0);
	assert_int_equal(f->n_requests, 3);
}

static void a_dry_run_makes_no_file(void **state)
{
	struct fixture *f = *state;

	answer(f, 200, "{\"dry_run\":true}");
	assert_int_equal(run_with(f, "peer create laptop --dry-run -o", "laptop.conf"), 0);
	has(request(f, 0), "dry_run=1");
	assert_false(is_there(f, "laptop.conf"));
}

static void a_key_that_was_made_elsewhere_stays_elsewhere(void **state)
{
	struct fixture *f = *state;

	answer(f, 201, PEER);
	assert_int_equal(run(f, "peer create router --public-key " GATEWAY_KEY), 0);
	has(request(f, 0), "\"public_key\":\"" GATEWAY_KEY "\"");
	has(f->out, "PrivateKey = PUT-THE-PRIVATE-KEY-HERE\n");
	assert_int_equal(run(f, "peer create router --public-key nonsense"), 2);
	assert_int_equal(f->n_requests, 1);
}

/* As root, or as root of a user namespace. */
static bool may_mount(void)
{
	char map[32];

	snprintf(map, sizeof map, "0 %u 1", getuid());
	return unshare(CLONE_NEWNS) == 0 || (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && file_put("/proc/self/uid_map", map) == 0);
}

/* A file system of four blocks, in a namespace of its own: in a child, for what it mounts and becomes is its own. */
static int on_a_full_disk(struct fixture *f)
{
	char full[160], filler[200];
	int fd, r;

	if (!may_mount())
		return 99;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mkdir(path_of(f, "full", full), 0700) < 0 ||
	    mount("none", full, "tmpfs", 0, "size=16k") < 0)
		return 99;
	snprintf(filler, sizeof filler, "%s/filler", full);
	fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (write(fd, filler, 1) != 1 || lseek(fd, 4096, SEEK_SET) < 0 || write(fd, filler, 1) != 1 ||
	    lseek(fd, 8192, SEEK_SET) < 0 ||
	    write(fd, filler, 1) != 1) /* one block of four is left: the head of a file fits, the whole of it does not */
		return 99;
	close(fd);
	r = run_with(f, "peer create laptop -o", "full/laptop.conf");
	if (r != EXIT_REFUSED || !strstr(f->err, "code: file_unwritable"))
		return 1;
	if (is_there(f, "full/laptop.conf"))
		return 2;
	unlink(filler);
	return run_with(f, "peer create laptop -o", "full/laptop.conf") == EXIT_GOOD ? 0 : 3;
}

static void a_full_disk_shows_before_anything_is_asked_for(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	answer(f, 201, PEER);
	pid = fork();
	if (pid == 0)
		_exit(on_a_full_disk(f));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 99) {
		print_message("skipped: this machine lets nobody mount a file system\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(f->n_requests, 1); /* of the second try; the first asked nothing */
}

/* With the machine that this runs on: no interface is called so, and nobody else's is looked at. */
static void the_doctor_says_what_fails_what_to_do_and_never_the_key(void **state)
{
	static const char text[] = "[Interface]\nPrivateKey = " GATEWAY_KEY
				   "\nAddress = fdaa:1:2a:ae03:2:0:a:102/120\n[Peer]\nPublicKey = " GATEWAY_KEY
				   "\nAllowedIPs = fdaa:1:2a::/48\nEndpoint = 127.0.0.1:51820\n";
	struct fixture *f = *state;
	char path[160];
	CLEAN_JSON json_t *json = NULL;

	assert_int_equal(file_create(path_of(f, "nonesuch.conf", path), text, strlen(text), 0644), 0);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(run_with(f, "doctor peer", "nonesuch.conf"), 1);
	has(f->out, "FAIL  ");
	has(f->out, "can be read by others (mode 0644)");
	has(f->out, "        next: chmod 600 it");
	has(f->out, "interface nonesuch is not there");
	assert_null(strstr(f->out, GATEWAY_KEY));
	assert_null(strstr(f->err, GATEWAY_KEY));
	assert_int_equal(run_with(f, "doctor peer --json", "nonesuch.conf"), 1);
	json = json_loads(f->out, 0, NULL);
	assert_true(json_integer_value(json_object_get(json, "fail")) >= 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(json, "findings"), 0), "check")),
			    "file-mode");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(the_key_is_made_here_and_only_its_public_half_leaves),
		T(two_peers_have_two_keys),
		T(a_fallback_is_said_on_standard_error),
		T(a_name_that_does_not_fit_is_said_as_it_is_in_dns),
		T(a_refusal_leaves_no_file_and_a_file_that_is_there_no_request),
		T(a_link_that_is_there_is_not_followed),
		T(no_umask_opens_the_file_or_locks_its_owner_out),
		T(a_lost_answer_is_looked_for_and_the_file_finished),
		T(an_unknown_outcome_keeps_the_key_and_says_what_to_do),
		T(somebody_elses_peer_of_that_name_is_not_taken_for_ours),
		T(a_controller_that_is_not_there_leaves_nothing),
		T(a_name_that_is_no_interface_is_refused_with_one_that_is),
		T(a_key_goes_to_no_output_that_others_read),
		T(a_redirect_is_taken_only_if_nobody_else_can_read_it),
		T(a_key_that_could_not_be_printed_is_said_to_be_lost),
		T(text_that_is_not_utf8_is_refused_and_not_left_out),
		T(a_reply_cannot_send_the_token_elsewhere),
		T(an_empty_name_means_nobody),
		T(a_200_without_an_object_is_no_success),
		T(a_controller_cannot_give_commands_to_the_terminal),
		T(a_terminal_gets_the_file_or_a_picture),
		T(a_gateway_that_fell_silent_meanwhile_is_not_in_the_file),
		T(a_reply_that_makes_no_file_exits_7_and_keeps_the_key),
		T(rekey_makes_another_key_for_the_same_peer),
		T(no_preshared_key_is_said_as_null),
		T(an_interrupt_while_it_is_waited_for_does_not_take_the_key_away),
		T(an_interrupt_while_it_is_asked_for_does_not_take_the_key_away),
		T(config_without_the_key_says_how_to_merge_and_is_no_secret),
		T(the_key_of_another_peer_is_not_merged),
		T(a_move_writes_the_new_file_with_the_old_key_or_says_the_two_lines),
		T(a_file_that_is_made_anew_keeps_its_form),
		T(status_speaks_from_the_side_of_the_peer),
		T(all_peers_of_a_gateway_move_by_the_hundred_until_none_is_left),
		T(prune_wants_its_reason_its_org_and_a_yes),
		T(a_dry_run_makes_no_file),
		T(a_key_that_was_made_elsewhere_stays_elsewhere),
		T(a_full_disk_shows_before_anything_is_asked_for),
		T(the_doctor_says_what_fails_what_to_do_and_never_the_key),
	};

	crypto_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
