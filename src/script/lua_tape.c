/* lua_tape.c - gradients: a text's forward recorded on a tape of its own, with the model's changes and hooks, the values in it by name, and
 * the derivative of any number made from them with respect to any of them. The embedding is made a leaf, so everything behind it has
 * its gradient. */
#include "script/lua_forward.h"
#include "script/lua_model.h"
#include "base/glob.h"
#include <stdlib.h>
#include <string.h>

static const char type_name[] = "Tape";

typedef struct Value { char *name; Ten *x; } Value;
typedef struct TapeBox {
	Model *twin;             /* user value 1 */
	Value *value;
	int n, cap;
	bool full;
	real *embed;             /* memory of the leaf */
	int32_t *id, *pos;
	int64_t T;
} TapeBox;

/* Kept without being asked: what costs nothing more. Scores, probabilities and other by-products are computed for those who watch. */
static const char *const kept_patterns[] = { "{embed,final,logits}", "layers.*.{resid_pre,resid_mid,resid_post}", "layers.*.mlp.out",
	"layers.*.attn.{c_Q,q,c_KV,k_R,kv,k,v,heads,out}",
	"layers.*.moe.{logits,scores,topk,weights,expert_out,routed_out,shared_out}", NULL };

static int tape_gc(lua_State *L)
{
	TapeBox *t = lua_touserdata(L, 1);
	for (int i = 0; i < t->n; i++)
		free(t->value[i].name);
	free(t->value);
	free(t->embed);
	free(t->id);
	free(t->pos);
	*t = (TapeBox){ 0 };
	return 0;
}

static Tape *tape_of(const TapeBox *t)
{
	return t->twin->m->tape;
}

/* --- recording --- */

static Ten *leaf_embed(Tape *t, Ten *x, const char *full, void *ud)
{
	TapeBox *b = ud;
	(void)full;
	size_t n = (size_t)ten_count(x);
	free(b->embed);
	b->embed = malloc(sizeof *b->embed * (n ? n : 1));
	if (!b->embed)
		return tape_fail(t, E_5001, "no memory for the embeddings");
	ten_read(x, 0, ten_rows(x), b->embed);
	return tape_leaf(t, ten_wrap(REAL_DTYPE, b->embed, x->rank, x->shape, "embed"), true);
}

/* A value that two patterns match is the same twice. */
static Ten *keep_value(Tape *t, Ten *x, const char *full, void *ud)
{
	TapeBox *b = ud;
	for (int i = 0; i < b->n; i++)
		if (strcmp(b->value[i].name, full) == 0) {
			b->value[i].x = x;
			return x;
		}
	if (b->n == b->cap) {
		int cap = b->cap ? 2 * b->cap : 64;
		Value *more = realloc(b->value, sizeof *more * (size_t)cap);
		if (!more)
			return tape_fail(t, E_5001, "no memory for the names of values");
		b->value = more;
		b->cap = cap;
	}
	char *name = strdup(full);
	if (!name)
		return tape_fail(t, E_5001, "no memory for the names of values");
	b->value[b->n++] = (Value){ name, x };
	return x;
}

static bool forward(TapeBox *b, Err *e)
{
	Tape *t = tape_of(b);
	Seq seq = { .row0 = 0, .rows = (int)b->T };
	Batch batch = { (int)b->T, b->id, b->pos, 1, &seq, NULL };
	Run r = { b->twin->m->lm, NULL, &batch, FORM_NAIVE };
	tape_reset(t);
	tape_record(t, true);
	b->twin->m->probe_position = 0;
	lm_logits(t, &r, lm_hidden(t, &r), NULL, b->T);
	return tape_ok(t, e);
}

