/* lua_ops.c - the table of ops as functions of lathe.op and methods of Tensor. An op that says what its arguments are (Op.args, Op.call)
 * is callable, documented and tested without a line here; those that take structs have a row in `special`. Sequences, positions and the
 * rotary table are those of the forward that is going on, when the script does not name them. */
#include "script/lua_ops.h"
#include "script/lua_forward.h"
#include "script/lua_tensor.h"
#include "ops/op.h"
#include <math.h>
#include <string.h>

/* --- arguments --- */

typedef struct Given { lua_State *L; Tape *t; int like; int options; } Given;

static bool find_tape(lua_State *L, int i, Given *g)
{
	if (!lua_tensor_is(L, i) || !(g->t = lua_tensor_tape(L, i)))
		return false;
	g->like = i;
	return true;
}

/* The tape of the first input that has one, else the scratch tape; lists of tensors are looked into. */
static Given given_take(lua_State *L)
{
	Given g = { .L = L, .like = 1 };
	int n = lua_gettop(L);
	for (int i = 1; i <= n && !g.t; i++) {
		if (find_tape(L, i, &g) || !lua_istable(L, i))
			continue;
		int type = lua_rawgeti(L, i, 1);
		if (type == LUA_TUSERDATA && lua_tensor_is(L, -1))
			g.t = lua_tensor_tape(L, lua_gettop(L));
		lua_pop(L, 1);
	}
	if (!g.t)
		g.t = lua_scratch_tape(L);
	return g;
}

static Ten *ten_of(const Given *g, int i)
{
	return lua_tensor_on(g->L, i, g->t);
}

static Ten *ten_or_null(const Given *g, int i)
{
	return lua_isnoneornil(g->L, i) ? NULL : ten_of(g, i);
}

static void *given_alloc(const Given *g, size_t n)
{
	void *p = tape_alloc(g->t, n);
	if (!p)
		lua_tensor_made(g->L, g->t, NULL, g->like);
	return p;
}

/* A list of whole numbers, one number, or a tensor of them, at index i; in the step arena. */
static const int32_t *list_of(const Given *g, int i, int64_t *n)
{
	lua_State *L = g->L;
	if (lua_tensor_is(L, i)) {
		int rank;
		int64_t shape[TENSOR_MAXRANK];
		const real *v = lua_tensor_read(L, i, &rank, shape);
		*n = lua_tensor_count(lua_tensor_check(L, i));
		int32_t *to = given_alloc(g, sizeof *to * (size_t)(*n + 1));
		for (int64_t k = 0; k < *n; k++)
			to[k] = (int32_t)fmax(fmin((double)v[k], INT32_MAX), INT32_MIN);
		return to;
	}
	bool one = lua_type(L, i) == LUA_TNUMBER;
	if (!one)
		luaL_checktype(L, i, LUA_TTABLE);
	*n = one ? 1 : (int64_t)lua_rawlen(L, i);
	int32_t *to = given_alloc(g, sizeof *to * (size_t)(*n + 1));
	for (int64_t k = 0; k < *n; k++) {
		int whole;
		if (one)
			lua_pushvalue(L, i);
		else
			lua_rawgeti(L, i, k + 1);
		lua_Integer v = lua_tointegerx(L, -1, &whole);
		luaL_argcheck(L, whole && v >= INT32_MIN && v <= INT32_MAX, i, "a list of whole numbers is needed");
		to[k] = (int32_t)v;
		lua_pop(L, 1);
	}
	return to;
}

/* --- ops that say what they take --- */

typedef struct ArgWord { const char *name; int n; char kind; bool may_lack; } ArgWord;

/* The next word of "x:t from:i n:i?"; false at the end. */
static bool arg_next(const char **s, ArgWord *w)
{
	*s += strspn(*s, " ");
	if (!**s)
		return false;
	w->name = *s;
	w->n = (int)strcspn(*s, ":");
	w->kind = (*s)[w->n + 1];
	*s += strcspn(*s, " ");
	w->may_lack = (*s)[-1] == '?';
	return true;
}

