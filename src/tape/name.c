/* name.c - scopes, names and hooks.
 *
 * A scope is kept once: the same chain of pushes gives the same pointer in every step. So (scope, name) is
 * two pointers, and what is known of it - full text, matching hooks, rule of the recipe - sits in one hash
 * entry that goes out of date when hooks or recipe change. A name that no hook matches costs a probe and a
 * short comparison. Keys are the caller's pointers, checked against a copy of what they said, so a name from
 * a reused buffer is never taken for another. */
#include "tape/state.h"
#include "base/glob.h"
#include <stdlib.h>
#include <string.h>

enum {
	NAMES_MAX = 1 << 16
}; /* entries beyond this are dropped at the next reset: names made up by a script */

void names_drop(Names *n)
{
	for (unsigned i = 0; i < n->named_cap; i++)
		if (n->named[i])
			free(n->named[i]->match);
	free(n->named);
	free(n->scope);
	n->named = NULL;
	n->scope = NULL;
	n->named_cap = n->scope_cap = n->n_named = n->n_scope = 0;
	if (n->mem)
		arena_reset(n->mem);
}

void names_reset(Names *n)
{
	if (n->n_named > NAMES_MAX || n->n_scope > NAMES_MAX)
		names_drop(n);
}

static unsigned mix(const void *a, const void *b, int index)
{
	uint64_t h = (uint64_t)(uintptr_t)a * 0x9e3779b97f4a7c15u ^
		((uint64_t)(uintptr_t)b + (uint64_t)(unsigned)index) * 0xc2b2ae3d27d4eb4fu;
	return (unsigned)(h >> 32) ^ (unsigned)(h >> 17);
}

static unsigned scope_slot(const Names *n, const Scope *up, const char *name, int index)
{
	unsigned i = mix(up, name, index) & (n->scope_cap - 1);
	for (ScopeKept *k; (k = n->scope[i]) != NULL; i = (i + 1) & (n->scope_cap - 1))
		if (k->s.up == up && k->key == name && k->s.index == index && strcmp(k->s.name, name) == 0)
			break;
	return i;
}

static unsigned named_slot(const Names *n, const Scope *scope, const char *name)
{
	unsigned i = mix(scope, name, 0) & (n->named_cap - 1);
	for (Named *k; (k = n->named[i]) != NULL; i = (i + 1) & (n->named_cap - 1))
		if (k->scope == scope && k->key == name && strcmp(k->name, name) == 0)
			break;
	return i;
}

/* Tables grow to stay at most half full. */
static bool scopes_grow(Names *n)
{
	if (2 * n->n_scope < n->scope_cap)
		return true;
	Names big = { .scope_cap = n->scope_cap ? 2 * n->scope_cap : 64 };
	big.scope = calloc(big.scope_cap, sizeof *big.scope);
	if (!big.scope)
		return false;
	for (unsigned i = 0; i < n->scope_cap; i++)
		if (n->scope[i])
			big.scope[scope_slot(&big, n->scope[i]->s.up, n->scope[i]->key, n->scope[i]->s.index)] =
				n->scope[i];
	free(n->scope);
	n->scope = big.scope;
	n->scope_cap = big.scope_cap;
	return true;
}

static bool named_grow(Names *n)
{
	if (2 * n->n_named < n->named_cap)
		return true;
	Names big = { .named_cap = n->named_cap ? 2 * n->named_cap : 256 };
	big.named = calloc(big.named_cap, sizeof *big.named);
	if (!big.named)
		return false;
	for (unsigned i = 0; i < n->named_cap; i++)
		if (n->named[i]) {
			unsigned k = mix(n->named[i]->scope, n->named[i]->key, 0) & (big.named_cap - 1);
			while (big.named[k])
				k = (k + 1) & (big.named_cap - 1);
			big.named[k] = n->named[i];
		}
	free(n->named);
	n->named = big.named;
	n->named_cap = big.named_cap;
	return true;
}

