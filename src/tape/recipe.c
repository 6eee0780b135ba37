/* recipe.c - precision recipes: which number format each product with a weight is computed in, by name.
 *
 * What runs in a small format is what DeepSeek-V3 runs in FP8 (V3 report 3.3, fp8.md 3.1): the projections of attention, MLPs and experts.
 * Embedding, head, gate, norms, attention itself and the MTP modules' own projection stay as they are. */
#include "tape/state.h"
#include "base/glob.h"
#include <string.h>

#define GROUP(f, across, along, s) { .format = f, .rows = across, .cols = along, .scale = s }
#define TILE(f, s) GROUP(f, 1, 128, s)
#define BLOCK(f, s) GROUP(f, 128, 128, s)
#define WHOLE(f) GROUP(f, 0, 0, FP_SCALE_F32)
#define SUM(...) { FMT_QUANT, __VA_ARGS__, { 0, 0 } }
#define SUM_HOPPER(...) { FMT_QUANT, __VA_ARGS__, { 13, 128 } }
/* One triple of products for all the projections. */
#define LINEARS(...) 5, { \
	{ "layers.*.attn.{q_proj,q_a_proj,q_b_proj,kv_a_proj_with_mqa,kv_b_proj,k_proj,v_proj,o_proj}", __VA_ARGS__ }, \
	{ "layers.*.attn.{index,indexer}.{wq_b,wk}", __VA_ARGS__ }, { "layers.*.{gate_proj,up_proj,down_proj}", __VA_ARGS__ }, \
	{ "layers.*.moe.experts.*", __VA_ARGS__ }, { "layers.*.moe.shared_experts.*", __VA_ARGS__ } }
#define V3(SUM_, s) LINEARS(SUM_(TILE(FP_E4M3, s), BLOCK(FP_E4M3, s)), SUM_(TILE(FP_E4M3, s), BLOCK(FP_E4M3, s)), \
	SUM_(TILE(FP_E4M3, s), TILE(FP_E4M3, s)))
#define SAME(group) LINEARS(SUM(group, group), SUM(group, group), SUM(group, group))

/* The router's gate is always computed as stored: near-ties between experts flip otherwise. */
#define GATE(p) { .pattern = p }
static const Recipe recipes[] = {
	{ "native", "weights as stored, everything else in f32", 0, { { .pattern = "" } } },
	{ "bf16", "what goes into products is rounded to bf16, but for the gate's", 7, { GATE("gate"), GATE("*.gate"), GATE("*.*.gate"),
		GATE("*.*.*.gate"), GATE("*.*.*.*.gate"), GATE("*.*.*.*.*.gate"),
		{ "**", { .format = FMT_BF16 }, { .format = FMT_BF16 }, { .format = FMT_BF16 } } } },
	{ "fp8-v3", "DeepSeek-V3: e4m3 everywhere, activations and gradients in 1x128 tiles, weights in 128x128 blocks, f32 scales",
		V3(SUM, FP_SCALE_F32) },
	{ "fp8-v3-pow2", "the same with scales that are powers of two (V3.1, ue8m0)", V3(SUM, FP_SCALE_POW2) },
	{ "fp8-v3-hopper", "fp8-v3 with the sums of Hopper's tensor cores, promoted to f32 every 128", V3(SUM_HOPPER, FP_SCALE_F32) },
	{ "fp8-block", "fp8-v3 with gradients in 128x128 blocks in dgrad, which the report found to diverge (appendix B.2)",
		LINEARS(SUM(TILE(FP_E4M3, FP_SCALE_F32), BLOCK(FP_E4M3, FP_SCALE_F32)), SUM(BLOCK(FP_E4M3, FP_SCALE_F32), BLOCK(FP_E4M3, FP_SCALE_F32)),
			SUM(TILE(FP_E4M3, FP_SCALE_F32), TILE(FP_E4M3, FP_SCALE_F32))) },
	{ "fp8-hybrid", "fp8-v3 with gradients in e5m2",
		LINEARS(SUM(TILE(FP_E4M3, FP_SCALE_F32), BLOCK(FP_E4M3, FP_SCALE_F32)), SUM(TILE(FP_E5M2, FP_SCALE_F32), BLOCK(FP_E4M3, FP_SCALE_F32)),
			SUM(TILE(FP_E5M2, FP_SCALE_F32), TILE(FP_E4M3, FP_SCALE_F32))) },
	{ "fp8-tensor", "e4m3 with one scale for a whole tensor", SAME(WHOLE(FP_E4M3)) },
	{ "fp8-e5m2", "e5m2 everywhere, groups as in fp8-v3",
		LINEARS(SUM(TILE(FP_E5M2, FP_SCALE_F32), BLOCK(FP_E5M2, FP_SCALE_F32)), SUM(TILE(FP_E5M2, FP_SCALE_F32), BLOCK(FP_E5M2, FP_SCALE_F32)),
			SUM(TILE(FP_E5M2, FP_SCALE_F32), TILE(FP_E5M2, FP_SCALE_F32))) },
	{ "mxfp8", "OCP MX: e4m3 in groups of 32 along the sum, ue8m0 scales", SAME(GROUP(FP_E4M3, 1, 32, FP_SCALE_MX)) },
	{ "nvfp4", "e2m1 in groups of 16 along the sum, e4m3 scales, one f32 for the tensor", SAME(GROUP(FP_E2M1, 1, 16, FP_SCALE_NV)) },
};
enum { RECIPES = sizeof recipes / sizeof recipes[0] };

