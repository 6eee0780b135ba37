/* test_watch.c - a run that is watched: what a viewer gets, what it may order, and a recording that a resumed run goes on with. */
#include "base/clock.h"
#include "engine/client.h"
#include "engine/train_watch.h"
#include "probe/record.h"
#include "tests/unit.h"
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char config_text[] = "{\"model_type\":\"deepseek_v3\",\"vocab_size\":260,\"hidden_size\":16,\"intermediate_size\":24,"
	"\"moe_intermediate_size\":8,\"num_hidden_layers\":2,\"num_attention_heads\":2,\"n_routed_experts\":4,\"num_experts_per_tok\":2,"
	"\"first_k_dense_replace\":1,\"n_group\":1,\"topk_group\":1,\"q_lora_rank\":8,\"kv_lora_rank\":8,\"qk_nope_head_dim\":4,"
	"\"qk_rope_head_dim\":4,\"v_head_dim\":4,\"max_position_embeddings\":128,\"num_nextn_predict_layers\":1}";

static bool squares_get(void *ud, Split split, uint64_t row, uint64_t i, Document *s, Err *e)
{
	static char text[64];
	(void)ud, (void)e;
	snprintf(text, sizeof text, "%d^2=%d.", (int)(row % 9 + i), (int)((row % 9 + i) * (row % 9 + i)) + (split == SPLIT_HELD_OUT));
	*s = (Document){ .answer = text, .n_answer = strlen(text) };
	return true;
}

static const Source squares = { squares_get, NULL };

typedef struct Rig { Train *t; Tok *tok; TrainWatch *w; Client *c; Store *s; char dir[64], socket[80]; } Rig;

static Train *run_new(Rig *r)
{
	static const char *const special[] = { "<|end_of_text|>", NULL };
	Config c;
	Err e = { 0 };
	TrainSettings s;
	settings_default(&s);
	s.batch = 2;
	s.seq = 16;
	r->tok = tok_bytes(special);
	assert_true(config_parse(config_text, sizeof config_text - 1, "config", &c, &e));
	TrainStart o = { .config = &c, .threads = 1 };
	r->t = train_new(&o, &s, &squares, r->tok, &e);
	if (!r->t)
		fail_msg("%s", e.text);
	return r->t;
}

static void watch_new(Rig *r, bool socket)
{
	Buf note = BUF_INIT;
	TrainWatchOptions o = { .out = r->dir, .stop = 100, .socket = socket ? r->socket : "" };
	r->w = train_watch_new(r->t, &o, &note);
	assert_non_null(r->w);
	assert_string_equal(buf_str(&note), "");
	buf_done(&note);
}

static Rig rig_new(bool socket)
{
	Rig r = { 0 };
	Err e = { 0 };
	snprintf(r.dir, sizeof r.dir, "%s/watch-XXXXXX", unit_tmp());
	assert_non_null(mkdtemp(r.dir));
	snprintf(r.socket, sizeof r.socket, "%s/s.sock", r.dir);
	run_new(&r);
	watch_new(&r, socket);
	r.s = store_new(8 << 20);
	if (socket && !(r.c = client_connect(r.socket, &e)))
		fail_msg("%s", e.text);
	return r;
}

static void run_end(Rig *r)
{
	train_watch_free(r->w);
	train_free(r->t);
	tok_free(r->tok);
}

static void rig_done(Rig *r)
{
	char cmd[128];
	client_free(r->c);
	store_free(r->s);
	snprintf(cmd, sizeof cmd, "rm -rf %s", r->dir);
	assert_int_equal(system(cmd), 0);
}

static void steps(Rig *r, int n)
{
	StepReport x;
	Err e = { 0 };
	for (int i = 0; i < n; i++) {
		if (!train_step(r->t, &x, &e))
			fail_msg("%s", e.text);
		train_watch_step(r->w, &x, 12.5);
	}
}

static bool never(void)
{
	return false;
}

static bool always(void)
{
	return true;
}

/* Reads until `topic` holds n samples. */
static void read_until(Rig *r, const char *topic, size_t n)
{
	double until = clock_now() + 5;
	while (store_count(r->s, topic) < n && clock_now() < until) {
		struct pollfd p = { .fd = client_fd(r->c), .events = POLLIN };
		poll(&p, 1, 20);
		client_read(r->c, r->s);
	}
	assert_true(store_count(r->s, topic) >= n);
}

/* One order and its answer. stays: what the run is doing while it is asked. Returns what train_watch_orders says. */
static bool order(Rig *r, const char *json, bool (*is_over)(void), ClientReply *x)
{
	double until = clock_now() + 5;
	Buf note = BUF_INIT;
	bool end = false, got = false;
	int64_t id = client_send(r->c, json);
	while (!got && clock_now() < until) {
		client_read(r->c, r->s);
		end |= train_watch_orders(r->w, is_over, &note);
		while ((got = client_reply(r->c, x)) && x->id != id)
			continue;
	}
	buf_done(&note);
	assert_true(got);
	return end;
}