static const Scope *scope_find(Names *n, const Scope *up, const char *name, int index)
{
	if (!scopes_grow(n))
		return NULL;
	unsigned i = scope_slot(n, up, name, index);
	if (n->scope[i])
		return &n->scope[i]->s;
	ScopeKept *k = arena_alloc(n->mem, sizeof *k);
	char *copy = k ? arena_strdup(n->mem, name) : NULL;
	if (!copy)
		return NULL;
	*k = (ScopeKept){ { up, copy, index }, name };
	n->scope[i] = k;
	n->n_scope++;
	return &k->s;
}

void tape_push(Tape *t, const char *name, int index)
{
	const Scope *s = tape_failed(t) ? NULL : scope_find(&t->names, t->scope, name, index);
	if (s)
		t->scope = s;
	else
		tape_fail(t, E_5001, "no memory for the scope '%s'", name);
}

void tape_pop(Tape *t)
{
	if (t->scope && !tape_failed(t))
		t->scope = t->scope->up;
}

const Scope *tape_scope(const Tape *t)
{
	return t->scope;
}

void scope_describe(const Scope *s, Buf *out)
{
	if (!s)
		return;
	scope_describe(s->up, out);
	if (s->up)
		buf_addc(out, '.');
	buf_adds(out, s->name);
	if (s->index >= 0)
		buf_printf(out, ".%d", s->index);
}

static Named *named_new(Names *n, const Scope *scope, const char *name)
{
	Named *k = arena_zalloc(n->mem, sizeof *k);
	Buf b = BUF_INIT;
	scope_describe(scope, &b);
	if (scope)
		buf_addc(&b, '.');
	buf_adds(&b, name);
	char *full = k && !b.failed ? arena_strdup(n->mem, buf_str(&b)) : NULL;
	buf_done(&b);
	if (!full)
		return NULL;
	k->scope = scope;
	k->key = name;
	k->full = full;
	k->name = full + strlen(full) - strlen(name);
	return k;
}

Named *name_find(Tape *t, const char *name)
{
	Names *n = &t->names;
	if (!named_grow(n))
		return NULL;
	unsigned i = named_slot(n, t->scope, name);
	if (!n->named[i]) {
		n->named[i] = named_new(n, t->scope, name);
		n->n_named += n->named[i] != NULL;
	}
	return n->named[i];
}

/* Which hooks match, worked out anew after hooks have changed. */
static bool named_match(Tape *t, Named *k)
{
	if (k->hook_age == t->hook_age)
		return true;
	int n = 0;
	int *list = malloc((size_t)t->n_hooks * sizeof *list + 1);
	if (!list)
		return false;
	for (int i = 0; i < t->n_hooks; i++)
		if (t->hook[i].fn && glob_match(t->hook[i].pattern, k->full))
			list[n++] = i;
	free(k->match);
	k->match = list;
	k->n_match = n;
	k->hook_age = t->hook_age;
	return true;
}

static Named *watched(Tape *t, const char *name)
{
	Named *k = name_find(t, name);
	if (k && named_match(t, k))
		return k;
	tape_fail(t, E_5001, "no memory to look up the hooks of '%s'", name);
	return NULL;
}

static bool same_shape(const Ten *a, const Ten *b)
{
	if (a->dtype != b->dtype || a->rank != b->rank)
		return false;
	for (int i = 0; i < a->rank; i++)
		if (a->shape[i] != b->shape[i])
			return false;
	return true;
}

static Ten *hook_refuse(Tape *t, const Ten *x, const Ten *y, const char *name_full)
{
	if (!y)
		return tape_fail(t, E_6003, "the hook on %s failed", name_full);
	Buf a = BUF_INIT, b = BUF_INIT;
	ten_describe(x, &a);
	ten_describe(y, &b);
	tape_fail(t, E_6003, "the hook on %s put %s %s in place of %s %s: the shapes and types must be the same",
		name_full, dtype_name(y->dtype), buf_str(&b), dtype_name(x->dtype), buf_str(&a));
	buf_done(&a);
	buf_done(&b);
	return NULL;
}

