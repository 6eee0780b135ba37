/* test_serve.c - the engine process from end to end over a fake model: commands, late and slow and dying
 * viewers, a killed engine, hostile bytes. */
#include "base/clock.h"
#include "base/json.h"
#include "engine/client.h"
#include "engine/place.h"
#include "probe/record.h"
#include "tests/engine/fake_lathe.h"
#include "tests/unit.h"
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *engine_program(void)
{
	static char path[4096];
	const char *dir = getenv("builddir");
	snprintf(path, sizeof path, "%s/tests/fake_engine", dir ? dir : ".");
	return path;
}

/* Sockets go to a folder of this test run. */
static void use_runtime_dir(void)
{
	setenv("XDG_RUNTIME_DIR", unit_tmp(), 1);
}

typedef struct Seat { Client *c; Store *s; } Seat;

static Seat seat_spawn(const char *const *args)
{
	use_runtime_dir();
	Err e = { 0 };
	Seat v = { client_spawn(engine_program(), args, &e), store_new(64 << 20) };
	if (!v.c)
		fail_msg("%s", e.text);
	return v;
}

static Seat seat_connect(const char *name)
{
	use_runtime_dir();
	Err e = { 0 };
	Seat v = { client_connect(name, &e), store_new(64 << 20) };
	if (!v.c)
		fail_msg("%s", e.text);
	return v;
}

static void seat_leave(Seat *v)
{
	client_free(v->c);
	store_free(v->s);
}

static void seat_end(Seat *v)
{
	client_end(v->c, 5);
	seat_leave(v);
}

static void seat_turn(Seat *v, int ms)
{
	struct pollfd p = { .fd = client_fd(v->c), .events = POLLIN };
	if (!client_more(v->c))
		poll(&p, 1, ms);
	client_read(v->c, v->s);
}

/* Reads until the reply to this id. */
static ClientReply seat_reply(Seat *v, int64_t id)
{
	double until = clock_now() + 10;
	ClientReply r = { 0 };
	while (clock_now() < until) {
		while (client_reply(v->c, &r))
			if (r.id == id)
				return r;
		if (!client_alive(v->c))
			break;
		seat_turn(v, 50);
	}
	fail_msg("no reply to command %lld; %s", (long long)id, client_ending(v->c));
	return r;
}

static ClientReply seat_ask(Seat *v, const char *json)
{
	int64_t id = client_send(v->c, json);
	assert_true(id > 0);
	return seat_reply(v, id);
}

static void seat_ok(Seat *v, const char *json)
{
	ClientReply r = seat_ask(v, json);
	if (!r.ok)
		fail_msg("%s: %s", json, r.error);
}

static void seat_refused(Seat *v, const char *json, int code)
{
	ClientReply r = seat_ask(v, json);
	assert_false(r.ok);
	assert_int_equal(r.code, code);
	assert_true(strlen(r.error) > 10);
}

/* Whether the newest JSON of a topic holds this piece of text. */
static bool says(const Store *s, const char *topic, const char *piece)
{
	const Sample *x = store_last(s, topic);
	return x && strstr((const char *)x->data, piece);
}

static void seat_until(Seat *v, const char *topic, const char *piece)
{
	double until = clock_now() + 10;
	while (clock_now() < until && !says(v->s, topic, piece) && client_alive(v->c))
		seat_turn(v, 50);
	if (!says(v->s, topic, piece))
		fail_msg("%s never said %s; last: %s; %s", topic, piece,
			store_last(v->s, topic) ? (const char *)store_last(v->s, topic)->data : "nothing",
			client_ending(v->c));
}

static void seat_until_gone(Seat *v)
{
	double until = clock_now() + 10;
	while (clock_now() < until && (client_alive(v->c) || client_status(v->c) < 0))
		seat_turn(v, 5);
	assert_false(client_alive(v->c));
}

static json_t *token_json(const Store *s, size_t i)
{
	const Sample *x = store_at(s, "gen.token", i);
	assert_non_null(x);
	return json_parse(x->data, x->bytes, "gen.token", E_3181, NULL);
}

static const char *token_text(const json_t *t)
{
	return json_string_value(json_object_get(t, "text"));
}

