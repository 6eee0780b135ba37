/* lua_generate.c - running models from Lua: m:run reads a text with values watched, m:generate writes one, m:stop_when tells when to end. */
#include "script/lua_forward.h"
#include "script/lua_watch.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- m:run --- */

/* The log-probability of each token that the rows of the logits foretell. */
static void watcher_score(const LatheProbe *p, void *ud)
{
	Watcher *w = ud;
	int64_t V = p->shape[1];
	for (int64_t r = 0; r < p->shape[0]; r++) {
		int64_t next = w->base + p->position + r + 1;
		if (next >= w->n_ids || next >= w->base + w->window)
			return;
		const float *z = p->data + r * V;
		double most = -INFINITY, sum = 0;
		for (int64_t i = 0; i < V; i++)
			most = fmax(most, (double)z[i]);
		for (int64_t i = 0; i < V; i++)
			sum += exp((double)z[i] - most);
		w->logprob[next] = (real)((double)z[w->id[next]] - most - log(sum));
	}
}

static bool read_window(Watcher *w, int64_t n, bool logits, LatheError *e)
{
	LatheSessionOptions o = { .mtp = LATHE_MTP_OFF, .attention = w->m->attention, .chunk = (int)n, .alternatives = logits ? 1 : 0, .context = n };
	w->session = lathe_session_new(w->m->m, &o, e);
	bool ok = w->session && lathe_session_feed(w->session, w->id + w->base, (size_t)n, e);
	lathe_session_free(w->session);
	w->session = NULL;
	return ok;
}

/* The text in pieces of so many tokens, each read from its first position on. */
static bool read_text(Watcher *w, int64_t window, LatheError *e)
{
	for (w->base = 0; w->base < w->n_ids; w->base += window) {
		int64_t n = w->n_ids - w->base < window ? w->n_ids - w->base : window;
		if (!read_window(w, n, w->logprob != NULL, e))
			return false;
	}
	return true;
}

static void check_seen(lua_State *L, const Watcher *w)
{
	if (w->full)
		lab_fail(L, E_5002, "the values watched need more memory than the limit leaves; watch fewer, shorten the text (logits = false leaves "
			"the logits out), or raise --memory-limit");
	for (int i = 0; i < w->n_picks; i++)
		if (!w->pick[i].seen)
			lua_model_no_value(L, w->m, "watch: ", w->pick[i].pattern);
	lua_model_check_hooks(L, w->m);
}

static void set_score(lua_State *L, const Watcher *w)
{
	double sum = 0;
	int64_t n = 0;
	for (int64_t i = 0; i < w->n_ids; i++)
		if (!isnan(w->logprob[i])) {
			sum -= (double)w->logprob[i];
			n++;
		}
	lua_tensor_push(L, 1, &w->n_ids, w->logprob, false);
	lua_setfield(L, -2, "logprobs");
	if (n == 0)
		return;
	lua_pushnumber(L, sum / (double)n);
	lua_setfield(L, -2, "loss");
	lua_pushnumber(L, exp(sum / (double)n));
	lua_setfield(L, -2, "ppl");
}