/* Hooks may add and remove hooks: the list stands until all have run, and a removed one is passed over. */
static Ten *hooks_run(Tape *t, const char *name, Ten *x)
{
	Named *k = watched(t, name);
	if (!k || k->n_match == 0)
		return k ? x : NULL;
	const Scope *scope = t->scope;
	t->in_hook = true;
	for (int i = 0; x && i < k->n_match; i++) {
		Hook h = t->hook[k->match[i]];
		if (!h.fn)
			continue;
		Ten *y = h.fn(t, x, k->full, h.ud);
		if (tape_failed(t) || !y || (y != x && !same_shape(x, y))) {
			x = tape_failed(t) ? NULL : hook_refuse(t, x, y, k->full);
		} else {
			x = y;
			x->name = name;
			x->scope = scope;
		}
		t->scope = scope;
	}
	t->in_hook = false;
	return x;
}

Ten *tape_name(Tape *t, const char *name, Ten *x)
{
	if (!x || tape_failed(t))
		return NULL;
	x->name = name;
	x->scope = t->scope;
	if (t->n_hooks == 0 || t->in_hook)
		return x;
	return hooks_run(t, name, x);
}

bool tape_wants(const Tape *t, const char *name)
{
	if (t->n_hooks == 0 || t->in_hook || tape_failed(t))
		return false;
	Tape *m = (Tape *)(uintptr_t)t; /* the cache of names is not part of what the caller sees */
	Named *k = watched(m, name);
	return k && k->n_match > 0;
}

bool named_watched(Tape *t, Named *k)
{
	if (t->n_hooks == 0 || t->in_hook)
		return false;
	if (!named_match(t, k))
		tape_fail(t, E_5001, "no memory to look up the hooks of '%s'", k->full);
	return k->n_match > 0 && !tape_failed(t);
}

void tape_show(Tape *t, const char *full, Ten *x)
{
	const Scope *scope = t->scope;
	t->scope = NULL;
	tape_name(t, full, x);
	t->scope = scope;
}

int tape_hook(Tape *t, const char *pattern, HookFn fn, void *ud)
{
	if (!fn || !glob_valid(pattern))
		return 0;
	if (t->n_hooks == t->cap_hooks) {
		int cap = t->cap_hooks ? 2 * t->cap_hooks : 8;
		Hook *h = realloc(t->hook, (size_t)cap * sizeof *h);
		if (!h)
			return 0;
		t->hook = h;
		t->cap_hooks = cap;
	}
	size_t n = strlen(pattern) + 1;
	char *copy = malloc(n);
	if (!copy)
		return 0;
	memcpy(copy, pattern, n);
	t->hook[t->n_hooks++] = (Hook){ t->next_id, copy, fn, ud };
	t->hook_age++;
	return t->next_id++;
}

/* Closes the gaps of removed hooks; the order stays. */
static void hooks_compact(Tape *t)
{
	int n = 0;
	for (int i = 0; i < t->n_hooks; i++)
		if (t->hook[i].fn)
			t->hook[n++] = t->hook[i];
		else
			free(t->hook[i].pattern);
	t->n_hooks = n;
}

void tape_unhook(Tape *t, int id)
{
	for (int i = 0; i < t->n_hooks; i++)
		if (t->hook[i].id == id)
			t->hook[i].fn = NULL;
	if (!t->in_hook)
		hooks_compact(t);
	t->hook_age++;
}

void tape_each_name(const Tape *t, void (*fn)(void *ud, const char *full), void *ud)
{
	for (unsigned i = 0; i < t->names.named_cap; i++)
		if (t->names.named[i])
			fn(ud, t->names.named[i]->full);
}