TEST(serve_generates_and_tells)
{
	Seat v = seat_spawn((const char *const[]){ "--name", "one", "/m/quick", NULL });
	seat_until(&v, "engine.status", "\"idle\"");
	assert_string_equal(client_name(v.c), "one");
	assert_true(says(v.s, "model.card", "\"name\":\"quick\""));
	seat_ok(&v, "{\"cmd\":\"prompt\",\"text\":\"hello\",\"n\":10}");
	seat_until(&v, "engine.status", "\"length\"");
	assert_int_equal(store_count(v.s, "gen.token"), 15);
	json_t *t = token_json(v.s, 0);
	assert_string_equal(token_text(t), "h");
	assert_true(json_is_true(json_object_get(t, "given")));
	assert_true(json_is_null(json_object_get(t, "logprob")));
	json_decref(t);
	t = token_json(v.s, 5);
	assert_string_equal(token_text(t), "a");
	assert_int_equal(json_integer_value(json_object_get(t, "pos")), 5);
	assert_int_equal(json_array_size(json_object_get(t, "alternatives")), 2);
	json_decref(t);
	t = token_json(v.s, 7);
	assert_string_equal(json_string_value(json_object_get(t, "draft")), "rejected");
	assert_string_equal(json_string_value(json_object_get(t, "drafted_text")), "z");
	json_decref(t);
	assert_true(sample_num(store_last(v.s, "kv.bytes"), 0) == 1500);
	assert_true(says(v.s, "gen.stats", "\"generated\":10"));
	assert_int_equal(store_topics(v.s), 7); /* engine.tree among them */
	/* Going on, to the end that the model sets. */
	seat_ok(&v, "{\"cmd\":\"continue\",\"n\":1000}");
	seat_until(&v, "engine.status", "\"eos\"");
	assert_int_equal(store_count(v.s, "gen.token"), 5 + FAKE_END);
	/* A new text starts anew. */
	seat_ok(&v, "{\"cmd\":\"prompt\",\"ids\":[65,66],\"n\":1}");
	seat_until(&v, "engine.status", "\"run\":2,\"pos\":3");
	assert_int_equal(store_count(v.s, "gen.token"), 3);
	/* A byte that is no character is told by itself too. */
	seat_ok(&v, "{\"cmd\":\"prompt\",\"ids\":[65,229],\"n\":1}");
	seat_until(&v, "engine.status", "\"run\":3,\"pos\":3");
	t = token_json(v.s, 0);
	assert_null(json_object_get(t, "alone"));
	json_decref(t);
	t = token_json(v.s, 1);
	assert_string_equal(json_string_value(json_object_get(t, "alone")), "<E5>");
	json_decref(t);
	seat_end(&v);
}

TEST(serve_cut_characters_come_whole)
{
	Seat v = seat_spawn((const char *const[]){ "--name", "cut", "/m/quick", NULL });
	seat_ok(&v, "{\"cmd\":\"prompt\",\"text\":\"x\\u00e9y\",\"n\":1}");
	seat_until(&v, "engine.status", "\"length\"");
	static const char *const want[] = { "x", "", "\xc3\xa9", "y", "a" };
	for (size_t i = 0; i < 5; i++) {
		json_t *t = token_json(v.s, i);
		assert_string_equal(token_text(t), want[i]);
		json_decref(t);
	}
	seat_end(&v);
}

TEST(serve_pause_step_resume_stop)
{
	Seat v = seat_spawn((const char *const[]){ "--name", "steps", "/m/endless-slow", NULL });
	seat_ok(&v, "{\"cmd\":\"prompt\",\"text\":\"ab\",\"n\":100000}");
	seat_until(&v, "gen.token", "\"pos\":5");
	seat_ok(&v, "{\"cmd\":\"pause\"}");
	seat_until(&v, "engine.status", "\"paused\"");
	size_t n = store_count(v.s, "gen.token");
	seat_turn(&v, 60);
	assert_int_equal(store_count(v.s, "gen.token"), n);
	seat_ok(&v, "{\"cmd\":\"step\",\"n\":3}");
	char pos[32];
	snprintf(pos, sizeof pos, "\"pos\":%zu,", n + 3);
	seat_until(&v, "engine.status", pos);
	assert_true(says(v.s, "engine.status", "\"paused\""));
	assert_int_equal(store_count(v.s, "gen.token"), n + 3);
	seat_ok(&v, "{\"cmd\":\"set\",\"key\":\"temperature\",\"value\":0.5}");
	seat_ok(&v, "{\"cmd\":\"set\",\"key\":\"attention\",\"value\":\"naive\"}");
	seat_ok(&v, "{\"cmd\":\"resume\"}");
	seat_until(&v, "engine.status", "\"decode\"");
	seat_ok(&v, "{\"cmd\":\"stop\"}");
	seat_until(&v, "engine.status", "\"stopped\"");
	seat_ok(&v, "{\"cmd\":\"feed\",\"text\":\"zz\"}");
	seat_ok(&v, "{\"cmd\":\"continue\",\"n\":2}");
	seat_until(&v, "engine.status", "\"length\"");
	seat_end(&v);
}