static int model_run(lua_State *L)
{
	static const char *const words[] = { "watch", "logits", "window", NULL };
	size_t n;
	LatheError le = { 0 };
	Model *m = lua_model_check(L, 1);
	lua_settop(L, 3);
	lua_options_known(L, 3, "run", words);
	int64_t context = m->m->lm->c.max_position_embeddings, window = lua_option_int(L, 3, "window", context, 1, context);
	int32_t *id = lua_model_ids(L, m, 2, true, &n);
	if (n == 0)
		return lab_fail(L, E_2003, "run: the text is empty");
	Watcher *w = watcher_push(L, m, 1);
	w->id = id;
	w->n_ids = (int64_t)n;
	w->window = window;
	w->logprob = malloc(sizeof *w->logprob * n);
	if (!w->logprob)
		return lab_fail(L, E_5001, "no memory for %zu tokens", n);
	for (size_t i = 0; i < n; i++)
		w->logprob[i] = (real)NAN;
	watcher_add_field(L, w, 3);
	if (lua_option_flag(L, 3, "logits", true)) {
		lua_pushliteral(L, "logits");
		watcher_add(L, w, lua_gettop(L));
	}
	lua_model_enter(L, m, 1);
	w->on = true;
	int score = lathe_watch(m->m, "logits", watcher_score, w);
	bool ok = read_text(w, window, &le);
	lathe_unwatch(m->m, score);
	watcher_lift(w);
	lua_model_leave(L, m);
	if (!ok)
		return lua_model_raise(L, &le);
	lua_model_settle(L, m);
	check_seen(L, w);
	lua_newtable(L);
	for (int i = 0; i < w->n_kept; i++) {
		watcher_push_kept(L, w, &w->kept[i], 1);
		lua_setfield(L, -2, w->kept[i].name);
	}
	set_score(L, w);
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		lua_pushinteger(L, id[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "ids");
	return 1;
}

/* --- the condition that stops --- */

/* s[pattern], for the watcher in the first upvalue. */
static int stop_index(lua_State *L)
{
	Watcher *w = luaL_checkudata(L, lua_upvalueindex(1), "lathe.watcher");
	const char *pattern = luaL_checkstring(L, 2);
	if (!w->m || !w->m->L)
		return lab_fail(L, E_2003, "stop_when: s can be asked inside its function only");
	int i = 0;
	while (i < w->n_picks && strcmp(w->pick[i].pattern, pattern) != 0)
		i++;
	lua_settop(L, 2);
	if (i == w->n_picks)
		watcher_add(L, w, 2);
	watcher_push_matching(L, w, pattern);
	return 1;
}

typedef struct StopCall { int watcher; const LatheToken *t; bool stop; } StopCall;

/* model, watcher, call -> calls the function with a table whose unknown fields are values. */
static int stop_body(lua_State *L)
{
	StopCall *c = lua_touserdata(L, 3);
	lua_getiuservalue(L, 1, MODEL_STOP);
	lua_createtable(L, 0, 4);
	if (c->t) {
		lua_pushinteger(L, c->t->id);
		lua_setfield(L, -2, "token");
		lua_pushinteger(L, (lua_Integer)c->t->position);
		lua_setfield(L, -2, "position");
	}
	lua_pushnumber(L, c->t ? c->t->entropy : (double)NAN);
	lua_setfield(L, -2, "entropy");
	lua_pushnumber(L, c->t ? c->t->logprob : (double)NAN);
	lua_setfield(L, -2, "logprob");
	lua_createtable(L, 0, 1);
	lua_pushvalue(L, 2);
	lua_pushcclosure(L, stop_index, 1);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	lua_call(L, 1, 1);
	c->stop = lua_toboolean(L, -1);
	return 0;
}

/* Asks the condition; false: it failed, with the error on top of the stack. t NULL: only to learn which values it looks at. */
static bool stop_ask(lua_State *L, int watcher, const LatheToken *t, bool *stop)
{
	StopCall c = { .t = t };
	if (!lua_checkstack(L, 8)) {
		lua_pushliteral(L, "the script calls itself too deep");
		return false;
	}
	lua_pushcfunction(L, stop_body);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, watcher);
	lua_pushlightuserdata(L, &c);
	bool ok = lua_pcall(L, 3, 0, 0) == LUA_OK;
	*stop = ok && c.stop;
	return ok;
}

static int model_stop_when(lua_State *L)
{
	lua_model_check(L, 1);
	lua_settop(L, 2);
	if (!lua_isnil(L, 2))
		luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_setiuservalue(L, 1, MODEL_STOP);
	return 0;
}

/* --- m:generate --- */

typedef struct Writing {
	lua_State *L;
	Watcher *w;
	int at;                   /* index of the watcher */
	bool has_stop;
	int64_t n;                /* tokens at most */
	const char *finish;
	LatheStats stats;
	LatheError le;
	bool script_error;        /* on top of the stack */
} Writing;