static void arg_take(const Given *g, int i, const ArgWord *w, OpArg *a)
{
	if (w->may_lack && lua_isnoneornil(g->L, i))
		return;
	if (w->kind == 't')
		a->t = ten_of(g, i);
	else if (w->kind == 'n')
		a->n = luaL_checknumber(g->L, i);
	else if (w->kind == 'i')
		a->i = luaL_checkinteger(g->L, i);
	else
		a->list = list_of(g, i, &a->i);
}

static int call_by_table(const Given *g, const Op *op)
{
	OpArg a[OP_MAXARGS] = { 0 };
	ArgWord w;
	int i = 0;
	for (const char *s = op->args; i < OP_MAXARGS && arg_next(&s, &w); i++)
		arg_take(g, i + 1, &w, &a[i]);
	if (lua_gettop(g->L) > i && !lua_isnil(g->L, i + 1))
		return lab_fail(g->L, E_2003, "%s takes %d arguments, not %d", op->name, i, lua_gettop(g->L));
	return lua_tensor_made(g->L, g->t, op->call(g->t, a), g->like);
}

/* --- options of those that take structs --- */

static void options_at(Given *g, int i, const char *op)
{
	if (!lua_istable(g->L, i))
		lab_fail(g->L, E_2003, "%s: argument %d is a table of options", op, i);
	g->options = i;
}

static int64_t option_int(const Given *g, const char *key, int64_t missing)
{
	int whole = 1, type = lua_getfield(g->L, g->options, key);
	int64_t v = type == LUA_TNIL ? missing : lua_tointegerx(g->L, -1, &whole);
	if (!whole || v < 0 || v > INT32_MAX)
		lab_fail(g->L, E_2003, "%s must be a whole number from 0 on", key);
	lua_pop(g->L, 1);
	return v;
}

static double option_num(const Given *g, const char *key, double missing)
{
	int ok = 1, type = lua_getfield(g->L, g->options, key);
	double v = type == LUA_TNIL ? missing : lua_tonumberx(g->L, -1, &ok);
	if (!ok)
		lab_fail(g->L, E_2003, "%s must be a number", key);
	lua_pop(g->L, 1);
	return v;
}

static bool option_flag(const Given *g, const char *key, bool missing)
{
	int type = lua_getfield(g->L, g->options, key);
	bool v = type == LUA_TNIL ? missing : lua_toboolean(g->L, -1);
	lua_pop(g->L, 1);
	return v;
}

static const Run *run_of(lua_State *L, const Tape *t)
{
	for (const LuaForward *f = lua_forward_now(L); f; f = f->up)
		if (f->tape == t && f->run)
			return f->run;
	return NULL;
}

/* The sequences that the rows belong to: of the forward, or all rows as one. Keys are the rows themselves. */
static const Seq *seqs_of(const Given *g, int64_t n_rows, int64_t n_keys, int *n)
{
	const Run *r = run_of(g->L, g->t);
	*n = r ? r->b->n_seq : 1;
	Seq *s = given_alloc(g, sizeof *s * (size_t)(*n + 1));
	for (int i = 0; r && i < *n; i++) {
		s[i] = r->b->seq[i];
		s[i].key0 = s[i].row0;
		s[i].keys = s[i].rows;
	}
	if (!r)
		*s = (Seq){ 0, (int)n_rows, 0, (int)n_keys };
	return s;
}

/* --- rotary positions --- */