TEST(watch_viewer_gets_the_run)
{
	Rig r = rig_new(true);
	steps(&r, 6);
	read_until(&r, "train.step", 6);
	assert_int_equal(sample_num(store_last(r.s, "train.step"), 0), 6);
	assert_int_equal(sample_num(store_last(r.s, "train.step"), 1), 100);
	static const char *const each[] = { "train.loss", "train.main_loss", "train.mtp_loss", "train.aux_loss", "train.lr", "train.grad_norm",
		"train.tok_per_s", "train.maxvio", "train.dead", "train.bias_drift", "layers.1.moe.load", "layers.2.moe.load" };
	for (size_t i = 0; i < sizeof each / sizeof *each; i++)
		if (store_count(r.s, each[i]) != 6)
			fail_msg("%s: %zu", each[i], store_count(r.s, each[i]));
	double sum = 0, all = 0;
	for (size_t i = 0; i < 4; i++)
		sum += sample_num(store_last(r.s, "layers.1.moe.load"), i);
	assert_int_equal(sum, 2 * 16 * 2);
	/* the norms of the layers are parts of the norm of all */
	const Sample *x = store_at(r.s, "train.layer_norm", 1);
	for (size_t i = 0; i < 4; i++)
		all += sample_num(x, i) * sample_num(x, i);
	assert_int_equal(x->step, 5);
	assert_true(fabs(sqrt(all) / sample_num(store_at(r.s, "train.grad_norm", 4), 0) - 1) < 1e-4);
	assert_non_null(store_last(r.s, "model.card"));
	assert_non_null(strstr(store_last(r.s, "engine.status")->data, "\"state\":\"train\""));
	run_end(&r);
	rig_done(&r);
}

TEST(watch_orders)
{
	Rig r = rig_new(true);
	ClientReply x;
	steps(&r, 1);
	assert_false(order(&r, "{\"cmd\":\"set\",\"key\":\"lr\",\"value\":0.25}", never, &x));
	assert_true(x.ok);
	assert_true(train_settings(r.t)->lr == 0.25);
	read_until(&r, "train.settings", 2);
	assert_false(order(&r, "{\"cmd\":\"set\",\"key\":\"balance\",\"value\":\"sequence\"}", never, &x));
	assert_true(x.ok && train_settings(r.t)->balance == BALANCE_SEQUENCE);
	assert_false(order(&r, "{\"cmd\":\"set\",\"key\":\"balance\",\"value\":\"next\"}", never, &x));
	assert_true(x.ok && train_settings(r.t)->balance == BALANCE_V2);
	assert_false(order(&r, "{\"cmd\":\"set\",\"key\":\"balance\",\"value\":\"next\"}", never, &x));
	assert_true(x.ok && train_settings(r.t)->balance == BALANCE_NONE);
	assert_false(order(&r, "{\"cmd\":\"set\",\"key\":\"lr\",\"value\":\"x0.5\"}", never, &x));
	assert_true(x.ok && train_settings(r.t)->lr == 0.125);
	static const struct { const char *json; int code; } bad[] = {
		{ "{\"cmd\":\"set\",\"key\":\"seq\",\"value\":32}", 2102 }, { "{\"cmd\":\"set\",\"key\":\"lr\",\"value\":-1}", 2102 },
		{ "{\"cmd\":\"set\",\"key\":\"lr\",\"value\":[]}", 3183 }, { "{\"cmd\":\"set\",\"value\":1}", 3183 },
		{ "{\"cmd\":\"set\",\"key\":\"learning\",\"value\":1}", 2101 }, { "{\"cmd\":\"prompt\",\"text\":\"x\"}", 9002 },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_false(order(&r, bad[i].json, never, &x));
		assert_false(x.ok);
		assert_int_equal(x.code, bad[i].code);
	}
	/* paused, it waits until it is told to end from elsewhere, or to go on */
	assert_false(order(&r, "{\"cmd\":\"pause\"}", always, &x));
	assert_true(x.ok);
	read_until(&r, "engine.status", 2);
	assert_non_null(strstr(store_last(r.s, "engine.status")->data, "\"state\":\"paused\""));
	assert_false(order(&r, "{\"cmd\":\"resume\"}", never, &x));
	assert_true(x.ok);
	steps(&r, 1);
	assert_true(order(&r, "{\"cmd\":\"stop\"}", never, &x));
	run_end(&r);
	rig_done(&r);
}

/* Steps of a topic in the file, in order. */
static int steps_recorded(const Rig *r, const char *topic, int *out, int max)
{
	char path[96];
	Store *s = store_new(8 << 20);
	Err e = { 0 };
	snprintf(path, sizeof path, "%s/train.rec", r->dir);
	if (!record_load(path, s, NULL, &e))
		fail_msg("%s", e.text);
	int n = (int)store_count(s, topic);
	for (int i = 0; i < n && i < max; i++)
		out[i] = (int)store_at(s, topic, (size_t)i)->step;
	store_free(s);
	return n;
}