TEST(serve_watches_only_what_is_asked_for)
{
	Seat v = seat_spawn((const char *const[]){ "--name", "watch", "/m/quick", NULL });
	seat_ok(&v, "{\"cmd\":\"watch\",\"patterns\":[\"layers.*.moe.topk\",\"layers.0.moe.*\",\"huge\"]}");
	seat_ok(&v, "{\"cmd\":\"prompt\",\"text\":\"hello\",\"n\":3}");
	seat_until(&v, "engine.status", "\"length\"");
	assert_int_equal(store_count(v.s, "layers.0.moe.topk"), 4);
	assert_int_equal(store_count(v.s, "layers.0.moe.scores"), 4);
	assert_int_equal(store_count(v.s, "big"), 0);
	assert_true(says(v.s, "gen.stats", "\"too_large\":4"));
	int64_t row;
	const Sample *x = store_pos(v.s, "layers.0.moe.topk", 3, &row);
	assert_int_equal(x->dtype, DT_I32);
	assert_int_equal(row, 3);
	assert_true(sample_num(x, (size_t)row * 2) == 3);
	ClientReply r = seat_ask(&v, "{\"cmd\":\"unwatch\"}");
	assert_non_null(strstr(r.json, "\"watched\":0"));
	seat_ok(&v, "{\"cmd\":\"continue\",\"n\":3}");
	seat_until(&v, "engine.status", "\"pos\":11");
	assert_int_equal(store_count(v.s, "layers.0.moe.topk"), 4);
	seat_end(&v);
}

TEST(serve_refuses_bad_commands_in_words)
{
	Seat v = seat_spawn((const char *const[]){ "--name", "bad", NULL });
	seat_refused(&v, "{\"cmd\":\"prompt\",\"text\":\"x\"}", E_9002);
	seat_refused(&v, "{\"cmd\":\"continue\"}", E_9002);
	seat_refused(&v, "{\"cmd\":\"load\",\"path\":\"/m/missing\"}", E_4001);
	seat_until(&v, "engine.status", "\"error\"");
	seat_ok(&v, "{\"cmd\":\"load\",\"path\":\"/m/fail\"}");
	seat_refused(&v, "{\"cmd\":\"jump\"}", E_3183);
	seat_refused(&v, "{\"cmd\":7}", E_3183);
	seat_refused(&v, "{}", E_3183);
	seat_refused(&v, "{\"cmd\":\"prompt\"}", E_3183);
	seat_refused(&v, "{\"cmd\":\"prompt\",\"text\":\"x\",\"ids\":[1]}", E_3183);
	seat_refused(&v, "{\"cmd\":\"prompt\",\"text\":\"x\",\"temprature\":1}", E_3183);
	seat_refused(&v, "{\"cmd\":\"prompt\",\"text\":\"x\",\"temperature\":\"hot\"}", E_3183);
	seat_refused(&v, "{\"cmd\":\"prompt\",\"text\":\"x\",\"temperature\":-1}", E_3183);
	seat_refused(&v, "{\"cmd\":\"prompt\",\"text\":\"x\",\"mtp\":\"maybe\"}", E_3183);
	seat_refused(&v, "{\"cmd\":\"prompt\",\"text\":\"\"}", E_2003);
	seat_refused(&v, "{\"cmd\":\"prompt\",\"ids\":[300]}", E_2003);
	seat_refused(&v, "{\"cmd\":\"prompt\",\"ids\":[-1]}", E_2003);
	seat_refused(&v, "{\"cmd\":\"prompt\",\"ids\":7}", E_3183);
	seat_refused(&v, "{\"cmd\":\"set\",\"key\":\"colour\",\"value\":1}", E_3183);
	seat_refused(&v, "{\"cmd\":\"watch\",\"patterns\":[\"a..b{\"]}", E_2003);
	seat_refused(&v, "{\"cmd\":\"watch\",\"patterns\":\"x\"}", E_3183);
	seat_refused(&v, "{\"cmd\":\"record_stop\"}", E_9002);
	seat_refused(&v, "{\"cmd\":\"record\",\"path\":\"/nonexistent/x\"}", E_4002);
	/* A failure in the middle is a state, and the engine goes on. */
	seat_ok(&v, "{\"cmd\":\"prompt\",\"text\":\"x\",\"n\":10}");
	seat_until(&v, "engine.status", "not a number");
	seat_ok(&v, "{\"cmd\":\"load\",\"path\":\"/m/quick\"}");
	seat_ok(&v, "{\"cmd\":\"prompt\",\"text\":\"x\",\"n\":10}");
	seat_until(&v, "engine.status", "\"length\"");
	seat_end(&v);
}