static const int32_t *positions_of(const Given *g, int64_t n)
{
	const Run *r = run_of(g->L, g->t);
	int64_t have = r ? r->b->T : 0;
	const int32_t *pos = r ? r->b->pos : NULL;
	if (lua_getfield(g->L, g->options, "pos") != LUA_TNIL)
		pos = list_of(g, lua_gettop(g->L), &have);
	lua_pop(g->L, 1);
	if (!pos) {
		int32_t *own = given_alloc(g, sizeof *own * (size_t)(n + 1));
		for (int64_t i = 0; i < n; i++)
			own[i] = (int32_t)i;
		return own;
	}
	if (have != n)
		lab_fail(g->L, E_2003, "rope: %lld positions for %lld rows", (long long)have, (long long)n);
	return pos;
}

/* The model's own table, or with theta one made for these positions. */
static RopeTable table_of(const Given *g, const int32_t *pos, int64_t n)
{
	const Run *r = run_of(g->L, g->t);
	double theta = option_num(g, "theta", 0);
	if (r && theta <= 0)
		return r->m->rope;
	int64_t d = option_int(g, "d", 0), last = 0;
	for (int64_t i = 0; i < n; i++) {
		if (pos[i] < 0 || pos[i] > 1 << 22)
			lab_fail(g->L, E_2003, "rope: %d is not a position", pos[i]);
		last = pos[i] > last ? pos[i] : last;
	}
	if (theta <= 0 || d < 2 || d % 2)
		lab_fail(g->L, E_2003, "rope: outside of a model's forward theta and an even d are needed");
	int64_t half = d / 2;
	real *c = given_alloc(g, sizeof *c * (size_t)(2 * half * (last + 1))), *s = c + half * (last + 1);
	for (int64_t i = 0; i < half * (last + 1); i++) {
		double angle = (double)(i / half) * pow(theta, -2.0 * (double)(i % half) / (double)d);
		c[i] = (real)cos(angle);
		s[i] = (real)sin(angle);
	}
	return (RopeTable){ (int)d, (int)(last + 1), 0, option_flag(g, "half", false), c, s };
}

static Ten *call_rope(Given *g)
{
	Ten *x = ten_of(g, 1);
	options_at(g, 2, "rope");
	int64_t heads = option_int(g, "heads", 1);
	const int32_t *pos = positions_of(g, ten_rows(x));
	RopeTable table = table_of(g, pos, ten_rows(x));
	int64_t width = option_int(g, "width", heads > 0 ? ten_cols(x) / heads : 0);
	return rope(g->t, x, (int)heads, (int)width, (int)option_int(g, "from", width > table.d ? width - table.d : 0), pos, &table);
}

/* --- attention --- */

static Attend attend_of(const Given *g, const Ten *q, const Ten *k, const Ten *v, int64_t d_r)
{
	Attend a = { .H = (int)option_int(g, "heads", 1) };
	if (a.H < 1)
		lab_fail(g->L, E_2003, "heads must be at least 1");
	a.G = (int)option_int(g, "key_heads", a.H);
	if (a.G < 1 || a.H % a.G)
		lab_fail(g->L, E_2003, "%d heads cannot share %d key heads alike", a.H, a.G);
	a.d_r = (int)option_int(g, "d_r", d_r);
	a.d_k = (int)option_int(g, "d_k", q ? ten_cols(q) / a.H - a.d_r : 0);
	a.d_v = (int)option_int(g, "d_v", v ? ten_cols(v) / a.G : 0);
	a.k_width = (int)option_int(g, "k_width", a.d_k);
	a.v_width = (int)option_int(g, "v_width", a.d_v);
	a.scale = option_num(g, "scale", 1 / sqrt((double)(a.d_k + a.d_r > 0 ? a.d_k + a.d_r : 1)));
	const Ten *keys = k ? k : v;
	a.seq = seqs_of(g, q ? ten_rows(q) : 0, keys ? ten_rows(keys) : 0, &a.n_seq);
	return a;
}