static void take_text(lua_State *L, TapeBox *b, const Model *m)
{
	size_t n;
	int32_t *id = lua_model_ids(L, m, 2, true, &n);
	int64_t context = m->m->lm->c.max_position_embeddings;
	if (n < 1 || (int64_t)n > context)
		lab_fail(L, E_2003, "tape: the text has %zu tokens; 1 to %lld are needed", n, (long long)context);
	for (size_t i = 0; i < n; i++)
		if (id[i] < 0 || id[i] >= lathe_vocab(m->m))
			lab_fail(L, E_2003, "tape: %d is no token", id[i]);
	b->T = (int64_t)n;
	b->id = malloc(sizeof *id * n);
	b->pos = malloc(sizeof *id * n);
	if (!b->id || !b->pos)
		lab_fail(L, E_5001, "no memory for %zu tokens", n);
	memcpy(b->id, id, sizeof *id * n);
	for (size_t i = 0; i < n; i++)
		b->pos[i] = (int32_t)i;
	lua_pop(L, 1);
}

static void keep_pattern(lua_State *L, TapeBox *b, const char *pattern)
{
	lua_model_check_pattern(L, b->twin, pattern);
	if (!tape_hook(tape_of(b), pattern, keep_value, b))
		lab_fail(L, E_2003, "tape: \"%s\" is not a pattern such as layers.*.attn.probs; see lathe-probes(7)", pattern);
}

static void keep_asked(lua_State *L, TapeBox *b, int options)
{
	if (!lua_istable(L, options) || lua_getfield(L, options, "watch") == LUA_TNIL)
		return;
	if (lua_type(L, -1) == LUA_TSTRING)
		keep_pattern(L, b, lua_tostring(L, -1));
	for (lua_Integer i = 1, n = lua_istable(L, -1) ? (lua_Integer)lua_rawlen(L, -1) : 0; i <= n; i++, lua_pop(L, 1)) {
		lua_rawgeti(L, -1, i);
		keep_pattern(L, b, luaL_checkstring(L, -1));
	}
}

static int model_tape(lua_State *L)
{
	static const char *const words[] = { "watch", NULL };
	Model *m = lua_model_check(L, 1);
	Err e = { 0 };
	lua_settop(L, 3);
	lua_options_known(L, 3, "tape", words);
	TapeBox *b = api_object(L, type_name, sizeof *b, 1);
	int at = lua_gettop(L);
	take_text(L, b, m);
	/* The model's own hooks come first; what is kept is what they have left. */
	Model *twin = lua_model_twin(L, 1, NULL, 0);
	lua_pushvalue(L, -1);
	lua_setiuservalue(L, at, 1);
	b->twin = twin;
	if (!tape_hook(tape_of(b), "embed", leaf_embed, b))
		return lab_fail(L, E_5001, "no memory for a hook");
	for (int i = 0; kept_patterns[i]; i++)
		keep_pattern(L, b, kept_patterns[i]);
	keep_asked(L, b, 3);
	lua_settop(L, at + 1);
	lua_model_enter(L, twin, at + 1);
	bool ok = forward(b, &e);
	lua_model_leave(L, twin);
	if (!ok)
		return lua_forward_raise(L, &e);
	lua_model_settle(L, twin);
	lua_model_check_hooks(L, twin);
	lua_settop(L, at);
	return 1;
}

/* --- values --- */

static int unknown_name(lua_State *L, const TapeBox *b, const char *name)
{
	lua_model_check_pattern(L, b->twin, name);
	return lab_fail(L, E_2003, "%s is not on this tape; m:tape(text, { watch = \"%s\" }) keeps values that are computed when asked for; names are in "
		"lathe-probes(7)", name, name);
}

static int tape_index(lua_State *L)
{
	lua_pushvalue(L, 2);
	lua_rawget(L, lua_upvalueindex(1));
	if (!lua_isnil(L, -1) || lua_type(L, 2) != LUA_TSTRING)
		return 1;
	const TapeBox *b = api_check(L, 1, type_name);
	const char *name = lua_tostring(L, 2);
	for (int i = 0; i < b->n; i++)
		if (strcmp(b->value[i].name, name) == 0) {
			lua_tensor_push_tape(L, tape_of(b), b->value[i].x, 1);
			((Tensor *)lua_touserdata(L, -1))->label = b->value[i].name;
			return 1;
		}
	return unknown_name(L, b, name);
}

static int tape_token(lua_State *L)
{
	api_check(L, 1, type_name);
	lua_getiuservalue(L, 1, 1);
	luaL_getmetafield(L, -1, "__token");
	lua_pushvalue(L, -2);
	lua_pushvalue(L, 2);
	lua_call(L, 2, 1);
	return 1;
}