const Recipe *recipe_at(int i)
{
	return i >= 0 && i < RECIPES ? &recipes[i] : NULL;
}

const Recipe *recipe_by_name(const char *name)
{
	for (int i = 0; i < RECIPES; i++)
		if (strcmp(name, recipes[i].name) == 0)
			return &recipes[i];
	return NULL;
}

const Recipe *recipe_find(const char *name, Err *e)
{
	const Recipe *r = recipe_by_name(name);
	Buf known = BUF_INIT;
	for (int i = 0; !r && i < RECIPES; i++)
		buf_printf(&known, "%s%s", i == 0 ? "" : i < RECIPES - 1 ? ", " : " and ", recipes[i].name);
	if (!r)
		err_set(e, E_2003, "precision %.40s: known are %s", name, buf_str(&known));
	buf_done(&known);
	return r;
}

void tape_set_recipe(Tape *t, const Recipe *r)
{
	t->recipe = r && r->n > 0 ? r : NULL;
	t->recipe_age++;
}

/* The end of a weight's name that names it within a block, "weight" itself not counted, as [from, to): its last part, with
 * "shared_experts" before it where it is one of those. */
static void own_part(const char *s, const char **from, const char **to)
{
	static const char shared[] = "shared_experts.";
	size_t n = strlen(s), m = sizeof shared - 1;
	if (n > 7 && strcmp(s + n - 7, ".weight") == 0)
		n -= 7;
	size_t b = n;
	while (b > 0 && s[b - 1] != '.')
		b--;
	if (b >= m && memcmp(s + b - m, shared, m) == 0)
		b -= m;
	*from = s + b;
	*to = s + n;
}

/* Appends the node's name. Routed experts share one, whichever of them gives it. */
static void node_name(const Tape *t, const char *weight, Buf *name)
{
	const char *from, *to;
	own_part(weight, &from, &to);
	scope_describe(t->scope, name);
	if (t->scope)
		buf_addc(name, '.');
	if (strstr(weight, ".experts."))
		buf_adds(name, "experts.");
	buf_add(name, from, (size_t)(to - from));
}

static const RecipeRule *rule_find(const Tape *t, const char *weight)
{
	Buf name = BUF_INIT;
	node_name(t, weight, &name);
	const RecipeRule *rule = NULL;
	for (int i = 0; !rule && !name.failed && i < t->recipe->n; i++)
		if (glob_match(t->recipe->rule[i].pattern, buf_str(&name)))
			rule = &t->recipe->rule[i];
	buf_done(&name);
	return rule;
}

const RecipeRule *tape_recipe_for(const Tape *t, const char *weight)
{
	if (!t->recipe || tape_failed(t))
		return NULL;
	if (!weight)
		weight = "";
	Tape *m = (Tape *)(uintptr_t)t; /* the cache of names is not part of what the caller sees */
	Named *k = name_find(m, weight);
	if (!k) {
		tape_fail(m, E_5001, "no memory to look up the recipe of '%s'", weight);
		return NULL;
	}
	if (k->recipe_age != t->recipe_age) {
		k->rule = rule_find(t, weight);
		k->recipe_age = t->recipe_age;
	}
	return k->rule;
}

const char *tape_error_name(Tape *t, const char *weight, int product)
{
	static const char *const products[] = { "fprop", "dgrad", "wgrad" };
	if (t->n_hooks == 0 || t->in_hook || tape_failed(t))
		return NULL;
	Named *k = name_find(t, weight ? weight : "");
	if (k && !k->error[product]) {
		Buf b = BUF_INIT;
		buf_adds(&b, "fp8.err.");
		node_name(t, weight ? weight : "", &b);
		buf_printf(&b, ".%s", products[product]);
		k->error[product] = b.failed ? NULL : arena_strdup(t->names.mem, buf_str(&b));
		buf_done(&b);
	}
	if (!k || !k->error[product]) {
		tape_fail(t, E_5001, "no memory for the name of an error");
		return NULL;
	}
	const char *name = k->error[product];
	const Scope *scope = t->scope;
	t->scope = NULL;
	Named *error = name_find(t, name);
	t->scope = scope;
	return error && named_watched(t, error) ? name : NULL;
}
