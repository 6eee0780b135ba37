/* args.c - the command line, read from the same tables that make the help and the manual.
 *
 * Nothing is guessed: an option must be spelled in full, a number must be a number to its last character, and
 * a mistake names the option and what it wants. Later options win over earlier ones. */
#include "cli/args.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Value {
	const Opt *opt;
	const char *text;
	int64_t i;
	double num;
} Value;

struct Args {
	const Cmd *cmd;
	Value *value;
	int n_values;
	const char **at;
	int n_at;
};

const Opt args_global[] = {
	{ "threads", 0, OPT_INT, "N", "processor threads to compute with; default: one per processor" },
	{ "seed", 0, OPT_INT, "N", "seed of everything random; default 0" },
	{ "memory-limit", 0, OPT_SIZE, "SIZE",
		"refuse work that needs more memory, as 512M or 4G (exit status 5)" },
	{ "json", 0, OPT_FLAG, NULL, "print the result as JSON" },
	{ "quiet", 0, OPT_FLAG, NULL, "no progress and no remarks on standard error" },
	{ "color", 0, OPT_STR, "WHEN", "colours: auto, always or never; default auto" },
	{ "help", 'h', OPT_FLAG, NULL, "print what the command does and its options" },
	{ NULL, 0, OPT_FLAG, NULL, NULL },
};

bool args_read_int(const char *s, int64_t *out)
{
	char *end;
	if (!(*s >= '0' && *s <= '9') && !((*s == '-' || *s == '+') && s[1] >= '0' && s[1] <= '9'))
		return false;
	errno = 0;
	long long v = strtoll(s, &end, 10);
	*out = v;
	return !errno && !*end;
}

bool args_read_num(const char *s, double *out)
{
	char *end;
	if (!*s || !strchr("+-.0123456789", *s) || strpbrk(s, "xXpP"))
		return false;
	errno = 0;
	*out = strtod(s, &end);
	return !*end && end != s && isfinite(*out);
}

bool args_read_size(const char *s, int64_t *out)
{
	char *end;
	if (!(*s >= '0' && *s <= '9') || strpbrk(s, "xXpPeE"))
		return false;
	double v = strtod(s, &end);
	const char *units = "KMGT", *u = *end ? strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end) : NULL;
	if (u) {
		v *= pow(1024, (double)(u - units + 1));
		end++;
		if (*end == 'i' && end[1] == 'B')
			end++;
	}
	if (*end == 'B')
		end++;
	if (*end || !(v < 9e18))
		return false;
	*out = (int64_t)v;
	return true;
}

/* Letters to insert, delete, replace or swap with the neighbour to make b of a; 99 for words too long to be
 * names. */