static Ten *call_attend(Given *g)
{
	if (lua_istable(g->L, 4) && !lua_isnoneornil(g->L, 3))
		lab_fail(g->L, E_2003, "attend: x:attend(k, k_R, v, options); give nil for k_R where there is none: x:attend(k, nil, v, options)");
	Ten *q = ten_of(g, 1), *k = ten_of(g, 2), *k_R = ten_or_null(g, 3), *v = ten_of(g, 4);
	options_at(g, 5, "attend");
	Attend a = attend_of(g, q, k, v, k_R ? ten_cols(k_R) : 0);
	return attend(g->t, q, k, k_R, v, &a);
}

static Ten *call_attend_scores(Given *g)
{
	Ten *q = ten_of(g, 1), *k = ten_of(g, 2), *k_R = ten_or_null(g, 3);
	options_at(g, 4, "attend_scores");
	Attend a = attend_of(g, q, k, NULL, k_R ? ten_cols(k_R) : 0);
	a.d_v = a.d_v ? a.d_v : 1; /* not used by this part */
	return attend_scores(g->t, q, k, k_R, &a);
}

/* Scores and probabilities have a row for each token and head, and a column for each key. */
static Attend parts_of(Given *g, const Ten *x, const Ten *v)
{
	Attend a = attend_of(g, NULL, NULL, v, 0);
	a.d_k = a.d_k ? a.d_k : 1;
	a.d_v = a.d_v ? a.d_v : 1;
	if (!run_of(g->L, g->t)) {
		Seq *s = given_alloc(g, sizeof *s);
		*s = (Seq){ 0, (int)(ten_rows(x) / a.H), 0, (int)ten_cols(x) };
		a.seq = s;
	}
	return a;
}

static Ten *call_attend_probs(Given *g)
{
	Ten *x = ten_of(g, 1);
	options_at(g, 2, "attend_probs");
	Attend a = parts_of(g, x, NULL);
	return attend_probs(g->t, x, &a);
}

static Ten *call_attend_values(Given *g)
{
	Ten *x = ten_of(g, 1), *v = ten_of(g, 2);
	options_at(g, 3, "attend_values");
	Attend a = parts_of(g, x, v);
	return attend_values(g->t, x, v, &a);
}

static Ten *call_attend_latent(Given *g)
{
	Ten *q = ten_of(g, 1), *c = ten_of(g, 2), *k_R = ten_of(g, 3), *W = ten_of(g, 4);
	options_at(g, 5, "attend_latent");
	int64_t H = option_int(g, "heads", 1), d_r = ten_cols(k_R);
	Attend a = attend_of(g, q, c, NULL, d_r);
	a.G = 1;
	a.d_v = (int)option_int(g, "d_v", H > 0 ? ten_rows(W) / H - a.d_k : 0);
	a.k_width = a.v_width = 0;
	return attend_latent(g->t, q, c, k_R, W, &a, NULL);
}

/* --- router and experts --- */

static Ten *call_route_choose(Given *g)
{
	Ten *s = ten_of(g, 1), *bias = ten_or_null(g, 2);
	options_at(g, 3, "route_choose");
	int groups = (int)option_int(g, "groups", 1);
	RouteRule r = { .E = (int)ten_cols(s), .K = (int)option_int(g, "k", 1), .n_group = groups,
		.topk_group = (int)option_int(g, "groups_kept", groups), .group_top2 = option_flag(g, "top2", true), .scale = 1 };
	return route_choose(g->t, s, bias, &r, NULL, NULL);
}

static Ten *call_route_weights(Given *g)
{
	Ten *s = ten_of(g, 1), *topk = ten_of(g, 2);
	if (lua_isnoneornil(g->L, 3)) {
		lua_settop(g->L, 2);
		lua_newtable(g->L);
	}
	options_at(g, 3, "route_weights");
	RouteRule r = { .E = (int)ten_cols(s), .K = (int)ten_cols(topk), .n_group = 1, .topk_group = 1,
		.normalise = option_flag(g, "normalise", true), .scale = option_num(g, "scale", 1) };
	return route_weights(g->t, s, topk, &r);
}