TEST(serve_a_late_viewer_gets_the_whole_story)
{
	Seat a = seat_spawn((const char *const[]){ "--name", "late", "/m/quick", NULL });
	seat_ok(&a, "{\"cmd\":\"watch\",\"patterns\":[\"layers.*.moe.topk\"]}");
	seat_ok(&a, "{\"cmd\":\"prompt\",\"text\":\"hello\",\"n\":20}");
	seat_until(&a, "engine.status", "\"length\"");
	Seat b = seat_connect("late");
	seat_until(&b, "engine.status", "\"length\"");
	assert_int_equal(store_count(b.s, "gen.token"), 25);
	assert_int_equal(store_count(b.s, "layers.0.moe.topk"), 21);
	assert_true(says(b.s, "model.card", "quick"));
	assert_int_equal(client_pid(b.c), client_pid(a.c));
	/* Both see what either starts. */
	seat_ok(&b, "{\"cmd\":\"prompt\",\"text\":\"x\",\"n\":2}");
	seat_until(&a, "engine.status", "\"run\":2,\"pos\":3");
	seat_until(&b, "engine.status", "\"run\":2,\"pos\":3");
	seat_ok(&b, "{\"cmd\":\"detach\"}");
	double until = clock_now() + 5;
	while (client_alive(b.c) && clock_now() < until)
		seat_turn(&b, 20);
	assert_false(client_alive(b.c));
	seat_leave(&b);
	seat_ok(&a, "{\"cmd\":\"status\"}");
	seat_end(&a);
}

TEST(serve_survives_its_viewer)
{
	Seat a = seat_spawn((const char *const[]){ "--name", "orphan", "--stay", "/m/endless-slow", NULL });
	seat_ok(&a, "{\"cmd\":\"watch\",\"patterns\":[\"big\"]}");
	seat_ok(&a, "{\"cmd\":\"prompt\",\"text\":\"x\",\"n\":1000000}");
	seat_until(&a, "gen.token", "\"pos\":3");
	seat_leave(&a);
	Seat b = seat_connect("orphan");
	seat_until(&b, "gen.token", "\"pos\":20");
	/* The hook of the viewer that left is gone from the model. */
	ClientReply r = seat_ask(&b, "{\"cmd\":\"watch\",\"patterns\":[]}");
	assert_non_null(strstr(r.json, "\"watched\":0"));
	seat_end(&b);
	Err e = { 0 };
	assert_null(client_connect("orphan", &e));
	assert_int_equal(e.code, E_4001);
}

TEST(serve_exits_with_its_viewer_when_asked)
{
	Seat a = seat_spawn(
		(const char *const[]){ "--name", "child", "/m/endless-slow", NULL });
	seat_ok(&a, "{\"cmd\":\"prompt\",\"text\":\"x\",\"n\":1000000}");
	int pid = client_pid(a.c), st;
	seat_leave(&a);
	double until = clock_now() + 5;
	while (waitpid(pid, &st, WNOHANG) == 0 && clock_now() < until)
		poll(NULL, 0, 5);
	assert_true(WIFEXITED(st) && WEXITSTATUS(st) == 0);
}