static int tape_names(lua_State *L)
{
	const TapeBox *b = api_check(L, 1, type_name);
	lua_createtable(L, b->n, 0);
	for (int i = 0; i < b->n; i++) {
		lua_pushstring(L, b->value[i].name);
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

static int tape_tostring(lua_State *L)
{
	const TapeBox *b = api_check(L, 1, type_name);
	lua_pushfstring(L, "tape of %d tokens with %d values", (int)b->T, b->n);
	return 1;
}

/* --- gradients --- */

/* A plain copy of x's gradient; zeros when nothing arrived. */
static void push_grad(lua_State *L, const Ten *x)
{
	Tensor *y = lua_tensor_new(L, x->rank < TENSOR_MAXRANK ? x->rank : TENSOR_MAXRANK, x->shape, false);
	if (x->grad)
		memcpy(y->data, x->grad->data, y->bytes);
}

static int tape_grad_of(lua_State *L)
{
	const TapeBox *b = api_check(L, 1, type_name);
	Tape *t = tape_of(b);
	Err e = { 0 };
	Ten *y = lua_tensor_on(L, 2, t);
	if (ten_count(y) != 1)
		return lab_fail(L, E_2003, "grad: the derivative of one number is asked for; this tensor holds %lld: x:total() adds them up", (long long)ten_count(y));
	if (!y->needs_grad)
		return lab_fail(L, E_2003, "grad: this number does not depend on any value of the tape");
	bool one = lua_tensor_is(L, 3);
	Ten *x = one ? lua_tensor_on(L, 3, t) : NULL;
	const char *pattern = one ? NULL : luaL_checkstring(L, 3);
	tape_clear_grads(t);
	if (!tape_backward(t, y, NULL)) {
		tape_ok(t, &e);
		tape_forgive(t);
		return lab_raise(L, &e);
	}
	lua_model_settle(L, b->twin);
	if (one) {
		push_grad(L, x);
		return 1;
	}
	int found = 0;
	lua_newtable(L);
	for (int i = 0; i < b->n; i++)
		if (glob_match(pattern, b->value[i].name) && b->value[i].x->dtype != DT_I32) {
			push_grad(L, b->value[i].x);
			lua_setfield(L, -2, b->value[i].name);
			found++;
		}
	return found ? 1 : unknown_name(L, b, pattern);
}

static const ApiFn methods[] = {
	{ "grad", "(y: Tensor, x: string | Tensor): table | Tensor", "The derivative of y, one number of this tape, with respect to all values whose name matches: a table of "
		"plain tensors by name, each of its value's shape. With a tensor of this tape instead of a pattern: that one's gradient. Each call begins afresh. "
		"A choice of experts is a constant for the gradient.",
		"local m = lathe.open \"@tiny\"\nlocal t = m:tape \"3 + 4 =\"\nlocal g = t:grad(t.logits:at(-1):logprob(7), \"layers.*.resid_post\")\n"
		"print(g[\"layers.2.resid_post\"]:norm())", tape_grad_of },
	{ "names", "(): string[]", "The names of the values on the tape, in the order of computing.", NULL, tape_names },
	{ NULL, NULL, NULL, NULL, NULL },
};

static const luaL_Reg meta[] = {
	{ "__gc", tape_gc }, { "__index", tape_index }, { "__tostring", tape_tostring }, { "__token", tape_token }, { NULL, NULL },
};

const ApiClass api_tape = { type_name,
	"A text's forward, recorded. t.logits and t[\"layers.2.attn.out\"] are its values, tensors that can be computed with further: ops on them are recorded too. "
	"It lives as long as something of it is held.",
	methods, meta };

static const ApiFn model_methods[] = {
	{ "tape", "(text: string | integer[], options: { watch: string | string[] }?): Tape", "Records the forward of a text, with this model's changes and hooks, for "
		"gradients. The usual values are kept; by-products such as layers.*.attn.probs only when watched. Attention is in its naive form.", NULL, model_tape },
	{ NULL, NULL, NULL, NULL, NULL },
};

const ApiClass api_model_tape = { "Model", NULL, model_methods, NULL };
