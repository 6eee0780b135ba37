/* recipe.c - the precision recipe: which number format a product with a weight is computed in, by name. */
#include "tape/state.h"
#include "base/glob.h"
#include <string.h>

/* The router's gate is always computed as stored: near-ties between experts flip otherwise. */
#define GATE(p) { p, FMT_NATIVE, FMT_NATIVE, FMT_NATIVE }
static const Recipe recipes[] = {
	{ "native", 0, { { "", FMT_NATIVE, FMT_NATIVE, FMT_NATIVE } } },
	{ "bf16", 7, { GATE("gate"), GATE("*.gate"), GATE("*.*.gate"), GATE("*.*.*.gate"), GATE("*.*.*.*.gate"),
		GATE("*.*.*.*.*.gate"), { "**", FMT_BF16, FMT_BF16, FMT_BF16 } } },
};

const Recipe *recipe_by_name(const char *name)
{
	for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++)
		if (strcmp(name, recipes[i].name) == 0)
			return &recipes[i];
	return NULL;
}

void tape_set_recipe(Tape *t, const Recipe *r)
{
	t->recipe = r && r->n > 0 ? r : NULL;
	t->recipe_age++;
}

/* The last part of a weight's name, "weight" itself not counted, as [from, to). */
static void own_part(const char *s, const char **from, const char **to)
{
	size_t n = strlen(s);
	if (n > 7 && strcmp(s + n - 7, ".weight") == 0)
		n -= 7;
	size_t b = n;
	while (b > 0 && s[b - 1] != '.')
		b--;
	*from = s + b;
	*to = s + n;
}

static const RecipeRule *rule_find(const Tape *t, const char *weight)
{
	const char *from, *to;
	own_part(weight, &from, &to);
	Buf name = BUF_INIT;
	scope_describe(t->scope, &name);
	if (t->scope)
		buf_addc(&name, '.');
	buf_add(&name, from, (size_t)(to - from));
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