TEST(serve_death_of_the_engine_is_told_and_mended)
{
	Seat v = seat_spawn((const char *const[]){ "--name", "dies", "/m/endless-slow", NULL });
	seat_ok(&v, "{\"cmd\":\"prompt\",\"text\":\"x\",\"n\":1000000}");
	seat_until(&v, "gen.token", "\"pos\":2");
	kill(client_pid(v.c), SIGKILL);
	seat_until_gone(&v);
	assert_int_equal(client_status(v.c), 128 + SIGKILL);
	assert_non_null(strstr(client_ending(v.c), "killed by signal 9"));
	assert_int_equal(client_send(v.c, "{\"cmd\":\"status\"}"), 0);
	/* What it told is still there, and a new one takes the name that the dead one held. */
	assert_non_null(store_last(v.s, "gen.token"));
	Err e = { 0 };
	assert_true(client_restart(v.c, &e));
	seat_until(&v, "engine.status", "\"idle\"");
	seat_ok(&v, "{\"cmd\":\"load\",\"path\":\"/m/abort\"}");
	assert_true(client_send(v.c, "{\"cmd\":\"prompt\",\"text\":\"x\",\"n\":10}") > 0);
	seat_until_gone(&v);
	assert_int_equal(client_status(v.c), 128 + SIGABRT);
	seat_leave(&v);
}

/* The worker's own faults reach the handler, although it takes no other signals. */
TEST(serve_a_file_cut_short_is_an_exit_not_a_signal)
{
	Seat v = seat_spawn((const char *const[]){ "--name", "cut", "/m/cut", NULL });
	assert_true(client_send(v.c, "{\"cmd\":\"prompt\",\"text\":\"x\",\"n\":10}") > 0);
	seat_until_gone(&v);
	assert_int_equal(client_status(v.c), 3);
	seat_leave(&v);
}

TEST(serve_sigterm_is_a_clean_end)
{
	Seat v = seat_spawn((const char *const[]){ "--name", "term", "/m/endless-slow", NULL });
	char cmd[300], path[200];
	snprintf(path, sizeof path, "%s/term.rec", unit_tmp());
	snprintf(cmd, sizeof cmd, "{\"cmd\":\"record\",\"path\":\"%s\"}", path);
	seat_ok(&v, cmd);
	seat_ok(&v, "{\"cmd\":\"prompt\",\"text\":\"x\",\"n\":1000000}");
	seat_until(&v, "gen.token", "\"pos\":5");
	kill(client_pid(v.c), SIGTERM);
	seat_until_gone(&v);
	assert_int_equal(client_status(v.c), 143);
	/* The recording is whole and holds what came before it began, too. */
	Store *s = store_new(16 << 20);
	bool torn;
	Err e = { 0 };
	assert_true(record_load(path, s, &torn, &e));
	assert_false(torn);
	assert_non_null(store_last(s, "model.card"));
	assert_true(store_count(s, "gen.token") >= 6);
	store_free(s);
	seat_leave(&v);
}

TEST(serve_one_engine_a_name)
{
	Seat v = seat_spawn((const char *const[]){ "--name", "only", "/m/quick", NULL });
	seat_until(&v, "engine.status", "\"idle\"");
	Seat w = seat_spawn((const char *const[]){ "--name", "only", "/m/quick", NULL });
	seat_until_gone(&w);
	assert_int_equal(client_status(w.c), 9);
	assert_non_null(strstr(client_ending(w.c), "E9001"));
	seat_leave(&w);
	ClientEngine list[8];
	Err e = { 0 };
	size_t n = client_list(list, 8, &e);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].name, "only");
	assert_int_equal(list[0].pid, client_pid(v.c));
	Seat x = seat_connect(NULL);
	seat_until(&x, "engine.status", "\"idle\"");
	seat_leave(&x);
	seat_end(&v);
	assert_int_equal(client_list(list, 8, &e), 0);
	assert_null(client_connect(NULL, &e));
	assert_int_equal(e.code, E_4001);
}

TEST(serve_quits_in_the_middle_of_a_load)
{
	Seat v = seat_spawn((const char *const[]){ "--name", "load", "/m/sleepy", NULL });
	seat_until(&v, "engine.status", "\"loading\"");
	double t = clock_now();
	client_end(v.c, 5);
	assert_true(clock_now() - t < 3);
	seat_leave(&v);
}