/* Where the copies of each token lie, from the choice alone: the order does not depend on experts that nobody chose. */
static const Dispatch *plan_of(Given *g, int i, int64_t experts)
{
	Ten *topk = ten_of(g, i);
	int64_t most = 0;
	if (topk->dtype != DT_I32)
		lab_fail(g->L, E_2003, "argument %d is the choice of experts: whole numbers, as route_choose or x:ints() give them", i);
	for (int64_t r = 0; r < ten_rows(topk); r++)
		for (int64_t k = 0; k < ten_cols(topk); k++) {
			int32_t e = ((const int32_t *)topk->data)[r * topk->stride + k];
			most = e >= most ? e + 1 : most;
		}
	if (most > 1 << 16)
		lab_fail(g->L, E_2003, "expert %lld is chosen; there are at most 65536", (long long)most - 1);
	return dispatch_plan(g->t, topk, (int)(experts > 0 ? experts : most > 0 ? most : 1));
}

static Ten *call_dispatch(Given *g)
{
	Ten *x = ten_of(g, 1);
	return dispatch(g->t, x, plan_of(g, 2, 0));
}

static Ten *call_linear_grouped(Given *g)
{
	Ten *x = ten_of(g, 1);
	luaL_checktype(g->L, 2, LUA_TTABLE);
	int64_t n = (int64_t)lua_rawlen(g->L, 2);
	luaL_argcheck(g->L, n >= 1 && n <= 1 << 16, 2, "a list of the experts' weights is needed");
	Ten **W = given_alloc(g, sizeof *W * (size_t)n);
	for (int64_t e = 0; e < n; e++, lua_pop(g->L, 1)) {
		lua_rawgeti(g->L, 2, e + 1);
		W[e] = lua_tensor_on(g->L, lua_gettop(g->L), g->t);
	}
	return linear_grouped(g->t, x, W, plan_of(g, 3, n));
}

static Ten *call_combine(Given *g)
{
	Ten *y = ten_of(g, 1), *w = ten_of(g, 2);
	return combine(g->t, y, w, plan_of(g, 3, 0));
}

static Ten *call_balance(Given *g)
{
	Ten *s = ten_of(g, 1), *coef = lua_tensor_real_on(g->L, 2, g->t);
	int n;
	const Seq *seq = seqs_of(g, ten_rows(s), ten_rows(s), &n);
	if (ten_count(coef) != n * ten_cols(s) || coef->stride != ten_cols(s))
		lab_fail(g->L, E_6002, "balance: coef has one row of %lld numbers for each of %d sequences", (long long)ten_cols(s), n);
	return balance(g->t, s, ten_real(coef), seq, n, lua_toboolean(g->L, 3));
}

/* --- the table --- */

typedef struct Special { const Op *op; Ten *(*call)(Given *g); const char *signature, *options; } Special;

#define HEADS "heads (1), key_heads (heads), d_k, d_r (width of k_R), d_v (from the columns), k_width and v_width (columns from one head " \
	"to the next: d_k, d_v), scale (1/sqrt(d_k + d_r)); the sequences are those of the forward, else all rows are one."