static bool token_keep(Watcher *w, const LatheToken *t)
{
	if (w->n_tokens == w->cap_tokens) {
		int64_t cap = w->cap_tokens ? 2 * w->cap_tokens : 64;
		LatheToken *more = realloc(w->token, sizeof *more * (size_t)cap);
		if (!more)
			return false;
		w->token = more;
		w->cap_tokens = cap;
	}
	w->token[w->n_tokens++] = *t;
	return true;
}

/* One token: 1 go on, 0 the end, -1 an error. */
static int write_token(Writing *g)
{
	LatheToken t;
	bool stop = false;
	watcher_forget(g->w);
	int got = lathe_session_next(g->w->session, &t, &g->le);
	if (got <= 0) {
		g->finish = got == 0 ? "context" : g->finish;
		return got;
	}
	if (!token_keep(g->w, &t)) {
		g->le = (LatheError){ .code = E_5001, .text = "out of memory for the tokens" };
		return -1;
	}
	if (g->has_stop && !stop_ask(g->L, g->at, &t, &stop)) {
		g->script_error = true;
		return -1;
	}
	if (*lab_of(g->L)->room.stop) {
		g->le = (LatheError){ .code = E_5004, .text = "stopped" };
		return -1;
	}
	g->finish = stop ? "stopped" : lathe_session_at_eos(g->w->session) ? "eos" : NULL;
	return !g->finish;
}

static bool write_all(Writing *g, const LatheSessionOptions *o, const int32_t *id, size_t n)
{
	int go = 1;
	g->w->session = lathe_session_new(g->w->m->m, o, &g->le);
	if (!g->w->session || !lathe_session_feed(g->w->session, id, n, &g->le))
		return false;
	while (go > 0 && g->w->n_tokens < g->n)
		go = write_token(g);
	if (!g->finish)
		g->finish = "length";
	lathe_session_stats(g->w->session, &g->stats);
	return go >= 0;
}