static int run_alone(const char *args)
{
	char cmd[4300];
	use_runtime_dir();
	snprintf(cmd, sizeof cmd, "%s engine %s 2>/dev/null </dev/null", engine_program(), args);
	int st = system(cmd);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

TEST(serve_alone_ends_with_what_stops_it)
{
	assert_int_equal(run_alone("--name alone /m/missing"), 4);
	assert_int_equal(run_alone("--name a/b /m/quick"), 2);
	assert_int_equal(run_alone("--socket /nonexistent/x.sock /m/quick"), 4);
	Seat v = seat_spawn((const char *const[]){ "--name", "told", "/m/missing", NULL });
	seat_until(&v, "engine.status", "no such model");
	seat_end(&v);
}

/* --- peers that do not behave --- */

static int raw_connect(const char *name)
{
	Place p;
	Err e = { 0 };
	use_runtime_dir();
	assert_true(place_find(name, &p, &e));
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	snprintf(at.sun_path, sizeof at.sun_path, "%s", p.socket);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
	return fd;
}

/* Reads to the end; true when a BYE frame came. */
static bool raw_drain(int fd)
{
	Buf b = BUF_INIT;
	char part[4096];
	ssize_t n;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	while (poll(&p, 1, 5000) > 0 && (n = read(fd, part, sizeof part)) > 0)
		buf_add(&b, part, (size_t)n);
	bool bye = false;
	Frame f;
	long got;
	for (size_t at = 0; (got = frame_take(buf_str(&b) + at, b.len - at, &f, NULL)) > 0; at += (size_t)got)
		bye |= f.kind == FRAME_BYE;
	buf_done(&b);
	return bye;
}

TEST(serve_hostile_bytes_cost_the_peer_its_connection)
{
	Seat v = seat_spawn((const char *const[]){ "--name", "hostile", "/m/quick", NULL });
	seat_until(&v, "engine.status", "\"idle\"");
	char huge[12] = { 'L', 'F', 3, 0, '\xff', '\xff', '\xff', '\xff' };
	char sum[13] = { 'L', 'F', 3, 0, 1 };
	Buf sample = BUF_INIT;
	frame_put_sample(
		&sample, &(Sample){ .topic = "gen.token", .kind = SAMPLE_TEXT, .data = "{}", .bytes = 2 });
	const struct { const char *p; size_t n;
	} bad[] = {
		{ "GET / HTTP/1.0\r\n\r\n", 18 },
		{ huge, sizeof huge },
		{ sum, sizeof sum },
		{ sample.s, sample.len },
		{ "LF\x09", 3 },
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		int fd = raw_connect("hostile");
		assert_int_equal(write(fd, bad[i].p, bad[i].n), bad[i].n);
		assert_true(raw_drain(fd));
		close(fd);
	}
	/* Bytes that are no JSON are answered; connections that say nothing or half a frame hurt nobody. */
	int fd = raw_connect("hostile"), half = raw_connect("hostile");
	assert_int_equal(write(half, "LF\3\0\x10", 5), 5);
	Buf nonsense = BUF_INIT;
	frame_put_text(&nonsense, FRAME_COMMAND, "[1,2", 4);
	frame_put_text(&nonsense, FRAME_COMMAND, "\"quit\"", 6);
	frame_put_text(&nonsense, FRAME_COMMAND, "{\"id\":{},\"cmd\":\"status\"}", 24);
	frame_put_text(&nonsense, FRAME_BYE, "{}", 2);
	assert_int_equal(write(fd, nonsense.s, nonsense.len), nonsense.len);
	assert_false(raw_drain(fd));
	close(fd);
	seat_ok(&v, "{\"cmd\":\"prompt\",\"text\":\"x\",\"n\":3}");
	seat_until(&v, "engine.status", "\"length\"");
	close(half);
	buf_done(&sample);
	buf_done(&nonsense);
	seat_end(&v);
}

TEST(client_leaves_an_engine_that_talks_nonsense)
{
	char path[200];
	snprintf(path, sizeof path, "%s/raw.sock", unit_tmp());
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	snprintf(at.sun_path, sizeof at.sun_path, "%.100s", path);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (const struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(listener, 4), 0);
	Buf version = BUF_INIT, sample = BUF_INIT;
	frame_put_text(&version, FRAME_HELLO, "{\"stream\":2}", 12);
	frame_put_sample(&sample, &(Sample){ .topic = "x", .kind = SAMPLE_TEXT, .data = "y", .bytes = 1 });
	sample.s[20] ^= 1;
	const struct { const char *p; size_t n;
	} bad[] = {
		{ "HTTP/1.1 400 Bad Request\r\n", 26 },
		{ "LF\2\0\xff\xff\xff\xff\0\0\0\0", 12 },
		{ version.s, version.len },
		{ sample.s, sample.len },
		{ "", 0 },
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		Seat v = seat_connect(path);
		int fd = accept(listener, NULL, NULL);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, bad[i].p, bad[i].n), bad[i].n);
		if (bad[i].n == 0)
			close(fd);
		for (int turn = 0; turn < 50 && client_alive(v.c); turn++)
			seat_turn(&v, 20);
		assert_false(client_alive(v.c));
		assert_true(strlen(client_ending(v.c)) > 10);
		assert_int_equal(store_topics(v.s), 0);
		seat_leave(&v);
		if (bad[i].n > 0)
			close(fd);
	}
	close(listener);
	buf_done(&version);
	buf_done(&sample);
}