TEST(watch_recording_goes_on_with_a_resumed_run)
{
	Rig r = rig_new(false);
	Buf note = BUF_INIT;
	Err e = { 0 };
	bool found = false;
	int at[16];
	steps(&r, 5);
	assert_true(train_save(r.t, r.dir, &e));
	steps(&r, 3);
	run_end(&r);
	assert_int_equal(steps_recorded(&r, "train.loss", at, 16), 8);
	/* a frame that a crash tore */
	char path[96];
	snprintf(path, sizeof path, "%s/train.rec", r.dir);
	FILE *f = fopen(path, "a");
	assert_non_null(f);
	fwrite("LF\2", 1, 3, f);
	fclose(f);
	run_new(&r);
	assert_true(train_resume(r.t, r.dir, &found, &note, &e) && found);
	watch_new(&r, false);
	steps(&r, 4);
	run_end(&r);
	assert_int_equal(steps_recorded(&r, "train.loss", at, 16), 9);
	for (int i = 0; i < 9; i++)
		assert_int_equal(at[i], i + 1);
	assert_int_equal(steps_recorded(&r, "train.settings", at, 16), 1);
	assert_int_equal(steps_recorded(&r, "model.card", at, 16), 1);
	buf_done(&note);
	rig_done(&r);
}

TEST(watch_recording_is_small)
{
	Rig r = rig_new(false);
	char path[96];
	steps(&r, 10);
	snprintf(path, sizeof path, "%s/train.rec", r.dir);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	long one = ftell(f);
	steps(&r, 100);
	fseek(f, 0, SEEK_END);
	assert_true(ftell(f) - one < 100 * 1000);
	fclose(f);
	run_end(&r);
	rig_done(&r);
}

TEST(watch_sample_is_the_same_every_time)
{
	Rig r = rig_new(false);
	Buf a = BUF_INIT, b = BUF_INIT;
	Err e = { 0 };
	steps(&r, 2);
	uint64_t before = train_hash(r.t);
	assert_true(train_sample(r.t, 12, &a, &e));
	assert_true(train_sample(r.t, 12, &b, &e));
	assert_string_equal(buf_str(&a), buf_str(&b));
	assert_true(a.len > 5 && strncmp(buf_str(&a), "0^2=1.", 6) == 0);
	assert_true(train_hash(r.t) == before);
	buf_done(&a);
	buf_done(&b);
	run_end(&r);
	rig_done(&r);
}

static void gate_check(void *ud, int layer, int T, int E, const float *weight)
{
	int *seen = ud;
	assert_int_equal(layer, 1);
	assert_int_equal(E, 4);
	for (int i = 0; i < T; i++) {
		int chosen = 0;
		double sum = 0;
		for (int k = 0; k < E; k++) {
			chosen += weight[i * E + k] != 0;
			sum += (double)weight[i * E + k];
		}
		assert_int_equal(chosen, 2);
		assert_float_equal(sum, 2.5, 1e-5); /* routed_scaling_factor */
	}
	*seen += T;
}

/* A look at the router: two experts for each held-out token, and nothing of the run has changed. */
TEST(watch_gate_look_leaves_the_run_alone)
{
	Rig r = { 0 };
	Err e = { 0 };
	StepReport x;
	Buf text = BUF_INIT;
	int seen = 0;
	run_new(&r);
	assert_true(train_step(r.t, &x, &e));
	uint64_t before = train_hash(r.t);
	TrainGate *g = train_gate_new(r.t, &e);
	assert_non_null(g);
	train_gate_text(r.t, g, &text);
	assert_non_null(strstr(buf_str(&text), "{\"tokens\":[\"0\",\"^\",\"2\",\"=\",\"1\",\".\","));
	assert_non_null(strstr(buf_str(&text), "\"starts\":[0,6,12,18]"));
	assert_true(train_gate_look(r.t, g, gate_check, &seen, &e));
	assert_int_equal(seen, 25); /* 0^2=1. 1^2=2. 2^2=5. 3^2=10. */
	assert_int_equal(train_hash(r.t), before);
	train_gate_free(g);
	buf_done(&text);
	train_free(r.t);
	tok_free(r.tok);
}

/* Once at first; then with held-out losses, or every fifth step while somebody watches. */
TEST(watch_gate_is_told_to_those_who_ask)
{
	Rig r = rig_new(true);
	ClientReply reply;
	char path[128];
	Err e = { 0 };
	steps(&r, 4);
	assert_false(order(&r, "{\"cmd\":\"watch\",\"patterns\":[\"train.gate.*\"]}", never, &reply));
	assert_true(reply.ok);
	steps(&r, 1);
	run_end(&r);
	snprintf(path, sizeof path, "%s/train.rec", r.dir);
	Store *s = store_new(8 << 20);
	if (!record_load(path, s, NULL, &e))
		fail_msg("%s", e.text);
	assert_int_equal(store_count(s, "train.gate.1"), 2);
	assert_int_equal(store_at(s, "train.gate.1", 0)->step, 1);
	assert_int_equal(store_at(s, "train.gate.1", 1)->step, 5);
	assert_int_equal(store_count(s, "train.gate_text"), 1);
	store_free(s);
	rig_done(&r);
}