static void push_numbers(lua_State *L, const Watcher *w, bool entropy)
{
	lua_createtable(L, (int)w->n_tokens, 0);
	for (int64_t i = 0; i < w->n_tokens; i++) {
		lua_pushnumber(L, entropy ? w->token[i].entropy : w->token[i].logprob);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void push_alternatives(lua_State *L, const Watcher *w)
{
	lua_createtable(L, (int)w->n_tokens, 0);
	for (int64_t i = 0; i < w->n_tokens; i++) {
		const LatheToken *t = &w->token[i];
		lua_createtable(L, t->n_alternatives, 0);
		for (int k = 0; k < t->n_alternatives; k++) {
			lua_createtable(L, 0, 3);
			lua_pushinteger(L, t->alternative[k]);
			lua_setfield(L, -2, "id");
			lua_model_push_token(L, w->m, t->alternative[k]);
			lua_setfield(L, -2, "text");
			lua_pushnumber(L, (double)t->alternative_logprob[k]);
			lua_setfield(L, -2, "logprob");
			lua_rawseti(L, -2, k + 1);
		}
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void push_stats(lua_State *L, const LatheStats *s)
{
	const struct { const char *key; int64_t v; } count[] = { { "prompt_tokens", s->prompt_tokens }, { "generated", s->generated },
		{ "drafted", s->drafted }, { "accepted", s->accepted }, { "forwards", s->forwards }, { "kv_bytes", s->kv_bytes } };
	lua_createtable(L, 0, 8);
	for (size_t i = 0; i < sizeof count / sizeof count[0]; i++) {
		lua_pushinteger(L, (lua_Integer)count[i].v);
		lua_setfield(L, -2, count[i].key);
	}
	lua_pushnumber(L, s->prefill_seconds);
	lua_setfield(L, -2, "prefill_seconds");
	lua_pushnumber(L, s->decode_seconds);
	lua_setfield(L, -2, "decode_seconds");
}

static void push_ids(lua_State *L, const int32_t *id, size_t n)
{
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		lua_pushinteger(L, id[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

/* The prompt as a text: as it was given, or as its ids read. */
static void push_prompt(lua_State *L, const Model *m, const int32_t *prompt, size_t n)
{
	char *s = lua_type(L, 2) == LUA_TSTRING ? NULL : lathe_decode(m->m, prompt, n);
	if (s)
		lua_pushstring(L, s);
	else
		lua_pushvalue(L, 2);
	free(s);
}

/* The table of what was written; the token that ends a text is among the ids, not in the text. */
static void push_written(lua_State *L, const Writing *g, const int32_t *prompt, size_t n_prompt, bool alternatives)
{
	const Watcher *w = g->w;
	int64_t n = w->n_tokens;
	int32_t *id = lua_newuserdatauv(L, sizeof *id * (size_t)(n + 1), 0);
	for (int64_t i = 0; i < n; i++)
		id[i] = w->token[i].id;
	char *text = lathe_decode(w->m->m, id, (size_t)(strcmp(g->finish, "eos") == 0 ? n - 1 : n));
	lua_createtable(L, 0, 10);
	lua_pushstring(L, text ? text : "");
	free(text);
	lua_setfield(L, -2, "text");
	push_ids(L, id, (size_t)n);
	lua_setfield(L, -2, "ids");
	push_ids(L, prompt, n_prompt);
	lua_setfield(L, -2, "prompt_ids");
	push_prompt(L, w->m, prompt, n_prompt);
	lua_setfield(L, -2, "prompt");
	push_numbers(L, w, false);
	lua_setfield(L, -2, "logprobs");
	push_numbers(L, w, true);
	lua_setfield(L, -2, "entropy");
	if (alternatives) {
		push_alternatives(L, w);
		lua_setfield(L, -2, "alternatives");
	}
	push_stats(L, &g->stats);
	lua_setfield(L, -2, "stats");
	lua_pushstring(L, g->finish);
	lua_setfield(L, -2, "finish");
	lua_pushvalue(L, 1);
	lua_setfield(L, -2, "model");
}

static LatheMtp option_mtp(lua_State *L, int i)
{
	if (!lua_istable(L, i) || lua_getfield(L, i, "mtp") == LUA_TNIL)
		return LATHE_MTP_AUTO;
	if (lua_isboolean(L, -1))
		return lua_toboolean(L, -1) ? LATHE_MTP_ON : LATHE_MTP_OFF;
	if (lua_type(L, -1) != LUA_TSTRING || strcmp(lua_tostring(L, -1), "auto") != 0)
		lab_fail(L, E_2003, "mtp must be true, false or \"auto\"");
	return LATHE_MTP_AUTO;
}

static LatheSessionOptions session_options(lua_State *L, int i, const Model *m)
{
	return (LatheSessionOptions){
		.temperature = lua_option_num(L, i, "temperature", 0.8, 0, 1e6),
		.top_p = lua_option_num(L, i, "top_p", 0, 0, 1),
		.min_p = lua_option_num(L, i, "min_p", 0, 0, 1),
		.top_k = (int)lua_option_int(L, i, "top_k", 0, 0, 1 << 24),
		.seed = (uint64_t)lua_option_int(L, i, "seed", (int64_t)lab_of(L)->o.seed, 0, INT64_MAX),
		.mtp = option_mtp(L, i),
		.attention = lua_model_attention(L, i, m->attention),
		.alternatives = (int)lua_option_int(L, i, "logprobs", 0, 0, LATHE_ALTERNATIVES_MAX),
		.ignore_eos = lua_option_flag(L, i, "ignore_eos", false),
	};
}

/* What the condition looked at must have come by, unless it asked only behind the last forward. */
static void check_asked(lua_State *L, const Watcher *w)
{
	for (int i = 0; i < w->n_picks; i++)
		if (!w->pick[i].seen && w->n_tokens > w->pick[i].since + 1 && !lua_model_is_mtp(w->m, w->pick[i].pattern))
			lua_model_no_value(L, w->m, "stop_when: ", w->pick[i].pattern);
	lua_model_check_hooks(L, w->m);
}

static int model_generate(lua_State *L)
{
	static const char *const words[] = { "n", "temperature", "top_p", "top_k", "min_p", "seed", "mtp", "logprobs", "attention", "ignore_eos", NULL };
	size_t n;
	bool learn;
	Model *m = lua_model_check(L, 1);
	lua_settop(L, 3);
	lua_options_known(L, 3, "generate", words);
	LatheSessionOptions o = session_options(L, 3, m);
	Writing g = { .L = L, .n = lua_option_int(L, 3, "n", 128, 1, CONFIG_CONTEXT_MAX) };
	int32_t *id = lua_model_ids(L, m, 2, true, &n);
	if (n == 0)
		return lab_fail(L, E_2003, "generate: the text is empty");
	g.w = watcher_push(L, m, 1);
	g.at = lua_gettop(L);
	g.has_stop = lua_getiuservalue(L, 1, MODEL_STOP) != LUA_TNIL;
	lua_model_enter(L, m, 1);
	g.w->on = true;
	if (g.has_stop) {
		o.mtp = LATHE_MTP_OFF; /* so that every token has a forward of its own */
		if (!stop_ask(L, g.at, NULL, &learn))
			lua_pop(L, 1);
	}
	bool ok = write_all(&g, &o, id, n);
	watcher_lift(g.w);
	lua_model_leave(L, m);
	lathe_session_free(g.w->session);
	g.w->session = NULL;
	if (g.script_error)
		return lua_error(L);
	if (!ok)
		return lua_model_raise(L, &g.le);
	lua_model_settle(L, m);
	check_asked(L, g.w);
	push_written(L, &g, id, n, o.alternatives > 0);
	return 1;
}

static const ApiFn methods[] = {
	{ "run", "(text: string | integer[], options: { watch: string | string[], logits: boolean?, window: integer? }?): table",
		"Reads a text in one forward and returns the values watched, by name, as tensors with a row for each position. Longer texts than window (as a rule "
		"the model's context) are read in pieces, each from its first position on; a model that was trained on short texts reads long ones badly, so give it "
		"the length that it was trained on (`seq` of its configuration: 512 for @domains, 160 for @reason): r[\"layers.3.moe.topk\"]. With them: r.logits [T,V] (logits = false leaves them out), r.logprobs "
		"(of each token given those before it, natural; nan where nothing foretells it: for the first, and the first of each piece), r.loss (their mean, negated, nat per token), r.ppl, r.ids.",
		"local m = lathe.open \"@tiny\"\nlocal r = m:run(\"Once upon a time\", { watch = \"layers.*.moe.topk\" })\nprint(r.loss, "
		"r[\"layers.3.moe.topk\"]:histogram(m.config.n_routed_experts):normalise())", model_run },
	{ "generate", "(text: string | integer[], options: table?): table",
		"Goes on with a text. Options: n (128), temperature (0.8; 0 is greedy), top_p, top_k, min_p, seed (lathe.seed), mtp (true, false, \"auto\": never "
		"changes the text), logprobs (alternatives per token, 0 to 32), attention, ignore_eos. Returns text (what is new), ids, prompt, prompt_ids, logprobs and entropy (a "
		"number a token, nat), alternatives (of each token a list of { id, text, logprob }), finish (\"eos\", \"length\", \"context\", \"stopped\"), stats, model.",
		"local m = lathe.open \"@tiny\"\nlocal g = m:generate(\"Once\", { n = 8, temperature = 0, logprobs = 3 })\nprint(g.text, g.alternatives[1][1].text)",
		model_generate },
	{ "stop_when", "(fn: function?)", "From now on m:generate asks fn(s) after each token, and ends when it returns true (finish is \"stopped\"). s[pattern] is a tensor "
		"of all values that match in the last forward, end to end; s.token, s.position, s.entropy, s.logprob are those of the token. Without fn: no condition.",
		"local m = lathe.open \"@tiny\"\nm:stop_when(function(s) return s[\"layers.*.moe.entropy\"]:min() < 0.1 end)\n"
		"print(m:generate(\"Once\", { n = 8 }).finish)", model_stop_when },
	{ NULL, NULL, NULL, NULL, NULL },
};

const ApiClass api_model_run = { "Model", NULL, methods, NULL };