TEST(serve_a_flood_of_commands_is_refused_not_kept)
{
	Seat v = seat_spawn((const char *const[]){ "--name", "flood", "/m/sleepy", NULL });
	seat_until(&v, "engine.status", "\"loading\"");
	enum { N = 200 };
	for (int i = 0; i < N; i++)
		assert_true(client_send(v.c, "{\"cmd\":\"status\"}") > 0);
	int ok = 0, busy = 0;
	double until = clock_now() + 10;
	while (ok + busy < N && clock_now() < until) {
		ClientReply r;
		seat_turn(&v, 50);
		while (client_reply(v.c, &r)) {
			ok += r.ok;
			busy += r.code == E_9002;
		}
	}
	assert_int_equal(ok + busy, N);
	assert_true(busy >= N - 80 && ok >= 60);
	seat_end(&v);
}

TEST(serve_a_slow_viewer_loses_probes_not_tokens)
{
	Seat a = seat_spawn((const char *const[]){ "--name", "lag", "/m/endless", NULL });
	seat_until(&a, "engine.status", "\"idle\"");
	Seat slow = seat_connect("lag");
	seat_until(&slow, "engine.status", "\"idle\"");
	seat_ok(&a, "{\"cmd\":\"watch\",\"patterns\":[\"big\"]}");
	/* 200 probes of 256 KiB while `slow` does not read a byte. */
	seat_ok(&a, "{\"cmd\":\"prompt\",\"text\":\"x\",\"n\":200}");
	seat_until(&a, "engine.status", "\"length\"");
	seat_until(&slow, "engine.status", "\"length\"");
	double until = clock_now() + 5;
	while (client_drops(slow.c) == 0 && clock_now() < until)
		seat_turn(&slow, 20);
	assert_true(client_drops(slow.c) > 100);
	assert_int_equal(store_count(slow.s, "gen.token"), 201);
	assert_true(store_last(slow.s, "big") != NULL);
	seat_leave(&slow);
	seat_end(&a);
}

TEST(place_is_private)
{
	char dir[200], path[300];
	snprintf(dir, sizeof dir, "%s/rt", unit_tmp());
	snprintf(path, sizeof path, "%s/lathe", dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	setenv("XDG_RUNTIME_DIR", dir, 1);
	char out[PLACE_PATH];
	Err e = { 0 };
	assert_true(place_dir(out, &e));
	assert_string_equal(out, path);
	assert_int_equal(chmod(path, 0755), 0);
	assert_false(place_dir(out, &e));
	assert_int_equal(e.code, E_4001);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/tmp", path), 0);
	e = (Err){ 0 };
	assert_false(place_dir(out, &e));
	assert_int_equal(e.code, E_4001);
	assert_true(place_name_ok("main-2"));
	assert_false(
		place_name_ok("../x") || place_name_ok("") || place_name_ok("-x") || place_name_ok("a b"));
	assert_false(place_name_ok("a23456789012345678901234567890123"));
	use_runtime_dir();
}