static int word_distance(const char *a, const char *b)
{
	enum { LONG = 40 };
	int d[LONG + 1][LONG + 1];
	size_t n = strlen(a), m = strlen(b);
	if (n > LONG || m > LONG)
		return 99;
	for (size_t i = 0; i <= n; i++)
		for (size_t j = 0; j <= m; j++) {
			if (!i || !j) {
				d[i][j] = (int)(i + j);
				continue;
			}
			int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
			best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	return d[n][m];
}

const char *args_nearest(const char *word, const char *const *names)
{
	const char *best = NULL;
	int best_d = (int)strlen(word) / 3 + 2;
	for (; *names; names++) {
		bool begins = strlen(word) >= 2 && !strncmp(*names, word, strlen(word));
		int d = begins ? 1 : word_distance(word, *names);
		if (d < best_d) {
			best_d = d;
			best = *names;
		}
	}
	return best;
}

static const Opt *opt_in(const Opt *o, const char *name, size_t n, char shortname)
{
	for (; o && o->name; o++)
		if (shortname ? o->shortname == shortname : (strlen(o->name) == n && !memcmp(o->name, name, n)))
			return o;
	return NULL;
}

static const Opt *opt_find(const Cmd *c, const char *name, size_t n, char shortname)
{
	const Opt *o = c ? opt_in(c->opts, name, n, shortname) : NULL;
	return o ? o : opt_in(args_global, name, n, shortname);
}

const Opt *args_option(const Cmd *c, const char *name)
{
	return opt_find(c, name, strlen(name), 0);
}

static bool opt_unknown(const Cmd *c, const char *arg, size_t n, Err *e)
{
	const char *names[128];
	char word[64];
	int k = 0;
	for (const Opt *o = c->opts; o && o->name && k < 100; o++)
		names[k++] = o->name;
	for (const Opt *o = args_global; o->name && k < 127; o++)
		names[k++] = o->name;
	names[k] = NULL;
	const char *near = NULL;
	if (n > 2 && n - 2 < sizeof word) {
		memcpy(word, arg + 2, n - 2);
		word[n - 2] = 0;
		near = args_nearest(word, names);
	}
	return err_set(e, E_2002, "%s: unknown option %.*s; %s%s%s`lathe %s --help` lists them", c->name,
		(int)(n < 80 ? n : 80), arg, near ? "did you mean --" : "", near ? near : "", near ? "? " : "",
		c->name);
}

static bool value_bad(const Cmd *c, const Opt *o, const char *text, Err *e)
{
	static const char *const kind[] = { "nothing", "a text", "a whole number", "a number",
		"a size as 512K, 64M or 2G" };
	return err_set(e, E_2003, "%s: --%s %.80s: not %s; give --%s %s", c->name, o->name, text, kind[o->kind],
		o->name, o->arg);
}

/* Rules of the global options' values, which no command has to repeat. */
static bool value_check_global(const Cmd *c, const Value *v, Err *e)
{
	const char *name = v->opt->name;
	if (!strcmp(name, "threads") && (v->i < 1 || v->i > 1024))
		return err_set(e, E_2003, "%s: --threads %s: not between 1 and 1024", c->name, v->text);
	if (!strcmp(name, "seed") && v->i < 0)
		return err_set(e, E_2003, "%s: --seed %s: negative; give a number from 0 up", c->name, v->text);
	if (!strcmp(name, "memory-limit") && v->i < 1)
		return err_set(e, E_2003, "%s: --memory-limit %s: must be at least 1 byte", c->name, v->text);
	if (!strcmp(name, "color") && strcmp(v->text, "auto") && strcmp(v->text, "always") &&
		strcmp(v->text, "never"))
		return err_set(e, E_2003, "%s: --color %.80s: must be auto, always or never", c->name, v->text);
	return true;
}

static bool value_set(Args *a, const Opt *o, const char *text, Err *e)
{
	Value *v = &a->value[a->n_values];
	*v = (Value){ .opt = o, .text = text };
	bool ok = true;
	if (o->kind == OPT_INT)
		ok = args_read_int(text, &v->i);
	else if (o->kind == OPT_NUM)
		ok = args_read_num(text, &v->num);
	else if (o->kind == OPT_SIZE)
		ok = args_read_size(text, &v->i);
	if (!ok)
		return value_bad(a->cmd, o, text, e);
	if (o->kind == OPT_INT || o->kind == OPT_SIZE)
		v->num = (double)v->i;
	a->n_values++;
	return opt_in(args_global, o->name, strlen(o->name), 0) != o || value_check_global(a->cmd, v, e);
}

/* argv[*i] is --name, --name=value. */
static bool parse_long(Args *a, int argc, char *const *argv, int *i, Err *e)
{
	const char *arg = argv[*i], *eq = strchr(arg, '=');
	size_t n = eq ? (size_t)(eq - arg) : strlen(arg);
	const Opt *o = opt_find(a->cmd, arg + 2, n - 2, 0);
	if (!o)
		return opt_unknown(a->cmd, arg, n, e);
	if (o->kind == OPT_FLAG) {
		if (eq)
			return err_set(e, E_2003, "%s: --%s takes no value", a->cmd->name, o->name);
		return value_set(a, o, NULL, e);
	}
	if (eq)
		return value_set(a, o, eq + 1, e);
	if (*i + 1 >= argc)
		return err_set(e, E_2003, "%s: --%s needs a value: --%s %s", a->cmd->name, o->name, o->name, o->arg);
	return value_set(a, o, argv[++*i], e);
}

/* argv[*i] is -x, -xVALUE or several flags together; only the last may take a value. */
static bool parse_short(Args *a, int argc, char *const *argv, int *i, Err *e)
{
	const Opt *o = opt_find(a->cmd, "", 0, argv[*i][1]);
	if (!o)
		return opt_unknown(a->cmd, argv[*i], strlen(argv[*i]), e);
	if (o->kind == OPT_FLAG) {
		if (argv[*i][2])
			return err_set(
				e, E_2003, "%s: -%c takes no value; write options apart", a->cmd->name, o->shortname);
		return value_set(a, o, NULL, e);
	}
	if (argv[*i][2])
		return value_set(a, o, argv[*i] + 2, e);
	if (*i + 1 >= argc)
		return err_set(
			e, E_2003, "%s: -%c needs a value: -%c %s", a->cmd->name, o->shortname, o->shortname, o->arg);
	return value_set(a, o, argv[++*i], e);
}

static bool args_walk(Args *a, int argc, char *const *argv, Err *e)
{
	bool options = true;
	for (int i = 0; i < argc; i++) {
		const char *s = argv[i];
		if (options && !strcmp(s, "--")) {
			options = false;
			continue;
		}
		if (!options || s[0] != '-' || !s[1]) {
			a->at[a->n_at++] = s;
			continue;
		}
		if (s[1] == '-' ? !parse_long(a, argc, argv, &i, e) : !parse_short(a, argc, argv, &i, e))
			return false;
	}
	return true;
}

static bool args_check_count(const Args *a, Err *e)
{
	const Cmd *c = a->cmd;
	if (a->n_at < c->min_args)
		return err_set(e, E_2003, "%s: too few arguments; usage: lathe %s %s", c->name, c->name, c->usage);
	if (c->max_args >= 0 && a->n_at > c->max_args)
		return err_set(e, E_2003, "%s: `%.80s` is one argument too many; usage: lathe %s %s", c->name,
			a->at[c->max_args], c->name, c->usage);
	return true;
}

Args *args_parse(const Cmd *c, int argc, char *const *argv, Err *e)
{
	Args *a = calloc(1, sizeof *a);
	if (a) {
		a->cmd = c;
		a->value = calloc((size_t)argc + 1, sizeof *a->value);
		a->at = calloc((size_t)argc + 1, sizeof *a->at);
	}
	if (!a || !a->value || !a->at) {
		args_free(a);
		err_set(e, E_5001, "out of memory for the command line");
		return NULL;
	}
	bool ok = args_walk(a, argc, argv, e);
	if (args_has(a, "help")) {
		err_clear(e);
		return a;
	}
	if (ok && args_check_count(a, e))
		return a;
	args_free(a);
	return NULL;
}

void args_free(Args *a)
{
	if (!a)
		return;
	free(a->value);
	free(a->at);
	free(a);
}

static const Value *value_of(const Args *a, const char *name)
{
	for (int i = a->n_values - 1; i >= 0; i--)
		if (!strcmp(a->value[i].opt->name, name))
			return &a->value[i];
	return NULL;
}

bool args_has(const Args *a, const char *name)
{
	return value_of(a, name);
}

const char *args_str(const Args *a, const char *name, const char *fallback)
{
	const Value *v = value_of(a, name);
	return v && v->text ? v->text : fallback;
}

const char *args_nth(const Args *a, const char *name, int i)
{
	for (int k = 0; k < a->n_values; k++)
		if (!strcmp(a->value[k].opt->name, name) && i-- == 0)
			return a->value[k].text;
	return NULL;
}

int64_t args_int(const Args *a, const char *name, int64_t fallback)
{
	const Value *v = value_of(a, name);
	return v ? v->i : fallback;
}

double args_num(const Args *a, const char *name, double fallback)
{
	const Value *v = value_of(a, name);
	return v ? v->num : fallback;
}

int args_count(const Args *a)
{
	return a->n_at;
}

const char *args_at(const Args *a, int i)
{
	return i >= 0 && i < a->n_at ? a->at[i] : NULL;
}