static const Special special[] = {
	{ &op_rope, call_rope, "(x: Tensor, options: table): Tensor", "Options: heads (1), width (columns of a head), from (the last columns of a head), pos (the "
		"forward's positions, else 0, 1, ...), and for a table of one's own theta, d, half." },
	{ &op_attend, call_attend, "(q: Tensor, k: Tensor, k_R: Tensor?, v: Tensor, options: table): Tensor", "Options: " HEADS },
	{ &op_attend_scores, call_attend_scores, "(q: Tensor, k: Tensor, k_R: Tensor?, options: table): Tensor", "Options: " HEADS },
	{ &op_attend_probs, call_attend_probs, "(scores: Tensor, options: table): Tensor", "Option: heads (1)." },
	{ &op_attend_values, call_attend_values, "(probs: Tensor, v: Tensor, options: table): Tensor", "Options: heads (1), key_heads, d_v, v_width." },
	{ &op_attend_latent, call_attend_latent, "(q: Tensor, c_KV: Tensor, k_R: Tensor, W_UKV: Tensor, options: table): Tensor",
		"Options: heads, d_k, d_v, scale." },
	{ &op_route_choose, call_route_choose, "(scores: Tensor, bias: Tensor?, options: table): Tensor", "Options: k (1), groups (1), groups_kept (all), top2 "
		"(true: a group counts by its two best)." },
	{ &op_route_weights, call_route_weights, "(scores: Tensor, topk: Tensor, options: table?): Tensor", "Options: normalise (true), scale (1)." },
	{ &op_dispatch, call_dispatch, "(x: Tensor, topk: Tensor): Tensor", "" },
	{ &op_linear_grouped, call_linear_grouped, "(x: Tensor, W: Tensor[], topk: Tensor): Tensor", "x as dispatch gives it; W: a weight for each expert." },
	{ &op_combine, call_combine, "(y: Tensor, weights: Tensor, topk: Tensor): Tensor", "y as linear_grouped gives it." },
	{ &op_balance, call_balance, "(scores: Tensor, coef: Tensor, share: boolean?): Tensor", "coef: [sequences, experts], plain." },
};

static const Special *special_find(const Op *op)
{
	for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
		if (special[i].op == op)
			return &special[i];
	return NULL;
}

static int op_lua(lua_State *L, const Op *op)
{
	Given g = given_take(L);
	if (op->call)
		return call_by_table(&g, op);
	const Special *s = special_find(op);
	if (!s)
		return lab_fail(L, E_2003, "%s cannot be called from a script", op->name);
	return lua_tensor_made(L, g.t, s->call(&g), g.like);
}

static void signature_of(const Op *op, Buf *out)
{
	ArgWord w;
	const char *s = op->args ? op->args : ""; /* an op for the engine alone: it cannot be called from scripts */
	buf_addc(out, '(');
	for (int i = 0; arg_next(&s, &w); i++) {
		buf_printf(out, "%s%.*s: %s%s", i ? ", " : "", w.n, w.name, w.kind == 't' ? "Tensor" : w.kind == 'n' ? "number" :
			w.kind == 'i' ? "integer" : "integer[]", w.may_lack ? "?" : "");
	}
	buf_adds(out, "): Tensor");
}

bool lua_op_describe(const char *name, Buf *signature, Buf *text)
{
	for (int i = 0; op_table[i]; i++) {
		const Op *op = op_table[i];
		const Special *s = special_find(op);
		if (strcmp(op->name, name) != 0)
			continue;
		if (s)
			buf_adds(signature, s->signature);
		else if (!op->args)
			return false;
		else
			signature_of(op, signature);
		buf_printf(text, "%s. %s", op->equation, op->doc);
		if (s && *s->options)
			buf_printf(text, " %s", s->options);
		if (strcmp(op->source, "-") != 0)
			buf_printf(text, " Source: %s.", op->source);
		return true;
	}
	return false;
}

#define OP_FUNCTION(name) \
	static int script_##name(lua_State *L) { return op_lua(L, &op_##name); }
OPS_ALL(OP_FUNCTION)
#undef OP_FUNCTION

#define OP_ROW(name) { #name, NULL, NULL, NULL, script_##name },
static const ApiFn rows_of_ops[] = { OPS_ALL(OP_ROW) { NULL, NULL, NULL, NULL, NULL } };
#undef OP_ROW

const ApiClass api_ops = { "lathe.op",
	"The ops that models are made of, each an equation of a paper with its gradient. Each is a method of its first argument too: "
	"lathe.op.linear(x, W) is x:linear(W). Inputs that are plain numbers are computed at once; one input on a tape puts the result on it.",
	rows_of_ops, NULL };
const ApiClass api_ops_methods = { "Tensor", NULL, rows_of_ops, NULL };
